"""The route for the protected resource metadata, written and compared.

Envoy answers it with `direct_response`, so no upstream has to serve a document that authz already knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from authz.core.configuration import Configuration
from authz.core.resource import Resource

_TYPES = "type.googleapis.com/envoy"


def document_text(configuration: Configuration, resource: Resource) -> str:
    """The document as the route has it: one line of JSON."""
    document = resource.document(configuration.issuers.by_alias.values())
    return json.dumps(document, separators=(", ", ": "), ensure_ascii=True)


def metadata_route(configuration: Configuration, resource: Resource, *, has_login: bool) -> str:
    """Return the route as YAML, to be put first in the virtual host. `has_login`: an OAuth2 filter is in the chain."""
    path, _, query = resource.metadata_path.partition("?")
    match: dict[str, Any] = {"path": path}
    if query:
        match["query_parameters"] = [
            {"name": name, "string_match": {"exact": value}}
            for name, _, value in (part.partition("=") for part in query.split("&"))
        ]
    filters: dict[str, Any] = {}
    if has_login:
        filters["envoy.filters.http.oauth2"] = {"@type": f"{_TYPES}.config.route.v3.FilterConfig", "disabled": True}
    filters["envoy.filters.http.ext_authz"] = {
        "@type": f"{_TYPES}.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
        "check_settings": {"context_extensions": {"policy": "public"}},
    }
    route = {
        "match": match,
        "direct_response": {"status": 200, "body": {"inline_string": document_text(configuration, resource)}},
        "response_headers_to_add": [
            _header("content-type", "application/json"),
            # Clients in a browser read the document from any origin (RFC 9728 section 7.9 names no secret in it).
            _header("access-control-allow-origin", "*"),
        ],
        "typed_per_filter_config": filters,
    }
    return yaml.safe_dump([route], sort_keys=False, width=4096)


def _header(key: str, value: str) -> Mapping[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
