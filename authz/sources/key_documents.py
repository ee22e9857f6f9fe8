"""Read a JWKS document from a configured or discovered endpoint, or from a file.

Each read returns bytes or raises FetchFailed, and does not block the loop. The caller sets the deadline.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from authz.core.issuers import KeyLocation
from authz.core.keyset import MAX_DOCUMENT_BYTES
from authz.core.url import Url
from authz.sources import discovery, files, tls
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.environment import Environment
from authz.sources.fetch_result import fetchable
from authz.sources.https import get
from authz.sources.proxy_choice import proxy_for


class KeyDocument(Protocol):
    """The source of a JWKS document."""

    async def read(self) -> bytes:
        """Return the document. Raises FetchFailed."""

    async def has_changed(self) -> bool:
        """Whether the document has changed since the last read, as far as this is known without reading it."""


class HttpsClient:
    """Makes the GET requests for one issuer. A hung name lookup delays this issuer only, through its BlockingWorker."""

    def __init__(self, ca_file: str, worker: BlockingWorker, environment: Environment, proxy: str = "") -> None:
        self._ca_file = ca_file
        self._proxy = proxy
        self._worker = worker
        self._environment = environment

    async def get(self, address: Url, *, bearer: str = "", max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
        """Return the body of a 200 response, without a byte order mark (RFC 8259 section 8.1). Raises FetchFailed."""
        body = await get(
            address,
            context=await self._worker.run(lambda: tls.context(self._ca_file)),
            resolve=self._resolve,
            proxy=proxy_for(address, self._proxy, self._environment.variables),
            bearer=bearer,
            deadline_seconds=self._environment.deadline_seconds,
            max_bytes=max_bytes,
            observe=self._environment.observe,
        )
        return body.removeprefix(BOM_UTF8)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        return await self._worker.run(lambda: self._environment.look_up(host, port))


def documents_of(location: KeyLocation, environment: Environment) -> list[KeyDocument]:
    """Return every location of the key set, the preferred one first.

    Each has its own worker: a name lookup that hangs must not delay the next host.
    """
    if location.jwks_file:
        return [KeyFile(location.jwks_file, BlockingWorker())]
    further = [replace(location, jwks_uri=uri, discovery="") for uri in location.fallbacks]
    return [Endpoint(each, BlockingWorker(), environment) for each in (location, *further)]


class Endpoint:
    """A JWKS at a URL."""

    def __init__(self, location: KeyLocation, worker: BlockingWorker, environment: Environment) -> None:
        self._location = location
        self._worker = worker
        self._client = HttpsClient(location.ca_file, worker, environment, location.proxy)

    async def read(self) -> bytes:
        """Fetch the discovery document, if there is one, and then the JWKS."""
        issuer = self._location.discovery
        if not issuer:
            return await self._get(fetchable(self._location.jwks_uri))
        described = await discovery.find(issuer, self._get)
        return await self._get(discovery.jwks_url(described, issuer))

    async def has_changed(self) -> bool:
        """Return false: an endpoint does not report changes."""
        return False

    async def _get(self, address: Url) -> bytes:
        bearer = await self._worker.run(lambda: files.read_bearer(self._location.bearer_token_file))
        return await self._client.get(address, bearer=bearer)


class KeyFile:
    """A JWKS in a file, which can be replaced at any time."""

    def __init__(self, path: str, worker: BlockingWorker) -> None:
        self._path = path
        self._worker = worker
        self._signature: object = None

    async def read(self) -> bytes:
        """Read the file. Its signature is read first, so that the next poll notices a change in between."""
        self._signature = await self._worker.run(lambda: files.signature(self._path))
        return await self._worker.run(lambda: files.read(self._path, "jwks_file", MAX_DOCUMENT_BYTES))

    async def has_changed(self) -> bool:
        """Whether the file was replaced or written since the last read."""
        return await self._worker.run(lambda: files.signature(self._path)) != self._signature
