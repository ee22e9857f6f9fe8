"""`authz health` against a running sidecar and against everything else that can listen there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from authz.cli.main import main
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import free_port
from tests.fakes.keyserver import KeyServer
from tests.fakes.waiting import until

_CONFIG = """\
node:
  cluster: test
  metadata:
    authz:
      issuers:
        away: {{ profile: oidc, issuer: "https://a.example.com", audiences: any, jwks_uri: "http://127.0.0.1:{port}/" }}
"""


@pytest.fixture(scope="module")
def port_of_one_without_keys() -> Iterator[int]:
    """The admin port of a sidecar that listens on every interface, and whose issuer is away."""
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name, Children(Path(name)) as children:
        config, port = Path(name) / "envoy.yaml", free_port()
        config.write_text(_CONFIG.format(port=free_port()), encoding="utf-8")
        command = [sys.executable, "-m", "authz", "serve", "--envoy-config", str(config), "--allow-remote"]
        command += ["--admin", f"0.0.0.0:{port}", "--listen", f"unix:{name}/authz.sock"]
        children.start("sidecar", command, child_environment())
        until(lambda: main(["health", "--admin", f"127.0.0.1:{port}"]) == 0, 30)
        yield port


def test_sidecar_without_keys_is_alive_and_not_ready(
    port_of_one_without_keys: int, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = f"127.0.0.1:{port_of_one_without_keys}"
    capsys.readouterr()

    assert main(["health", "--admin", admin]) == 0
    assert json.loads(capsys.readouterr().out)["live"] is True

    def without_keys() -> list[str]:
        assert main(["health", "--admin", admin, "--ready"]) == 1
        named: list[str] = json.loads(capsys.readouterr().out)["without_keys"]
        return named

    until(lambda: without_keys() == ["away"], 30)


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])  # noqa: S104 - the address that is asked, not bound
def test_address_that_the_sidecar_serves_on_is_enough(
    port_of_one_without_keys: int, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the image has it: the same variable that `authz serve` reads."""
    monkeypatch.setenv("AUTHZ_ADMIN", f"{host}:{port_of_one_without_keys}")

    assert main(["health"]) == 0


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"live": "yes"}', b'{"ready": true}', b"\xff", b"\x1b[2J", b"[" * 100_000]
)
def test_other_server_at_the_address_is_not_healthy(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with KeyServer(body) as server:
        assert main(["health", "--admin", f"127.0.0.1:{server.port}"]) == 1

    seen = capsys.readouterr()
    assert (seen.out, "not the admin address of a sidecar" in seen.err) == ("", True)


def test_nobody_there_is_a_sentence_and_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--admin", f"[::1]:{free_port()}"]) == 1

    assert "http://[::1]:" in capsys.readouterr().err


def test_server_that_accepts_and_is_silent_ends_as_unhealthy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("authz.cli.health_command.TIMEOUT_SECONDS", 0.1)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        assert main(["health", "--admin", f"127.0.0.1:{server.getsockname()[1]}"]) == 1

    assert "timed out" in capsys.readouterr().err


@pytest.mark.parametrize("admin", ["off", "nowhere", "1.2.3:9464", "[:::]:9464", "127.0.0.1:70000", "999.1.1.1:1", ""])
def test_invalid_address_is_a_sentence_and_exit_code_2(admin: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["health", "--admin", admin])

    assert ended.value.code == 2
    assert "--admin" in capsys.readouterr().err


def test_asking_loads_no_library_beside_the_standard_one() -> None:
    """Docker runs it every few seconds."""
    program = (
        "import sys\n"
        "from authz.cli.main import main\n"
        f"main(['health', '--admin', '127.0.0.1:{free_port()}'])\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    loaded = set(done.stdout.split())
    assert not loaded & {"yaml", "grpc", "google", "jwt", "cryptography", "envoy_data_plane", "prometheus_client"}
