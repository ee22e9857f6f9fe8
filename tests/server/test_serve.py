"""`authz serve` as people run it: real processes on a configuration with two endpoints."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from authz.tools.processes.machine import LOOPBACK, free_port
from tests.fakes.keys import rsa_key
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


@pytest.fixture(scope="module")
def served() -> Iterator[Sidecar]:
    """For tests that only look."""
    with sidecar() as one:
        yield one


@pytest.fixture
def own() -> Iterator[Sidecar]:
    """For tests that break something."""
    with sidecar() as one:
        yield one


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
        write_keys(Path(name))
        (Path(name) / "envoy.yaml").write_text(json.dumps(bootstrap(Path(name))), encoding="utf-8")
        yield Path(name)


def run(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A `serve` that must end by itself."""
    return subprocess.run(
        command(directory, *arguments),
        env=sidecar_environment(**environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


# --- serving


@pytest.mark.parametrize("worker", [0, 1])
def test_every_endpoint_of_the_cluster_has_a_worker(served: Sidecar, worker: int) -> None:
    assert served.check(fresh_token(), worker=worker) == "ok"
    assert served.check(None, worker=worker) == "token_missing"
    assert served.health(worker) == "SERVING"


def test_health_names_the_service_and_no_other(served: Sidecar) -> None:
    assert served.health(service="envoy.service.auth.v3.Authorization") == "SERVING"
    assert served.health(service="some.other.Service") == "NOT_FOUND"


def test_sockets_are_for_owner_and_group_only(served: Sidecar) -> None:
    modes = {stat.S_IMODE((served.directory / f"authz-{number}.sock").stat().st_mode) for number in (0, 1)}

    assert modes == {0o660}


def test_neither_the_supervisor_nor_its_workers_load_grpc(served: Sidecar) -> None:
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in (served.child.process.pid, *served.workers())]

    assert ["cygrpc" in text for text in maps] == [False, False, False]


def test_probes_answer(served: Sidecar) -> None:
    assert served.page("/livez").data == {"live": True, "stuck": []}
    assert served.page("/readyz").data == {
        "ready": True,
        "not_serving": [],
        "without_keys": [],
        "without_revocations": [],
    }
    assert served.page("/").status == 404


def test_keys_page_says_which_keys_are_here(served: Sidecar) -> None:
    page = served.page("/keys").data

    assert page["workers"] == 2
    (issuer,) = page["issuers"]
    assert (issuer["alias"], issuer["last_result"]) == ("cognito", "ok")
    (key,) = issuer["keys"]
    assert (key["kid"], key["workers"]) == ("cognito-1", 2)
    assert issuer["last_refresh"] == pytest.approx(time.time(), abs=300)


def test_metrics_of_both_workers_are_on_one_page(served: Sidecar) -> None:
    sample = 'authz_checks_total{issuer="cognito",outcome="deny",policy="reading",reason="scope_insufficient"}'
    before = served.metrics()[sample]

    for worker in (0, 1, 1):
        assert served.check(fresh_token(scope="x"), worker=worker) == "scope_insufficient"

    until(lambda: served.metrics()[sample] == before + 3, SECONDS)
    assert served.metrics()["authz_workers"] == 2


def test_every_label_is_there_before_it_is_needed(served: Sidecar) -> None:
    names = served.metrics()

    for policy in ("reading", "extra", "authenticated"):
        assert f'authz_checks_total{{issuer="cognito",outcome="allow",policy="{policy}",reason="ok"}}' in names
    assert 'authz_checks_total{issuer="",outcome="deny",policy="deny",reason="denied"}' in names
    assert 'authz_checks_total{issuer="",outcome="error",policy="",reason="internal_error"}' in names
    assert any(name.startswith("authz_build_info{") and 'engine="h2"' in name for name in names)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_metrics_page_satisfies_promtool(served: Sidecar) -> None:
    page = served.page("/metrics").body

    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, timeout=SECONDS, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_stranger_adds_no_series(served: Sidecar) -> None:
    before = set(served.metrics())
    for number in range(50):
        served.check(fresh_token(iss=f"https://evil{number}.example.com", sub=f"s{number}"))
        served.check(f"a{number}.b.c")
    total = 'authz_checks_total{issuer="",outcome="deny",policy="reading",reason="issuer_unknown"}'
    until(lambda: served.metrics()[total] >= 50, SECONDS)

    assert set(served.metrics()) == before


@pytest.mark.parametrize("engine", ["h2", "grpc"])
def test_either_engine_serves_where_it_is_asked_for(engine: str) -> None:
    with sidecar(1, "--engine", engine) as one:
        assert one.check(fresh_token()) == "ok"
        assert one.health() == "SERVING"
        assert one.first("serving")["engine"] == engine
        assert any(name.startswith("authz_build_info{") and f'engine="{engine}"' in name for name in one.metrics())
        assert one.end() == 0


# --- ends and beginnings


def test_a_worker_that_is_killed_comes_back_and_its_counts_stay(own: Sidecar) -> None:
    sample = 'authz_checks_total{issuer="cognito",outcome="allow",policy="reading",reason="ok"}'
    token = fresh_token()
    for worker in (0, 1):
        assert own.check(token, worker=worker) == "ok"
    until(lambda: own.metrics()[sample] == 2, SECONDS)
    before = own.workers()

    os.kill(before[0], signal.SIGKILL)

    until(lambda: len(own.workers()) == 2 and own.workers() != before and own.is_ready(), SECONDS)
    assert own.metrics()[sample] == 2
    assert {own.check(token, worker=worker) for worker in (0, 1)} == {"ok"}
    until(lambda: own.metrics()[sample] == 4, SECONDS)
    assert own.first("worker_ended")["exit_code"] == -signal.SIGKILL


def test_a_worker_that_keeps_dying_comes_back_every_time(own: Sidecar) -> None:
    for _ in range(3):
        until(lambda: len(own.workers()) == 2 and own.is_ready(), SECONDS)
        os.kill(own.workers()[-1], signal.SIGKILL)
        until(lambda: not own.is_ready(), SECONDS)

    until(own.is_ready, SECONDS)
    own.first("worker_ended", wanted=3)
    assert len(own.events("worker_ended")) == 3


def test_a_worker_that_is_told_to_end_is_unhealthy_serves_on_and_ends_well(own: Sidecar) -> None:
    worker = own.workers()[0]
    token = fresh_token()

    os.kill(worker, signal.SIGTERM)

    until(lambda: "NOT_SERVING" in {own.health(0), own.health(1)}, SECONDS)
    assert {own.check(token, worker=number) for number in (0, 1)} == {"ok"}
    until(lambda: own.events("worker_ended"), SECONDS)
    assert own.first("worker_ended")["exit_code"] == 0
    until(own.is_ready, SECONDS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_sidecar_that_is_told_to_end_is_a_lame_duck_first(own: Sidecar, number: int) -> None:
    workers = own.workers()
    os.kill(own.child.process.pid, number)

    until(lambda: own.health(0) == own.health(1) == "NOT_SERVING", SECONDS)
    assert own.check(fresh_token()) == "ok"
    assert own.page("/readyz").status == 503

    assert own.child.process.wait(SECONDS) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert "Traceback" not in own.child.tail(100)


def test_a_draining_sidecar_serves_as_long_as_somebody_asks() -> None:
    with sidecar(1, "--drain", "60s") as one:
        token = fresh_token()
        os.kill(one.child.process.pid, signal.SIGTERM)
        until(lambda: one.health() == "NOT_SERVING", SECONDS)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert one.check(token) == "ok"
            time.sleep(0.1)

        assert one.child.process.poll() is None
        assert one.child.process.wait(SECONDS) == 0


def test_a_drain_of_no_time_ends_at_once() -> None:
    with sidecar(1, AUTHZ_DRAIN="0s") as one:
        assert one.end() == 0


def test_workers_of_a_supervisor_that_was_killed_end_by_themselves(own: Sidecar) -> None:
    workers = own.workers()
    assert len(workers) == 2

    own.end(signal.SIGKILL)

    until(lambda: not any(_runs(pid) for pid in workers), SECONDS)


# --- reloads


LOOSER = {"reading": {"scopes": ["orders/read"]}, "new": {"scopes": ["orders/new"]}}


def test_a_changed_file_takes_effect(own: Sidecar) -> None:
    assert own.check(fresh_token(scope="orders/new"), "new") == "policy_invalid"

    own.write(bootstrap(own.directory, policies=LOOSER))

    until(lambda: {own.check(fresh_token(scope="orders/new"), "new", worker) for worker in (0, 1)} == {"ok"}, SECONDS)
    assert own.metrics()['authz_config_reloads_total{result="success"}'] == 2


def test_a_hangup_signal_reads_the_file_again(own: Sidecar) -> None:
    os.kill(own.child.process.pid, signal.SIGHUP)

    until(lambda: own.metrics()['authz_config_reloads_total{result="success"}'] == 2, SECONDS)
    assert own.check(fresh_token()) == "ok"


def test_a_config_map_that_is_swapped_by_its_symlink_takes_effect(directory: Path) -> None:
    """Kubernetes writes a new folder and turns one symlink, `..data`, to it."""
    for name, policies in (("v1", None), ("v2", LOOSER)):
        (directory / name).mkdir()
        text = json.dumps(bootstrap(directory, policies=policies))
        (directory / name / "envoy.yaml").write_text(text, encoding="utf-8")
    (directory / "..data").symlink_to("v1")
    (directory / "envoy.yaml").unlink()
    (directory / "envoy.yaml").symlink_to("..data/envoy.yaml")
    admin = f"{LOOPBACK}:{free_port()}"
    process = subprocess.Popen(
        command(directory, "--admin", admin),
        env=sidecar_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        one = Sidecar(directory, None, admin, (f"unix:{directory}/authz-0.sock",))  # type: ignore[arg-type]
        until(one.is_ready, SECONDS)
        assert one.check(fresh_token(scope="orders/new"), "new") == "policy_invalid"

        (directory / "..data_tmp").symlink_to("v2")
        (directory / "..data_tmp").rename(directory / "..data")

        until(lambda: one.check(fresh_token(scope="orders/new"), "new") == "ok", SECONDS)
    finally:
        process.terminate()
        assert process.wait(SECONDS) == 0


WRONG_FILES: tuple[bytes, ...] = (
    b"not: [yaml",
    b"{}",
    b"\xff\xfe\x00",
    b'{"node": {"cluster": "x", "metadata": {"authz": {"issuers": {"a": {"profile": "nonsense"}}}}}}',
)


def test_a_bad_file_is_reported_and_changes_nothing(own: Sidecar) -> None:
    for count, wrong in enumerate(WRONG_FILES, start=1):
        own.write(wrong)

        until(partial(_has_refused, own, count), SECONDS)
        assert own.check(fresh_token()) == "ok"
        assert own.is_ready()
        assert str(own.file) in str(own.events("reload_failed")[-1]["problems"])

    own.write(bootstrap(own.directory, policies=LOOSER))
    until(lambda: own.check(fresh_token(scope="orders/new"), "new") == "ok", SECONDS)


def _has_refused(one: Sidecar, files: int) -> bool:
    """Both in the count and in the log, which a thread of its own writes."""
    counted = one.metrics()['authz_config_reloads_total{result="failure"}'] == files
    return counted and len(one.events("reload_failed")) == files


def test_a_file_that_is_gone_when_it_is_asked_for_is_reported(own: Sidecar) -> None:
    own.file.unlink()
    os.kill(own.child.process.pid, signal.SIGHUP)

    until(lambda: own.metrics()['authz_config_reloads_total{result="failure"}'] == 1, SECONDS)
    assert own.check(fresh_token()) == "ok"


def test_endpoints_that_change_are_said_to_need_a_restart(own: Sidecar) -> None:
    own.write(bootstrap(own.directory, workers=3))

    until(lambda: own.events("endpoints_need_a_restart"), SECONDS)
    assert len(own.workers()) == 2


# --- the operator's mistakes


def test_all_mistakes_are_reported_at_once_with_their_places(directory: Path) -> None:
    configuration = bootstrap(directory)
    authz = configuration["node"]["metadata"]["authz"]
    authz["issuers"]["cognito"]["profile"] = "cognitoo"
    authz["issuers"]["partner"] = {"profile": "oidc", "issuer": "http://idp.example.com", "audiences": []}
    authz["policies"]["typo"] = {"scpoes": ["x"]}
    (directory / "envoy.yaml").write_text(json.dumps(configuration, indent=1), encoding="utf-8")

    ended = run(directory)

    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) >= 5
    assert all(line.startswith(f"{directory}/envoy.yaml:") for line in lines[:-1])
    assert "errors in" in lines[-1]
    for word in ("cognitoo", "http://idp.example.com", "scpoes"):
        assert word in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("--listen", "127.0.0.1"), {}, "--listen '127.0.0.1'"),
        (("--listen", "unix:relative"), {}, "unix:/run/authz/authz.sock"),
        (("--admin", "nowhere"), {}, "--admin 'nowhere'"),
        (("--drain", "soon"), {}, "--drain 'soon'"),
        (("--drain", "5h"), {}, "--drain '5h': write seconds from 0s to 3600s, such as 20s"),
        (("--engine", "turbo"), {}, "invalid choice: 'turbo'"),
        ((), {"AUTHZ_ENGINE": "turbo"}, "AUTHZ_ENGINE=turbo: write one of h2, grpc"),
        ((), {"AUTHZ_LOG_LEVEL": "loud"}, "AUTHZ_LOG_LEVEL=loud"),
        ((), {"AUTHZ_LOG_FORMAT": "xml"}, "AUTHZ_LOG_FORMAT=xml"),
        ((), {"AUTHZ_LISTEN": "127.0.0.1"}, "--listen '127.0.0.1'"),
        ((), {"AUTHZ_ADMIN": "x"}, "--admin 'x'"),
        (("--listen", "0.0.0.0:9191"), {}, "0.0.0.0:9191: other machines can reach this address"),
        (("--listen", "unix:/tmp/a.sock", "--listen", "[::]:9191"), {}, "add --allow-remote"),
        ((), {"AUTHZ_LISTEN": "10.1.2.3:9191"}, "Use a Unix socket or 127.0.0.1"),
        (("--admin", "0.0.0.0:9464"), {}, "--admin 0.0.0.0:9464: other machines can reach this address"),
        (("--admin-host", "a:9464"), {}, "--admin-host 'a:9464': write a name without port"),
    ],
)
def test_a_wrong_option_is_named_with_what_to_write(
    directory: Path, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    ended = run(directory, *arguments, **environment)

    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_remote_address_is_served_if_it_is_allowed(how: str) -> None:
    port = free_port()
    arguments = ("--listen", f"0.0.0.0:{port}", *(("--allow-remote",) if how == "option" else ()))
    environment = {} if how == "option" else {"AUTHZ_ALLOW_REMOTE": "true"}
    with sidecar(1, *arguments, **environment) as one:
        assert one.first("serving")["address"] == f"0.0.0.0:{port}"


def test_a_file_that_is_not_there_is_named(directory: Path) -> None:
    (directory / "envoy.yaml").unlink()

    ended = run(directory)

    assert ended.returncode == 2
    assert f"{directory}/envoy.yaml: cannot be read" in ended.stderr


def test_a_socket_that_another_process_serves_is_left_to_it_and_its_owner_named(own: Sidecar) -> None:
    ended = run(own.directory, "--admin", "off")

    assert ended.returncode == 3
    assert f"process {own.child.process.pid} (" in ended.stderr
    assert {own.check(fresh_token(), worker=worker) for worker in (0, 1)} == {"ok"}


def test_an_admin_port_that_is_taken_is_said_by_whom(directory: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        ended = run(directory, "--admin", f"{LOOPBACK}:{taken.getsockname()[1]}")

    assert ended.returncode == 3
    assert f"process {os.getpid()} (" in ended.stderr


# --- overrides


def test_listen_and_admin_can_be_given_without_an_envoy_cluster(directory: Path) -> None:
    port = free_port()
    only_trust = {"node": bootstrap(directory)["node"]}
    (directory / "envoy.yaml").write_text(json.dumps(only_trust), encoding="utf-8")
    listen = f"unix:{directory}/own.sock,{LOOPBACK}:{port}"
    process = subprocess.Popen(
        command(directory),
        env=sidecar_environment(AUTHZ_LISTEN=listen, AUTHZ_ADMIN="off"),
        stderr=subprocess.DEVNULL,
    )
    try:
        one = Sidecar(directory, None, "", (f"unix:{directory}/own.sock", f"{LOOPBACK}:{port}"))  # type: ignore[arg-type]
        until(lambda: one.health(0) == one.health(1) == "SERVING", SECONDS)

        until(lambda: {one.check(fresh_token(), worker=worker) for worker in (0, 1)} == {"ok"}, SECONDS)
    finally:
        process.terminate()
        assert process.wait(SECONDS) == 0


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_token_of_another_key_is_refused_by_the_running_sidecar(served: Sidecar) -> None:
    assert served.check(fresh_token(key=rsa_key(9))) == "signature_invalid"


def test_no_line_of_the_log_holds_a_token_or_more_than_one_event() -> None:
    good = fresh_token()
    tokens = [
        good,
        good[:-4] + "AAAA",
        fresh_token(exp=1),
        fresh_token(key=rsa_key(9)),
        fresh_token(kid="a\r\nlevel=error"),
        fresh_token(sub="x\r\n{}", scope="y"),
        fresh_token(iss="https://evil.example.com/\r\n"),
        good + "." + good,
        good.replace(".", "..", 1),
        "x" * 20_000,
        f"{good},Bearer {good}",
    ]
    with sidecar(1, "--log-level", "debug") as one:
        for token in tokens:
            for policy in ("reading", "deny", "authenticated", "{scpoes: x}", ""):
                one.check(token, policy)
        until(lambda: len(one.events("check")) == 5 * len(tokens), SECONDS)
        one.end()
        log = one.child.log.read_text(encoding="utf-8")

    parts = {part for token in tokens for part in token.replace(",", ".").split(".") if len(part) > 20}
    assert not [part for part in parts if part[:20] in log]
    assert "earer" not in log
    assert all(json.loads(line)["event"] for line in log.splitlines())
    assert log.isascii()
