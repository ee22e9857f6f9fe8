"""The same scalars, read by real Envoy: its node metadata equals the result of our reader."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from authz.envoy.document import read
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import envoy_command, free_port

_CONFIG = """\
!ignore templates:
- &loopback {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
admin: {{ address: *loopback }}
node:
  id: a
  cluster: b
  metadata:
    !ignore dropped: {{ a: 1 }}
    words: {{ a: yes, b: No, c: oN, d: y, e: TRUE, f: tRue, g: off, h: "yes", i: 'true', j: n, k: Y }}
    nothing: {{ a: ~, b: null, c: NULL, d: nULL, e: , f: "~", g: Null, h: '' }}
    numbers: {{ a: 12, b: 010, c: 0x1F, d: +5, e: -3, f: 09, g: 1_000, h: 0o17, i: 12:30:45, j: 00, k: -010 }}
    texts: {{ a: .inf, b: .NaN, c: 2001-01-01, d: "12" }}
    tags: {{ a: !!str 12, b: ! 12, c: !!str "true", d: !!int "7", e: ! true, f: !foo true, g: !!str ~, h: ! ~ }}
    tagged_further: {{ a: !!bool 'yes', b: !!null "x", c: &x ! true, d: ! &y true }}
    block:
      a: |
        true
      b: >-
        12
    keys: {{ "yes": 1, no: 2, 4: 5 }}
"""


@pytest.fixture(scope="module")
def text() -> str:
    return _CONFIG.format(port=free_port())


@pytest.fixture(scope="module")
def envoys(text: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory: Path = tmp_path_factory.mktemp("envoy")
    (directory / "envoy.yaml").write_text(text, encoding="utf-8")
    port = read(text, "f").data["admin"]["address"]["socket_address"]["port_value"]
    command = [envoy_command(), "-c", f"{directory}/envoy.yaml", "--disable-hot-restart", "--concurrency", "1"]
    with Children(directory) as children:
        envoy = children.start("envoy", [*command, "--log-level", "error"], child_environment())
        children.wait_until_ready(envoy, f"http://127.0.0.1:{port}/server_info")
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/server_info")
        node = json.loads(connection.getresponse().read())["node"]
        connection.close()
    return node["metadata"]


def test_envoy_resolves_scalars_tags_and_ignored_keys_as_our_reader_does(text: str, envoys: Any) -> None:
    assert read(text, "f").data["node"]["metadata"] == envoys


def test_words_and_numbers_keep_their_type(text: str, envoys: Any) -> None:
    """Python holds True and 1 for equal: the types are compared by themselves."""
    ours = read(text, "f").data["node"]["metadata"]

    for group, values in envoys.items():
        assert {key: type(value) for key, value in values.items()} == {
            key: type(value) for key, value in ours[group].items()
        }
