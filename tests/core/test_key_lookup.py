"""A key is here, comes later, or does not come."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from authz.core.configuration import compile_configuration
from authz.core.key_lookup import FetchPending, KeyLookup
from authz.core.reasons import Denied, Reason
from tests.fakes.checks import AUTHZ, COGNITO_KEY, COGNITO_KID, FixedKeys, key_set

ISSUER = compile_configuration(AUTHZ).issuers.by_alias["cognito"]
SNAPSHOT = key_set(**{COGNITO_KID: COGNITO_KEY})


def refused(source: FixedKeys, *, may_wait: bool = True) -> Denied:
    with pytest.raises(Denied) as caught:
        KeyLookup({"cognito": source}).find(ISSUER, "other", "RS256", may_wait=may_wait)
    return caught.value


def test_known_key_comes_with_its_snapshot_and_nobody_is_asked() -> None:
    source = FixedKeys(SNAPSHOT, Future())

    key, snapshot = KeyLookup({"cognito": source}).find(ISSUER, COGNITO_KID, "RS256", may_wait=True)

    assert (key, snapshot) == (SNAPSHOT.keys[COGNITO_KID], SNAPSHOT)
    assert source.asked == 0


@pytest.mark.parametrize("current", [SNAPSHOT, None])
def test_unknown_key_that_a_fetch_may_bring_is_not_here_yet(current: object) -> None:
    fetch: Future[None] = Future()

    with pytest.raises(FetchPending) as caught:
        KeyLookup({"cognito": FixedKeys(current, fetch)}).find(ISSUER, "other", "RS256", may_wait=True)  # type: ignore[arg-type]

    assert caught.value.fetch is fetch


def test_unknown_key_without_a_fetch_is_unknown() -> None:
    assert refused(FixedKeys(SNAPSHOT)).reason is Reason.KEY_UNKNOWN


def test_a_token_without_kid_that_no_key_fits_is_unknown() -> None:
    with pytest.raises(Denied) as caught:
        KeyLookup({"cognito": FixedKeys(SNAPSHOT)}).find(ISSUER, "", "ES256", may_wait=False)

    assert caught.value.detail == "there is no kid, and no keys of the set fit ES256"


def test_no_snapshot_and_no_fetch_is_unavailable_and_the_detail_names_the_issuer() -> None:
    denied = refused(FixedKeys(None))

    assert denied.reason is Reason.KEYS_UNAVAILABLE
    assert denied.detail == "no usable key set of cognito"


def test_nobody_is_asked_where_the_request_cannot_wait() -> None:
    source = FixedKeys(SNAPSHOT, Future())

    assert refused(source, may_wait=False).reason is Reason.KEY_UNKNOWN
    assert source.asked == 0


def test_key_id_in_the_detail_is_shown_as_text_and_short() -> None:
    with pytest.raises(Denied) as caught:
        KeyLookup({"cognito": FixedKeys(SNAPSHOT)}).find(ISSUER, "a\r\n" + "x" * 5000, "RS256", may_wait=False)

    assert "\n" not in caught.value.detail
    assert len(caught.value.detail) < 100
