"""Which keys of an issuer are reported, and since when."""

from __future__ import annotations

from collections.abc import Mapping

from authz.core.keyset import KeySet, parse
from authz.sources.fetch_stats import FetchStats
from authz.sources.key_events import KeyEvents
from tests.fakes.keys import PrivateKey, ec_key, jwk, jwks, rsa_key


def _key_set(*keys: tuple[PrivateKey, str | None, dict[str, str]]) -> KeySet:
    published = (jwk(key, kid, **members) for key, kid, members in keys)
    return parse(jwks(*published), {"RS256", "PS256", "ES256"}, distinct_kids=False)


def _reported(stats: FetchStats) -> list[tuple[str, tuple[str, ...], float]]:
    report = stats.report("idp", in_use=True, unknown_kids=0)
    return [(key.kid, tuple(sorted(key.algorithms)), key.first_seen) for key in report.keys]


def test_keys_that_share_a_kid_or_have_none_are_reported_and_counted_one_by_one() -> None:
    key_set = _key_set((rsa_key(0), None, {}), (rsa_key(1), None, {}), (rsa_key(2), "a", {}), (ec_key(0), "a", {}))
    stats = FetchStats(lambda: 100.0)
    events: list[Mapping[str, object]] = []

    stats.holds(key_set)
    KeyEvents("idp", lambda _name, fields: events.append(fields)).refreshed(None, key_set, recovered=False)

    rsa, ec = ("RS256",), ("ES256",)
    assert _reported(stats) == [("", rsa, 100.0), ("", rsa, 100.0), ("a", rsa, 100.0), ("a", ec, 100.0)]
    assert events[0]["keys"] == 4


def test_a_key_keeps_its_age_when_another_of_its_kid_comes_or_its_algorithm_changes() -> None:
    times = iter((100.0, 200.0))
    stats = FetchStats(lambda: next(times))

    stats.holds(_key_set((rsa_key(0), "a", {})))
    stats.holds(_key_set((rsa_key(0), "a", {"alg": "PS256"}), (ec_key(0), "a", {})))

    assert _reported(stats) == [("a", ("PS256",), 100.0), ("a", ("ES256",), 200.0)]


def test_a_new_key_under_an_old_kid_is_new() -> None:
    times = iter((100.0, 200.0))
    stats = FetchStats(lambda: next(times))

    stats.holds(_key_set((rsa_key(0), "a", {})))
    stats.holds(_key_set((rsa_key(1), "a", {})))

    assert [first_seen for *_, first_seen in _reported(stats)] == [200.0]
