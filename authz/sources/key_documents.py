"""Where the bytes of a document come from: an endpoint, found by discovery or named, or a file.

Both end in bytes or FetchFailed, and neither blocks the loop. There is no deadline for the whole here: the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authz.core.issuers import KeyLocation
from authz.core.keyset import MAX_DOCUMENT_BYTES
from authz.core.url import Url
from authz.sources import discovery, files, tls
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.environment import Environment
from authz.sources.fetch_result import fetchable
from authz.sources.https import get


class Document(Protocol):
    """A JWKS somewhere."""

    async def read(self) -> bytes:
        """Its bytes now. Raises FetchFailed."""

    async def has_changed(self) -> bool:
        """Whether it is known, without reading it, to differ from what was read last."""


class Client:
    """GETs for one issuer. One worker for all blocking calls: a hung name lookup delays its own issuer only."""

    def __init__(self, ca_file: str, worker: BlockingWorker, environment: Environment) -> None:
        self._ca_file = ca_file
        self._worker = worker
        self._environment = environment

    async def get(self, address: Url, *, bearer: str = "", max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
        """The body of a 200 answer. Raises FetchFailed."""
        return await get(
            address,
            context=await self._worker.run(lambda: tls.context(self._ca_file)),
            resolve=self._resolve,
            bearer=bearer,
            deadline_seconds=self._environment.deadline_seconds,
            max_bytes=max_bytes,
        )

    async def _resolve(self, address: Url) -> Sequence[str]:
        return await self._worker.run(lambda: self._environment.look_up(address.host, address.port))


class Endpoint:
    """A JWKS behind a URL."""

    def __init__(self, location: KeyLocation, worker: BlockingWorker, environment: Environment) -> None:
        self._location = location
        self._worker = worker
        self._client = Client(location.ca_file, worker, environment)

    async def read(self) -> bytes:
        """Fetch it, asking the discovery document first where there is one."""
        issuer = self._location.discovery
        if not issuer:
            return await self._get(fetchable(self._location.jwks_uri))
        described = await self._get(discovery.document_url(issuer))
        return await self._get(discovery.jwks_url(described, issuer))

    async def has_changed(self) -> bool:
        """Nothing tells."""
        return False

    async def _get(self, address: Url) -> bytes:
        bearer = await self._worker.run(lambda: files.read_bearer(self._location.bearer_token_file))
        return await self._client.get(address, bearer=bearer)


class KeyFile:
    """A JWKS in a file, which others may replace at any time."""

    def __init__(self, path: str, worker: BlockingWorker) -> None:
        self._path = path
        self._worker = worker
        self._signature: object = None

    async def read(self) -> bytes:
        """Read it. The signature is taken first: a change in between is seen by the next look."""
        self._signature = await self._worker.run(lambda: files.signature(self._path))
        return await self._worker.run(lambda: files.read(self._path, "jwks_file", MAX_DOCUMENT_BYTES))

    async def has_changed(self) -> bool:
        """Whether the file is another, or has been written, since it was read."""
        return await self._worker.run(lambda: files.signature(self._path)) != self._signature
