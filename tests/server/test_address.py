"""Free addresses, and the owners of taken ones."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from authz.server.address import is_address, is_remote, parse_tcp, require_free, socket_mode
from authz.server.engine import CannotListen
from authz.tools.processes.machine import free_port


@pytest.fixture
def folder() -> Iterator[Path]:
    """One with a short path."""
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
        yield Path(name)


def refusal(address: str) -> str:
    with pytest.raises(CannotListen) as caught:
        require_free(address)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9191", ("127.0.0.1", 9191)),
        ("[::1]:9191", ("::1", 9191)),
        ("localhost:1", ("localhost", 1)),
        ("127.0.0.1", None),
        (":9191", None),
        ("127.0.0.1:65536", None),
        ("127.0.0.1:-1", None),
        ("example.com:80", None),
        ("127.0.0.1:80\n", None),
        ("", None),
    ],
)
def test_tcp_address_is_an_ip_and_a_port(text: str, expected: tuple[str, int] | None) -> None:
    assert parse_tcp(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("unix:/run/a.sock", True), ("unix:a.sock", False), ("/run/a.sock", False), ("unix-abstract:a", False)],
)
def test_socket_path_is_absolute(text: str, expected: bool) -> None:  # noqa: FBT001
    assert is_address(text) is expected


def test_path_that_nobody_has_is_free(folder: Path) -> None:
    require_free(f"unix:{folder}/a.sock")


def test_socket_that_nobody_serves_is_removed(folder: Path) -> None:
    path = folder / "a.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    assert path.exists()

    require_free(f"unix:{path}")

    assert not path.exists()


def test_socket_that_somebody_serves_stays_and_its_owner_is_named(folder: Path) -> None:
    path = folder / "a.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        said = refusal(f"unix:{path}")

        assert f"process {os.getpid()} (" in said
        assert path.exists()


def test_socket_whose_owner_is_too_busy_to_answer_is_not_taken_over(folder: Path) -> None:
    path = folder / "a.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as waiting:
        server.bind(str(path))
        server.listen(0)
        waiting.connect(str(path))

        assert "does not answer" in refusal(f"unix:{path}")
        assert path.exists()


def test_file_that_is_no_socket_is_left_alone(folder: Path) -> None:
    path = folder / "a.sock"
    path.write_text("precious", encoding="utf-8")

    assert "is not a socket" in refusal(f"unix:{path}")
    assert path.read_text(encoding="utf-8") == "precious"


def test_symlink_to_a_socket_is_not_followed(folder: Path) -> None:
    (folder / "link.sock").symlink_to(folder / "elsewhere.sock")

    assert "is not a socket" in refusal(f"unix:{folder}/link.sock")


def test_path_that_the_kernel_would_cut_is_named(folder: Path) -> None:
    assert "longer than 107 bytes" in refusal(f"unix:{folder}/{'x' * 100}")


def test_missing_folder_is_named(folder: Path) -> None:
    assert "does not exist" in refusal(f"unix:{folder}/missing/a.sock")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    folder.chmod(0o500)

    assert "cannot be written" in refusal(f"unix:{folder}/a.sock")


def test_port_that_nobody_has_is_free() -> None:
    require_free(f"127.0.0.1:{free_port()}")


def test_port_that_somebody_has_is_said_by_whom() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = refusal(f"127.0.0.1:{server.getsockname()[1]}")

    assert f"process {os.getpid()} (" in said


def test_address_of_another_machine_cannot_be_listened_on() -> None:
    assert "cannot listen on 192.0.2.1:80" in refusal("192.0.2.1:80")


def test_text_that_is_no_address_is_answered_with_examples() -> None:
    assert "Write unix:/run/authz/authz.sock or 127.0.0.1:9191" in refusal("nowhere")


def test_sockets_made_inside_are_for_owner_and_group(folder: Path) -> None:
    before = os.umask(0o022)
    os.umask(before)
    path = folder / "a.sock"
    with socket.socket(socket.AF_UNIX) as server:
        with socket_mode():
            server.bind(str(path))

        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert os.umask(before) == before


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("unix:/run/a.sock", False),
        ("127.0.0.1:1", False),
        ("127.8.9.1:1", False),
        ("localhost:1", False),
        ("[::1]:1", False),
        ("0.0.0.0:1", True),
        ("[::]:1", True),
        ("10.1.2.3:1", True),
        ("[fd00::1]:1", True),
    ],
)
def test_an_address_is_remote_if_other_machines_can_connect_to_it(address: str, expected: bool) -> None:  # noqa: FBT001
    assert is_remote(address) is expected
