"""`authz serve` behind an egress proxy: its fetches through the proxy, and its message if it uses none."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from authz.tools.processes.children import Children
from authz.tools.processes.machine import LOOPBACK, free_port
from tests.fakes.certificates import authority_pem, server_context
from tests.fakes.checks import COGNITO_KEY, COGNITO_KID
from tests.fakes.connect_proxy import ConnectProxy, ProxyMode
from tests.fakes.keys import jwk, jwks
from tests.fakes.keyserver import KeyServer
from tests.fakes.sidecar import SECONDS, Sidecar, bootstrap, command, fresh_token, sidecar, sidecar_environment
from tests.fakes.waiting import until


@pytest.fixture
def idp() -> Iterator[KeyServer]:
    with KeyServer(jwks(jwk(COGNITO_KEY, COGNITO_KID)), tls=server_context(host="idp.test")) as server:
        yield server


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
        (Path(name) / "ca.pem").write_bytes(authority_pem())
        yield Path(name)


def _configuration(folder: Path, idp: KeyServer, **top: Any) -> dict[str, Any]:
    """Two workers, and a pool whose keys are at a host that only the proxy can look up."""
    configuration = bootstrap(folder, 2)
    authz = configuration["node"]["metadata"]["authz"]
    pool = authz["issuers"]["cognito"]
    del pool["jwks_file"]
    pool |= {"jwks_uri": f"https://idp.test:{idp.port}/jwks", "ca_file": str(folder / "ca.pem")}
    authz |= top
    return configuration


_FAILURES = 'authz_jwks_fetches_total{issuer="cognito",result="proxy_failed"}'


def _at(folder: Path) -> tuple[str, ...]:
    return tuple(f"unix:{folder}/authz-{number}.sock" for number in range(2))


def test_keys_arrive_through_the_proxy_of_the_environment(idp: KeyServer, folder: Path) -> None:
    with ConnectProxy({"idp.test": "127.0.0.1"}, credentials="alice:pa55") as proxy:
        variables = {"HTTPS_PROXY": proxy.url.replace("://", "://alice:pa55@")}
        configuration = _configuration(folder, idp, proxy="environment")
        with sidecar(2, configuration=configuration, **variables) as started:
            served = Sidecar(started.directory, started.child, started.admin, _at(folder))

            assert [served.check(fresh_token(), worker=worker) for worker in (0, 1)] == ["ok", "ok"]
            assert set(proxy.targets) == {f"idp.test:{idp.port}"}
            assert served.events("proxy_not_used") == []
            assert "pa55" not in served.child.log.read_text(encoding="utf-8")


@contextmanager
def _without_keys(folder: Path, configuration: dict[str, Any], **variables: str) -> Iterator[Sidecar]:
    """A sidecar that gets no keys, after each worker's first fetch."""
    (folder / "envoy.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    admin = f"{LOOPBACK}:{free_port()}"
    with Children(folder) as children:
        child = children.start("authz", command(folder, "--admin", admin), sidecar_environment(**variables))
        served = Sidecar(folder, child, admin, _at(folder))
        until(lambda: len(served.events("jwks_failed")) >= 2, SECONDS)
        yield served


def test_a_proxy_that_no_field_mentions_is_named_once(idp: KeyServer, folder: Path) -> None:
    with (
        ConnectProxy({"idp.test": "127.0.0.1"}) as proxy,
        _without_keys(folder, _configuration(folder, idp), HTTPS_PROXY=proxy.url) as served,
    ):
        served.first("proxy_not_used")
        (warning,) = served.events("proxy_not_used")

    assert (warning["level"], warning["variable"]) == ("warning", "HTTPS_PROXY")
    assert "`proxy: environment`" in warning["fix"]
    assert proxy.heads == []


@pytest.mark.parametrize("mode", [ProxyMode.HTML, ProxyMode.FORBIDDEN])
def test_a_proxy_that_opens_no_tunnel_is_named_in_log_and_metrics(
    idp: KeyServer, folder: Path, mode: ProxyMode
) -> None:
    with ConnectProxy({"idp.test": "127.0.0.1"}) as proxy:
        proxy.mode = mode
        with _without_keys(folder, _configuration(folder, idp, proxy=proxy.url)) as served:
            assert served.check(fresh_token()) == "keys_unavailable"
            failed = served.events("jwks_failed")
            until(lambda: served.metrics().get(_FAILURES, 0) >= 2, SECONDS)

    assert {event["result"] for event in failed} == {"proxy_failed"}
    assert all(f"the proxy 127.0.0.1:{proxy.port}: " in event["detail"] for event in failed)
    assert idp.connections == 0
