"""The shared tier under load: what a rollout, a rotation and the loss of a replica cost, and what its absence opens."""

from __future__ import annotations

import signal
import time

import pytest

from tests.fakes.authority import Authority
from tests.fakes.sidecar import SECONDS
from tests.fakes.waiting import until
from tests.faults.proxied import Load
from tests.faults.tier import SERVICE, TIER, Tier, tier


def load_on(one: Tier, requests: int = 4000) -> Load:
    """Slower than on a sidecar: eight processes share this machine's cores with it."""
    until(lambda: one.status() == 200, SECONDS)
    one.expect(healthy=3)
    return Load(one.port, one.token, requests=requests, clients=8, per_second=400, path="/orders/1", host=SERVICE)


def test_decisions_of_the_tier_are_those_of_its_policies() -> None:
    with tier() as one:
        until(lambda: one.status() == 200, SECONDS)

        assert one.status("a.b.c") == 401
        assert one.status(path="/elsewhere") == 403
        assert one.status("a.b.c", path="/healthz") == 200


def test_rollout_of_every_replica_under_load_loses_no_request() -> None:
    with tier() as one:
        load = load_on(one, requests=8000)
        with load.running():
            for replica in one.replicas:
                replica.end()
                one.expect(healthy=2)
                replica.start()
                one.expect(healthy=3)
        print(f"rollout: {dict(load.statuses)}")

        assert load.statuses == {200: load.requests}


@pytest.mark.parametrize("names", [("envoy", "authz"), ("envoy",), ("authz",)], ids=" and ".join)
@pytest.mark.parametrize("number", [0, 1], ids=["in the zone", "elsewhere"])
def test_killed_replica_under_load_loses_no_request(names: tuple[str, ...], number: int) -> None:
    with tier() as one:
        load = load_on(one)
        with load.running():
            one.replicas[number].end(*names, number=signal.SIGKILL)
        print(f"{' and '.join(names)} of replica {number} killed: {dict(load.statuses)}")

        assert load.statuses == {200: load.requests}
        one.expect(healthy=2)


def test_rotation_of_authority_and_certificates_under_load_loses_no_request() -> None:
    """Both authorities first, then new certificates, then only the new authority."""
    with tier() as one:
        new, old = Authority("second authority"), one.authority
        secrets = [replica.secret for replica in one.replicas]
        before = old.issue(SERVICE)
        assert [one.handshake(each, old, before) for each in one.replicas] == ["ok"] * 3
        load = load_on(one, requests=6000)
        with load.running():
            for secret in (*secrets, one.client_secret):
                secret.change({"ca.crt": old.pem + new.pem})
            time.sleep(2)  # connections of the load go on; there is nothing to wait for
            for secret in secrets:
                secret.change(new.issue(TIER))
            one.client_secret.change(new.issue(SERVICE))
            until(lambda: all(one.handshake(each, new, before) == "ok" for each in one.replicas), SECONDS)
            for secret in (*secrets, one.client_secret):
                secret.change({"ca.crt": new.pem})
            until(lambda: all(one.handshake(each, new, before) != "ok" for each in one.replicas), SECONDS)
            # New connections of the client, now with new certificates on both sides only.
            for replica in one.replicas:
                replica.end("envoy")
                one.expect(healthy=2)
                replica.end("authz")
                replica.start()
                one.expect(healthy=3)
        print(f"rotation: {dict(load.statuses)}")

        assert load.statuses == {200: load.requests}


def test_expired_certificate_gives_503_until_it_is_replaced_and_needs_no_restart() -> None:
    with tier(expired=True) as one:
        assert {one.status() for _ in range(20)} == {503}

        for replica in one.replicas:
            replica.secret.change(one.authority.issue(TIER))

        until(lambda: one.status() == 200, SECONDS)


def test_tier_that_is_away_gives_503_even_where_no_token_is_needed_and_is_found_again() -> None:
    with tier() as one:
        load = load_on(one, requests=1600)
        with load.running():
            for replica in one.replicas:
                replica.end(number=signal.SIGKILL)
        print(f"away: {dict(load.statuses)}")

        assert set(load.statuses) == {200, 503}
        assert {one.status(path=path) for path in ("/orders/1", "/healthz", "/elsewhere")} == {503}

        for replica in one.replicas:
            replica.start()
        until(lambda: one.status() == 200, SECONDS)


@pytest.mark.parametrize("any_name", [False, True], ids=["named clients", "any name"])
def test_client_with_no_good_certificate_is_not_answered(*, any_name: bool) -> None:
    """Envoy demands a certificate for the names' sake too, so only the second case needs require_client_certificate."""
    with tier(any_name=any_name) as one:
        certificates = {
            "good": one.authority.issue(SERVICE),
            "none": None,
            "of another authority": Authority("stranger").issue(SERVICE),
            "of another name": one.authority.issue("payments.example.com"),
            "expired": one.authority.issue(SERVICE, expired=True),
        }
        outcomes = {kind: one.handshake(one.replicas[0], one.authority, each) for kind, each in certificates.items()}
        print(outcomes)

        answered = {kind for kind, outcome in outcomes.items() if outcome == "ok"}
        assert answered == {"good"} | ({"of another name"} if any_name else set())
