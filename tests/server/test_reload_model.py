"""Every sequence of good and bad reloads: the last good configuration is in force, and no bad one ever."""

from __future__ import annotations

import asyncio
import copy
import io
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from authz.core.problems import ConfigurationError
from authz.envoy.settings import read_settings
from authz.observe.log import Log
from authz.server import named_files
from authz.server.messages import WorkerOptions
from authz.server.supervisor import ServeOptions, Supervisor
from tests.fakes.sidecar import bootstrap, write_keys

Change = Callable[[Path, dict[str, Any]], None]


def _policy(name: str) -> Change:
    def change(_directory: Path, issuer: dict[str, Any]) -> None:
        issuer["leeway"] = name

    return change


def _file(field: str, content: bytes | None, **also: str) -> Change:
    def change(directory: Path, issuer: dict[str, Any]) -> None:
        path = directory / f"mistyped-{field}"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        if field != "jwks_file":
            del issuer["jwks_file"]
        issuer.update({field: str(path), **also})

    return change


def _mistake(_directory: Path, issuer: dict[str, Any]) -> None:
    issuer["client_idss"] = ["x"]


URI = {"jwks_uri": "https://idp.example.com/jwks"}
GOOD: dict[str, Change] = {"one": _policy("1s"), "two": _policy("2s")}
BAD: dict[str, Change] = {
    "mistake": _mistake,
    "jwks_file missing": _file("jwks_file", None),
    "jwks_file empty": _file("jwks_file", b""),
    "jwks_file without keys": _file("jwks_file", b'{"keys":[]}'),
    "ca_file missing": _file("ca_file", None, **URI),
    "ca_file is no PEM": _file("ca_file", b"x", **URI),
    "bearer_token_file missing": _file("bearer_token_file", None, **URI),
    "bearer_token_file with two": _file("bearer_token_file", b"a b", **URI),
}


def _text(directory: Path, change: Change) -> str:
    document = copy.deepcopy(bootstrap(directory, 1))
    change(directory, document["node"]["metadata"]["authz"]["issuers"]["cognito"])
    return json.dumps(document, indent=1)


def _read(text: str) -> Any:
    return read_settings(text, "envoy.yaml", need_endpoints=True, check_files=named_files.check)


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_an_error_with_its_line(tmp_path: Path, name: str) -> None:
    write_keys(tmp_path)
    text = _text(tmp_path, BAD[name])

    with pytest.raises(ConfigurationError) as wrong:
        _read(text)

    field = "client_idss" if name == "mistake" else name.split(maxsplit=1)[0]
    (problem,) = wrong.value.problems
    line = text[: text.index(f'"{field}"')].count("\n") + 1
    assert str(problem.location).startswith(f"envoy.yaml:{line}:")
    assert problem.fix


def _supervisor(directory: Path, in_force: list[str]) -> Supervisor:
    text = _text(directory, GOOD["one"])
    options = ServeOptions(directory / "envoy.yaml", (), "", (), 1.0, WorkerOptions("h2", "error", "json", 1.0))
    supervisor = Supervisor(options, _read(text), Log("error", "json", io.StringIO()))

    def configure(authz: Any, _realm: str) -> None:
        in_force.append(authz["issuers"]["cognito"].get("leeway", "bad"))

    supervisor._pool.configure = configure  # type: ignore[method-assign, assignment]
    supervisor._apply(supervisor._settings)
    return supervisor


def _run(directory: Path) -> None:
    for events in product(GOOD | BAD, repeat=2):
        in_force: list[str] = []
        supervisor, expected = _supervisor(directory, in_force), "1s"
        for event in events:
            text = _text(directory, (GOOD | BAD)[event])
            asyncio.run(supervisor._reread(text.encode()))
            expected = {"one": "1s", "two": "2s"}.get(event, expected)
            assert in_force[-1] == expected, events
            assert supervisor._settings.authz["issuers"]["cognito"]["leeway"] == expected, events


def test_no_sequence_of_reloads_puts_a_bad_configuration_into_force(tmp_path: Path) -> None:
    write_keys(tmp_path)

    _run(tmp_path)


def test_the_model_finds_a_planted_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that was here: only the revocation list was read."""
    write_keys(tmp_path)
    monkeypatch.setattr(named_files, "_reads_of", lambda _issuer: {})

    with pytest.raises(AssertionError, match="jwks_file"):
        _run(tmp_path)


def test_a_reload_that_failed_is_tried_again_for_its_file_can_arrive_later(tmp_path: Path) -> None:
    write_keys(tmp_path)
    in_force: list[str] = []
    supervisor = _supervisor(tmp_path, in_force)
    text = _text(tmp_path, BAD["jwks_file missing"])

    asyncio.run(supervisor._reread(text.encode()))
    assert supervisor._retry_at < float("inf")
    (tmp_path / "mistyped-jwks_file").write_bytes((tmp_path / "jwks.json").read_bytes())
    asyncio.run(supervisor._reread(text.encode(), is_retry=True))

    assert in_force == ["1s", "bad"]
    assert supervisor._retry_at == float("inf")
