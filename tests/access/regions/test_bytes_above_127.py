"""Real Envoy and the regions agree about bytes outside of ASCII, in UTF-8 and not, in paths, queries and headers."""

from __future__ import annotations

import socket
from itertools import product
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events

from authz.tools.access.regions.region import regions
from authz.tools.processes.machine import LOOPBACK
from tests.access.regions.first_match import resources
from tests.access.regions.naming_envoy import naming_envoy

_MATCHES: list[dict[str, Any]] = [
    {"path": "/é"},
    {"prefix": "/é/"},
    {"path_separated_prefix": "/ü"},
    {"path": "/ÀB", "case_sensitive": False},
    {"safe_regex": {"regex": "/x."}},
    {"safe_regex": {"regex": "/y[^a]"}},
    {"safe_regex": {"regex": "/zé+"}},
    {"safe_regex": {"regex": r"/w\xff"}},
    {"safe_regex": {"regex": "/v.{2}"}},
    {"prefix": "/h", "headers": [{"name": "x-one", "string_match": {"exact": "é"}}]},
    {"prefix": "/h", "headers": [{"name": "x-one", "string_match": {"prefix": "é", "ignore_case": True}}]},
    {"prefix": "/h", "headers": [{"name": "x-one", "string_match": {"contains": "é"}}]},
    {"prefix": "/h", "headers": [{"name": "x-one", "string_match": {"safe_regex": {"regex": "a."}}}]},
    {"prefix": "/h", "headers": [{"name": "x-one", "string_match": {"safe_regex": {"regex": "[^a]b"}}}]},
    {"prefix": "/q", "query_parameters": [{"name": "q", "string_match": {"exact": "é"}}]},
    {"prefix": "/t", "headers": [{"name": ":path", "string_match": {"contains": "é"}}]},
    {"prefix": "/t", "headers": [{"name": ":path", "string_match": {"safe_regex": {"regex": "/t[?].*"}}}]},
    {"prefix": "/"},
]
_PATHS = [
    *("/é".encode(), b"/\xe9", "/É".encode(), "/é/a".encode(), "/ü/a".encode(), "/üa".encode(), b"/\xfc"),
    *("/Àb".encode(), "/ÀB".encode(), "/àb".encode(), "/àB".encode()),
    *(b"/x\xff", "/xé".encode(), b"/y\x80", "/yé".encode(), "/zéé".encode(), b"/z\xc3\xa9\xa9", b"/w\xff"),
    *("/wÿ".encode(), "/vé".encode(), b"/v\xff", b"/v\xff\x80"),
    *("/q?q=é".encode(), b"/q?q=\xe9", b"/q?q=%C3%A9", "/té".encode(), "/t?é".encode(), b"/t?\xe9", b"/t?a"),
]
_VALUES = [
    "é".encode(),
    b"\xe9",
    "É".encode(),
    "éb".encode(),
    "ÉB".encode(),
    "xéx".encode(),
    b"a\xe9",
    "aé".encode(),
    b"\xffb",
]


def _hosts() -> list[dict[str, Any]]:
    routes = [
        {"name": f"{index}", "match": match, "direct_response": {"status": 200}} for index, match in enumerate(_MATCHES)
    ]
    return [{"name": "all", "domains": ["*"], "routes": routes}]


def _answer(port: int, path: bytes, headers: dict[bytes, bytes]) -> str:
    """The name of the route that answers over HTTP/2, or the status."""
    settings = h2.config.H2Configuration(header_encoding=None, validate_outbound_headers=False)
    connection = h2.connection.H2Connection(settings)
    connection.initiate_connection()
    pseudo = {b":method": b"GET", b":scheme": b"http", b":authority": b"x.test", b":path": path}
    connection.send_headers(1, [*pseudo.items(), *headers.items()], end_stream=True)
    status, body = b"", b""
    with socket.create_connection((LOOPBACK, port), timeout=10) as client:
        client.sendall(connection.data_to_send())
        while received := client.recv(65536):
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.ResponseReceived):
                    status = dict(event.headers)[b":status"]
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                if isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    return body.decode() if status == b"200" else status.decode() or "reset"
            client.sendall(connection.data_to_send())
    return "closed"


def test_envoy_and_the_regions_agree_on_every_byte_above_127(tmp_path: Path) -> None:
    found = regions(resources(_hosts()))
    requests = [(path, b"") for path in _PATHS] + list(product([b"/h"], _VALUES))
    wrong = []
    with naming_envoy([_hosts()], tmp_path) as (port,):
        for target, value in requests:
            path, _mark, query = target.decode("latin-1").partition("?")
            name, _equals, text = query.partition("=")
            parts = {"host": "tset.x", ":method": "GET", "path": path, ":path": target.decode("latin-1")}
            parts |= {f"?{name}": text} if query else {}
            parts |= {"x-one": value.decode("latin-1")} if value else {}
            takers = [each.route.name for each in found if parts in each.requests]
            answer = _answer(port, target, {b"x-one": value} if value else {})
            if takers != [answer]:
                wrong.append((target, value, takers, answer))

    assert wrong == []
    assert [each.undecided for each in found if each.undecided] == []
