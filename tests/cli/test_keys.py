"""`authz keys` against the running sidecar: trusted keys, changes, and the message if there is no response."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from authz.cli.main import main
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import free_port
from tests.fakes.keys import ec_key, jwk, jwks
from tests.fakes.keyserver import KeyServer
from tests.fakes.waiting import until

_CONFIG = """\
node:
  cluster: test
  metadata:
    authz:
      issuers:
        filed: {{ profile: oidc, issuer: "https://a.example.com", audiences: any, jwks_file: {file} }}
"""


@dataclass(frozen=True)
class Sidecar:
    admin: str
    file: Path


@pytest.fixture(scope="module")
def sidecar() -> Iterator[Sidecar]:
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name, Children(Path(name)) as children:
        file, config, admin = Path(name) / "jwks.json", Path(name) / "envoy.yaml", f"127.0.0.1:{free_port()}"
        file.write_bytes(jwks(jwk(ec_key(0), "old")))
        config.write_text(_CONFIG.format(file=file), encoding="utf-8")
        command = [sys.executable, "-m", "authz", "serve", "--envoy-config", str(config), "--admin", admin]
        command += ["--listen", f"unix:{name}/authz.sock"]
        child = children.start("sidecar", command, child_environment())
        children.wait_until_ready(child, f"http://{admin}/readyz", 30)
        yield Sidecar(admin, file)


def test_keys_in_use_are_shown_with_their_age(sidecar: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--admin", sidecar.admin]) == 0
    out = capsys.readouterr().out

    assert out.startswith("1 worker\nfiled  fetched ")
    assert "'old'  ES256  since " in out
    assert "ago)" in out


def test_json_is_the_sidecars_own_page(sidecar: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--admin", sidecar.admin, "--output", "json"]) == 0

    assert json.loads(capsys.readouterr().out)["issuers"][0]["keys"][0]["kid"] == "old"


def test_watching_tells_a_rotation_as_it_happens(sidecar: Sidecar) -> None:
    command = [sys.executable, "-m", "authz", "keys", "--admin", sidecar.admin, "--watch", "--every", "0.2"]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watching:
        assert watching.stdout is not None
        reader = threading.Thread(target=lambda: lines.extend(watching.stdout or ()), daemon=True)
        reader.start()
        try:
            until(lambda: any("'old'" in line for line in lines), 30)
            sidecar.file.write_bytes(jwks(jwk(ec_key(0), "old"), jwk(ec_key(1), "new")))
            until(lambda: any("+ filed 'new' in 1 of 1 workers" in line for line in lines), 30)
            sidecar.file.write_bytes(jwks(jwk(ec_key(1), "new")))
            until(lambda: any("- filed 'old'" in line for line in lines), 30)
        finally:
            watching.terminate()
            watching.wait(10)
    assert len(lines) == len(set(lines))


def test_keys_that_share_a_kid_or_have_none_are_shown_one_by_one(
    sidecar: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    sidecar.file.write_bytes(jwks(jwk(ec_key(0), None), jwk(ec_key(1), None), jwk(ec_key(2), "b")))

    until(lambda: len(_keys(sidecar, capsys)) == 3, 30)

    assert _keys(sidecar, capsys) == [("", 1), ("", 1), ("b", 1)]
    sidecar.file.write_bytes(jwks(jwk(ec_key(0), "old")))
    until(lambda: _keys(sidecar, capsys) == [("old", 1)], 30)


def _keys(sidecar: Sidecar, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, int]]:
    main(["keys", "--admin", sidecar.admin, "--output", "json"])
    return [(key["kid"], key["workers"]) for key in json.loads(capsys.readouterr().out)["issuers"][0]["keys"]]


@pytest.mark.parametrize("path", ["", "/", "/keys"])
def test_the_admin_address_can_be_a_url(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    with KeyServer(b'{"workers": 1, "issuers": []}') as server:
        assert main(["keys", "--admin", f"{server.origin}{path}"]) == 1

    assert "1 worker" in capsys.readouterr().out


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:9464", "http://127.0.0.1:9464/metrics", "http://u@127.0.0.1", "http://", "http://a:b"]
)
def test_a_url_that_is_no_admin_address_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--admin", url]) == 2

    assert "write HOST:PORT or a URL" in capsys.readouterr().err


def test_issuer_without_keys_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    page = {
        "workers": 1,
        "issuers": [{"alias": "a", "keys": [], "dropped": [], "last_refresh": None, "last_result": "timeout"}],
    }
    with KeyServer(json.dumps(page).encode()) as server:
        assert main(["keys", "--admin", f"127.0.0.1:{server.port}"]) == 1

    assert "never fetched, then timeout" in capsys.readouterr().out


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"workers": 1, "issuers": [1]}', b"\xff", b"[" * 100_000])
def test_answer_that_is_none_of_a_sidecars_is_a_sentence_and_1(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with KeyServer(body) as server:
        assert main(["keys", "--admin", f"127.0.0.1:{server.port}"]) == 1

    assert "--admin" in capsys.readouterr().err


def test_nobody_there_is_a_sentence_and_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--admin", f"127.0.0.1:{free_port()}"]) == 1

    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--admin", "nowhere"], ["--every", "0"]])
def test_invalid_option_is_one_sentence_and_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", *arguments]) == 2

    assert "write" in capsys.readouterr().err
