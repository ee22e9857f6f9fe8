"""This API as an OAuth protected resource (RFC 9728): its identifier, and the metadata document that clients read.

A client that gets a 401 finds the document through the challenge (section 5.1), and in it the authorization servers.
MCP clients depend on this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from authz.core.issuers import Issuer
from authz.core.mapping_reader import MappingReader
from authz.core.read_policy import read_scopes
from authz.core.url import UrlRefused, parse

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Resource:
    """The field `resource` of the configuration."""

    id: str
    """The resource identifier: an https URL without a fragment (section 1.2)."""
    scopes: tuple[str, ...] = ()
    """`scopes_supported`, sorted."""
    documentation: str = ""
    """URL of a page for developers, empty if there is none."""

    @property
    def metadata_path(self) -> str:
        """The path of the document: the well-known part comes before the path of the identifier (section 3.1)."""
        parts = urlsplit(self.id)
        return WELL_KNOWN + parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")

    @property
    def metadata_url(self) -> str:
        """The URL of the document."""
        parts = urlsplit(self.id)
        return f"{parts.scheme}://{parts.netloc}{self.metadata_path}"

    def document(self, issuers: Iterable[Issuer]) -> dict[str, Any]:
        """Return the metadata document (section 2).

        Workload issuers are left out, because no client can ask them for a token, and issuers with `tenants: any`,
        because a client cannot tell which tenant to ask.
        """
        named = [issuer for issuer in issuers if issuer.identifiers and not issuer.profile.is_workload]
        servers = [issuer.primary_identifier for issuer in named]
        return {
            "resource": self.id,
            **({"authorization_servers": servers} if servers else {}),
            "bearer_methods_supported": ["header"],
            **({"scopes_supported": list(self.scopes)} if self.scopes else {}),
            **({"resource_documentation": self.documentation} if self.documentation else {}),
        }


def read_resource(reader: MappingReader) -> Resource:
    """Read the mapping `resource`."""
    identifier = _url(reader, "id")
    if "id" not in reader:
        reader.wrong((), "id is missing", 'Write `id: "https://..."`, the URL that clients use for this API.')
    scopes = read_scopes(reader)
    resource = Resource(identifier, tuple(sorted(scopes)), _url(reader, "documentation"))
    reader.finish()
    return resource


def _url(reader: MappingReader, name: str) -> str:
    text = reader.text(name)
    if text:
        try:
            parse(text)
        except UrlRefused as error:
            reader.wrong((name,), f"{text!r:.200} is not an https URL: {error}", f'Write `{name}: "https://..."`.')
        else:
            if '"' in text:  # it becomes a quoted string of the challenge
                reader.wrong((name,), "a URL cannot contain quotation marks", "Percent-encode them: %22.")
    return text
