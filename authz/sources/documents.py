"""Where the bytes of a JWKS come from: an endpoint, found by discovery or named, or a file.

Both end in bytes or FetchFailed, and neither blocks the loop. There is no deadline for the whole here: the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from authz.core.issuers import KeyLocation
from authz.core.keyset import MAX_DOCUMENT_BYTES
from authz.sources import discovery, files, tls, url
from authz.sources.blocking import Lane
from authz.sources.https import get
from authz.sources.surroundings import Surroundings


class Document(Protocol):
    """A JWKS somewhere."""

    async def read(self) -> bytes:
        """Its bytes now. Raises FetchFailed."""

    async def has_changed(self) -> bool:
        """Whether it is known, without reading it, to differ from what was read last."""


class Endpoint:
    """A JWKS behind a URL. One lane for all its blocking calls: a hung name lookup delays its own issuer only."""

    def __init__(self, location: KeyLocation, lane: Lane, surroundings: Surroundings) -> None:
        self._location = location
        self._lane = lane
        self._surroundings = surroundings

    async def read(self) -> bytes:
        """Fetch it, asking the discovery document first where there is one."""
        issuer = self._location.discovery
        if not issuer:
            return await self._get(url.parse(self._location.jwks_uri))
        described = await self._get(discovery.document_url(issuer))
        return await self._get(discovery.jwks_url(described, issuer))

    async def has_changed(self) -> bool:
        """Nothing tells."""
        return False

    async def _get(self, address: url.Url) -> bytes:
        return await get(
            address,
            context=await self._lane.run(lambda: tls.context(self._location.ca_file)),
            resolve=self._resolve,
            bearer=await self._lane.run(lambda: files.read_bearer(self._location.bearer_token_file)),
            deadline_seconds=self._surroundings.deadline_seconds,
            max_bytes=MAX_DOCUMENT_BYTES,
        )

    async def _resolve(self, address: url.Url) -> Sequence[str]:
        return await self._lane.run(lambda: self._surroundings.look_up(address.host, address.port))


class KeyFile:
    """A JWKS in a file, which others may replace at any time."""

    def __init__(self, path: str, lane: Lane) -> None:
        self._path = path
        self._lane = lane
        self._signature: object = None

    async def read(self) -> bytes:
        """Read it. The signature is taken first: a change in between is seen by the next look."""
        self._signature = await self._lane.run(lambda: files.signature(self._path))
        return await self._lane.run(lambda: files.read(self._path, "jwks_file", MAX_DOCUMENT_BYTES))

    async def has_changed(self) -> bool:
        """Whether the file is another, or has been written, since it was read."""
        return await self._lane.run(lambda: files.signature(self._path)) != self._signature
