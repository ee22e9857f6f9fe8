"""Who owns a socket path: one `authz serve` of many, until it ends; and what happens if the file disappears."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest

from authz.server.engine import CannotListen
from authz.server.listener import ListeningSocket
from authz.server.socket_lock import SocketLock
from tests.fakes.sidecar import (
    SECONDS,
    Sidecar,
    bootstrap,
    command,
    fresh_token,
    sidecar,
    sidecar_environment,
    write_keys,
)
from tests.fakes.waiting import until


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
        write_keys(Path(name))
        (Path(name) / "envoy.yaml").write_text(json.dumps(bootstrap(Path(name), 1)), encoding="utf-8")
        yield Path(name)


@pytest.mark.parametrize("engine", ["h2", "grpc"])
def test_of_four_that_start_at_once_one_serves_and_the_others_name_it(directory: Path, engine: str) -> None:
    processes = [
        subprocess.Popen(
            command(directory, "--admin", "off", "--engine", engine),
            env=sidecar_environment(),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        until(lambda: sum(process.poll() is not None for process in processes) == 3, 2 * SECONDS)
        (winner,) = (process for process in processes if process.poll() is None)
        for loser in processes:
            if loser is not winner:
                assert loser.returncode == 3
                assert loser.stderr is not None
                assert f"process {winner.pid} (" in loser.stderr.read()
        one = Sidecar(directory, None, "", (f"unix:{directory}/authz-0.sock",))  # type: ignore[arg-type]
        until(lambda: one.health() == "SERVING", SECONDS)
        until(lambda: one.check(fresh_token()) == "ok", SECONDS)
    finally:
        for process in processes:
            process.kill()
            process.wait(SECONDS)
            assert process.stderr is not None
            process.stderr.close()


def test_a_lock_is_held_by_one_and_free_when_its_owner_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    first = SocketLock(path)

    with pytest.raises(CannotListen, match=f"process {os.getpid()} .* serves"):
        SocketLock(path)
    first.release()

    SocketLock(path).release()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="the directory of the socket does not exist"):
        SocketLock(tmp_path / "nowhere" / "a.sock")


def test_a_lock_file_that_is_a_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "a.sock.lock").symlink_to(tmp_path / "victim")

    with pytest.raises(CannotListen, match="cannot open the lock file"):
        SocketLock(tmp_path / "a.sock")

    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("engine", ["h2", "grpc"])
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_socket_that_is_gone_is_noticed_within_seconds_and_bound_again(engine: str, how: str) -> None:
    with sidecar(1, "--engine", engine) as one:
        path = one.directory / "authz-0.sock"
        token = fresh_token()
        assert one.check(token) == "ok"

        path.unlink()
        if how == "replaced":  # and no process listens there any more
            other = ListeningSocket(f"unix:{path}")
            other.socket.close()

        until(lambda: one.events("socket_lost"), 5)
        until(lambda: _answers(one, token), SECONDS)
        until(one.is_ready, SECONDS)
        assert one.end() == 0


def _answers(one: Sidecar, token: str) -> bool:
    try:
        return one.check(token) == "ok"
    except Exception:  # noqa: BLE001 - not yet
        return False


def test_a_socket_that_another_process_took_ends_the_sidecar_with_its_name() -> None:
    with sidecar(1) as one:
        path = one.directory / "authz-0.sock"
        path.unlink()
        other = ListeningSocket(f"unix:{path}")

        assert one.child.process.wait(SECONDS) == 3
        assert f"process {os.getpid()} (" in str(one.events("cannot_listen") + one.events("worker_not_started"))
        assert path.exists(), "the socket of another process is left alone"
        other.close()


# --- one worker only


class Stream:
    """Checks one after another, each on a connection of its own, until it is stopped."""

    def __init__(self, one: Sidecar) -> None:
        self._one = one
        self._token = fresh_token()
        self._stop = Event()
        self.failures: list[str] = []
        self.longest = 0.0
        self.answers = 0
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                answer = self._one.check(self._token)
                if answer != "ok":
                    self.failures.append(answer)
            except Exception as error:  # noqa: BLE001 - counted
                self.failures.append(str(error))
            self.longest = max(self.longest, time.monotonic() - began)
            self.answers += 1


def test_the_only_worker_that_is_told_to_end_has_a_successor_before_it_stops() -> None:
    with sidecar(1) as one, Stream(one) as stream:
        before = one.workers()
        until(lambda: stream.answers > 10, SECONDS)

        os.kill(before[0], signal.SIGTERM)

        until(lambda: set(one.workers()) > set(before), SECONDS)  # both at once
        os.kill(before[0], signal.SIGKILL)
        until(lambda: one.workers() and not set(one.workers()) & set(before) and one.is_ready(), SECONDS)
        until(lambda: stream.answers > 30, SECONDS)
    assert len(stream.failures) <= 1, "only the call that the killed worker had in its hands"


def test_no_connection_is_refused_while_the_only_worker_is_being_replaced() -> None:
    with sidecar(1) as one, Stream(one) as stream:
        until(lambda: stream.answers > 10, SECONDS)
        before = one.workers()

        os.kill(before[0], signal.SIGKILL)

        until(lambda: one.workers() not in ([], before) and one.is_ready(), SECONDS)
        answers = stream.answers
        until(lambda: stream.answers > answers + 10, SECONDS)
    assert len(stream.failures) <= 1, "only the call that the killed worker had in its hands"
    print(f"longest wait of a new connection: {stream.longest:.2f} s")  # noqa: T201 - quoted in docs/operations.md


def test_counts_of_a_worker_that_leaves_and_of_its_successor_add_up() -> None:
    sample = 'authz_checks_total{issuer="cognito",outcome="allow",policy="reading",reason="ok"}'
    with sidecar(1) as one:
        token = fresh_token()
        assert one.check(token) == "ok"
        until(lambda: one.metrics()[sample] == 1, SECONDS)
        before = one.workers()

        os.kill(before[0], signal.SIGTERM)

        until(lambda: len(one.workers()) == 1 and one.workers() != before and one.is_ready(), SECONDS)
        assert one.check(token) == "ok"
        until(lambda: one.metrics()[sample] == 2, SECONDS)
        assert one.end() == 0
        assert not (one.directory / "authz-0.sock").exists()
