"""The revocation list under `authz serve`: real processes, at the start, after a reload, and when one dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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

JTI = "5f0c-jti"


def _listing(directory: Path, path: Path, **parts: Any) -> dict[str, Any]:
    """The configuration with a list."""
    written = bootstrap(directory, **parts)
    written["node"]["metadata"]["authz"]["revocations_file"] = str(path)
    return written


def _write(path: Path, *entries: dict[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"revoked": entries}), encoding="utf-8")
    new.replace(path)


def _reasons(served: Sidecar, token: str) -> set[str]:
    return {served.check(token, worker=worker) for worker in (0, 1)}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("list") / "revocations.json"


@pytest.fixture(scope="module")
def running() -> Iterator[Sidecar]:
    with sidecar() as one:
        yield one


@pytest.fixture
def served(running: Sidecar, path: Path) -> Sidecar:
    """Two workers that watch the list, which is empty."""
    probe = fresh_token(jti="probe")
    _write(path, {"jti": "probe"})
    running.write(_listing(running.directory, path))
    until(lambda: _reasons(running, probe) == {"token_revoked"}, SECONDS)
    _write(path)
    until(lambda: _reasons(running, probe) == {"ok"}, SECONDS)
    return running


def test_every_worker_takes_a_changed_list(served: Sidecar, path: Path) -> None:
    token = fresh_token()
    assert _reasons(served, token) == {"ok"}

    _write(path, {"jti": JTI})

    until(lambda: _reasons(served, token) == {"token_revoked"}, SECONDS)
    until(lambda: served.metrics()["authz_revocations_entries"] == 1, SECONDS)
    _write(path)
    until(lambda: _reasons(served, token) == {"ok"}, SECONDS)


def test_reload_keeps_the_list_takes_another_one_and_lets_it_go(served: Sidecar, path: Path, tmp_path: Path) -> None:
    token, other = fresh_token(), tmp_path / "other.json"
    _write(path, {"jti": JTI})
    until(lambda: _reasons(served, token) == {"token_revoked"}, SECONDS)

    policies = {"reading": {"scopes": ["orders/read"]}, "added": {}}
    served.write(_listing(served.directory, path, policies=policies))
    until(lambda: served.check(token, "added") == "token_revoked", SECONDS)

    _write(other)
    served.write(_listing(served.directory, other))
    until(lambda: _reasons(served, token) == {"ok"}, SECONDS)

    _write(other, {"jti": JTI})
    until(lambda: _reasons(served, token) == {"token_revoked"}, SECONDS)
    served.write(bootstrap(served.directory))
    until(lambda: _reasons(served, token) == {"ok"}, SECONDS)


def test_reload_that_names_no_list_that_can_be_read_is_refused_and_the_running_one_stays(
    served: Sidecar, path: Path, tmp_path: Path
) -> None:
    token = fresh_token()
    _write(path, {"jti": JTI})
    until(lambda: _reasons(served, token) == {"token_revoked"}, SECONDS)

    served.write(_listing(served.directory, tmp_path / "missing.json"))

    until(lambda: served.events("reload_failed"), SECONDS)
    (problem,) = served.events("reload_failed")[-1]["problems"]
    assert "missing.json': No such file or directory" in problem
    assert _reasons(served, token) == {"token_revoked"}


def test_worker_that_is_started_anew_without_a_list_refuses_tokens_until_there_is_one(
    served: Sidecar, path: Path
) -> None:
    before = len(served.events("revocations_failed"))
    path.write_text("{", encoding="utf-8")
    until(lambda: len(served.events("revocations_failed")) == before + 2, SECONDS)
    assert _reasons(served, fresh_token()) == {"ok"}

    os.kill(served.workers()[0], signal.SIGKILL)

    def listens_without_the_list() -> bool:
        missing = served.page("/readyz").data
        return bool(missing["without_revocations"]) and not missing["not_serving"]

    until(listens_without_the_list, SECONDS)
    (unready,) = served.page("/readyz").data["without_revocations"]
    number = served.addresses.index(unready)
    assert served.check(fresh_token(), worker=number) == "revocations_unavailable"
    assert served.check(None, worker=number) == "token_missing"
    assert served.check(fresh_token(), worker=1 - number) == "ok"
    _write(path)
    until(lambda: served.is_ready() and _reasons(served, fresh_token()) == {"ok"}, SECONDS)


def test_start_without_the_list_ends_with_exit_code_2_and_the_place_where_it_is_named() -> None:
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
        directory = Path(name)
        write_keys(directory)
        written = json.dumps(_listing(directory, directory / "missing.json"), indent=1)
        (directory / "envoy.yaml").write_text(written, encoding="utf-8")

        ended = subprocess.run(
            command(directory), env=sidecar_environment(), capture_output=True, text=True, timeout=SECONDS, check=False
        )

    line = written[: written.index("missing.json")].count("\n") + 1
    assert ended.returncode == 2
    assert f"envoy.yaml:{line}:" in ended.stderr
    assert "missing.json': No such file or directory" in ended.stderr
