from __future__ import annotations

import json
from typing import Any

import pytest

from authz.core.candidate import compare
from authz.core.configuration import compile_configuration
from authz.core.decision import Agreement
from authz.core.problems import ConfigurationError
from authz.core.reasons import Denied, Reason
from authz.core.revocations import MAX_ENTRIES, UNREAD, Revocations, parse
from tests.fakes.checks import AUTHZ, CLIENT, NOW, Rig, access_token, id_token, partner_token


class Listed:
    """A revocation source with a fixed list. Implements authz.core.check.RevocationSource."""

    def __init__(self, current: Revocations) -> None:
        self.current = current


def _list(*entries: dict[str, Any]) -> Revocations:
    return parse(json.dumps({"revoked": list(entries)}).encode())


def _rig(*entries: dict[str, Any]) -> Rig:
    return Rig(revocations=Listed(_list(*entries)))


SUBJECT = "0a1b2c3d-user"


@pytest.mark.parametrize(
    "entry",
    [
        {"jti": "5f0c-jti"},
        {"origin_jti": "o-1"},
        {"sub": SUBJECT},
        {"sub": SUBJECT, "issued_before": NOW},
        {"client_id": CLIENT},
        {"client_id": CLIENT, "issued_before": NOW},
        {"jti": "5f0c-jti", "issuer": "cognito"},
        {"sub": SUBJECT, "issuer": "cognito", "note": "lost laptop"},
    ],
    ids=str,
)
def test_listed_token_is_refused_as_revoked(entry: dict[str, Any]) -> None:
    decision = _rig(entry).decide(access_token(origin_jti="o-1"))

    assert decision.reason is Reason.TOKEN_REVOKED
    assert decision.detail == f"its {next(iter(entry))} is on the revocation list"


@pytest.mark.parametrize(
    "entry",
    [
        {"jti": "5f0c-JTI"},
        {"jti": "5f0c"},
        {"jti": SUBJECT},
        {"sub": "5f0c-jti"},
        {"jti": "5f0c-jti", "issuer": "partner"},
        {"sub": SUBJECT, "issuer": "partner"},
        {"sub": SUBJECT, "issued_before": NOW - 60},
    ],
    ids=str,
)
def test_token_that_is_not_listed_passes(entry: dict[str, Any]) -> None:
    assert _rig(entry).reason(access_token(origin_jti="o-1")) is Reason.OK


def test_token_issued_before_the_time_is_revoked_and_one_of_that_second_is_not() -> None:
    rig = _rig({"sub": SUBJECT, "issued_before": NOW - 30})

    assert rig.reason(access_token(iat=NOW - 31)) is Reason.TOKEN_REVOKED
    assert rig.reason(access_token(iat=NOW - 30)) is Reason.OK


def test_token_that_does_not_say_when_it_was_issued_is_revoked_by_any_time() -> None:
    assert _rig({"sub": SUBJECT, "issued_before": 1}).reason(access_token(iat=None)) is Reason.TOKEN_REVOKED


def test_latest_of_two_entries_for_the_same_holder_counts_whatever_their_order() -> None:
    early, late = {"sub": SUBJECT, "issued_before": NOW - 500}, {"sub": SUBJECT, "issued_before": NOW}

    for entries in ((early, late), (late, early), (early, late | {"issuer": "cognito"})):
        assert _rig(*entries).reason(access_token()) is Reason.TOKEN_REVOKED


def test_client_of_an_id_token_is_the_one_it_is_meant_for() -> None:
    assert _rig({"client_id": CLIENT}).reason(id_token(), "identity") is Reason.TOKEN_REVOKED


def test_entry_without_an_issuer_counts_for_every_issuer() -> None:
    assert _rig({"sub": "partner-user"}).reason(partner_token()) is Reason.TOKEN_REVOKED


def test_token_that_was_remembered_is_refused_as_soon_as_it_is_listed() -> None:
    source = Listed(_list())
    rig, token = Rig(revocations=source), access_token()
    assert rig.reason(token) is Reason.OK

    source.current = _list({"jti": "5f0c-jti"})
    decision = rig.decide(token)

    assert (decision.reason, decision.remembered) == (Reason.TOKEN_REVOKED, True)
    source.current = _list()
    assert rig.reason(token) is Reason.OK


def test_revocation_comes_after_audience_and_before_age_claims_and_scope_in_the_order_of_checks() -> None:
    rig = _rig({"sub": SUBJECT})

    assert rig.reason(access_token(exp=NOW - 60)) is Reason.TOKEN_EXPIRED
    assert rig.reason(access_token(client_id="stranger")) is Reason.AUDIENCE_MISMATCH
    assert rig.reason(access_token(auth_time=1), "recent") is Reason.TOKEN_REVOKED
    assert rig.reason(access_token(scope=""), "reading") is Reason.TOKEN_REVOKED


def test_list_that_was_never_read_refuses_tokens_and_nothing_else() -> None:
    rig = Rig(revocations=Listed(UNREAD))

    assert rig.reason(access_token()) is Reason.REVOCATIONS_UNAVAILABLE
    assert rig.answer(access_token()).denied_response.status.code == 503
    assert rig.reason(None, "public") is Reason.PUBLIC
    assert rig.reason(None, "optional") is Reason.ANONYMOUS


def test_candidate_is_held_against_the_same_list() -> None:
    rig = Rig(
        {**AUTHZ, "policies": {"now": {"candidate": "next"}, "next": {}}}, revocations=Listed(_list({"sub": SUBJECT}))
    )

    comparison = compare(rig.decide(access_token(), "now"), NOW, rig.rules.revocations.current)

    assert comparison is not None
    assert (comparison.agreement, comparison.reason) == (Agreement.SAME, Reason.TOKEN_REVOKED)


@pytest.mark.parametrize(
    ("document", "path", "problem"),
    [
        (b"", (), "not JSON"),
        (b'{"revoked": [{"jti": "a"}', (), "not JSON"),
        (b'{"revoked": [], "revoked": []}', (), "a duplicate member"),
        (b"[]", (), "a mapping is needed here, not an empty list"),
        (b"{}", ("revoked",), "a list is needed, not nothing"),
        (b'{"revoked": {"jti": "a"}}', ("revoked",), "a list is needed, not a mapping"),
        (b'{"revoked": [], "revokd": []}', ("revokd",), "unknown field 'revokd'"),
        (b'{"revoked": ["a"]}', ("revoked", 0), "a mapping is needed here, not 'a'"),
    ],
)
def test_mistake_in_a_list_is_named_with_its_place(document: bytes, path: tuple[str | int, ...], problem: str) -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        parse(document)

    assert (path, problem) in [(mistake.path, mistake.message) for mistake in mistakes.value.problems]


ONE_IS_NEEDED = "one of jti, origin_jti, sub, client_id is needed"


@pytest.mark.parametrize(
    ("entry", "below", "problem"),
    [
        ({}, (), f"{ONE_IS_NEEDED}, not 0"),
        ({"jti": "a", "sub": "b"}, (), f"{ONE_IS_NEEDED}, not 2"),
        ({"jti": 7}, ("jti",), "a string is needed, not 7"),
        ({"jti": ""}, ("jti",), "a string is needed, not ''"),
        ({"jti": "a", "issuer": ["b"]}, ("issuer",), "a string is needed, not a list"),
        ({"jti": "a", "issued_before": 5}, ("issued_before",), "unknown field 'issued_before'"),
        ({"sub": "a", "isued_before": 5}, ("isued_before",), "unknown field 'isued_before'"),
        ({"sub": "a", "issued_before": "5"}, ("issued_before",), "'5' is not a time"),
        ({"sub": "a", "issued_before": True}, ("issued_before",), "true is not a time"),
        ({"sub": "a", "issued_before": 0}, ("issued_before",), "0 is not a time"),
        ({"sub": "a", "issued_before": 1e300}, ("issued_before",), "1e+300 is not a time"),
    ],
    ids=str,
)
def test_mistake_in_an_entry_is_the_only_one_reported(
    entry: dict[str, Any], below: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        _list({"jti": "good"}, entry)

    (mistake,) = mistakes.value.problems
    assert (mistake.path, mistake.message) == (("revoked", 1, *below), problem)


def test_all_mistakes_of_a_list_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        _list({"jit": "a"}, {"sub": 7}, {"sub": "a", "issued_before": -1})

    assert {mistake.path[1] for mistake in mistakes.value.problems} == {0, 1, 2}


def test_list_longer_than_the_bound_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="more than 20000 entries"):
        _list(*({"jti": str(number)} for number in range(MAX_ENTRIES + 1)))


def test_entries_are_counted_and_the_issuers_that_they_name_are_known() -> None:
    revocations = _list({"jti": "a"}, {"jti": "a", "issuer": "x"}, {"sub": "b", "issuer": "y"})

    assert len(revocations) == 3
    assert revocations.issuers == {"x", "y"}


def test_origin_jti_of_a_wrong_type_is_a_malformed_token() -> None:
    assert _rig({"origin_jti": "a"}).reason(access_token(origin_jti=["a"])) is Reason.TOKEN_MALFORMED


def test_unread_list_says_so_in_its_detail() -> None:
    identity = Rig().decide(access_token()).identity
    assert identity is not None

    with pytest.raises(Denied, match="has not been read yet"):
        UNREAD.require_good(identity)


def test_path_of_the_list_is_part_of_the_configuration() -> None:
    assert compile_configuration(AUTHZ).revocations_file == ""
    assert compile_configuration({**AUTHZ, "revocations_file": "/r.json"}).revocations_file == "/r.json"
    with pytest.raises(ConfigurationError, match="revocations_file: a string is needed, not a list"):
        compile_configuration({**AUTHZ, "revocations_file": ["/r.json"]})


@pytest.mark.parametrize(
    ("entry", "fix"),
    [
        ({}, "Write a separate entry for each."),
        ({"sub": "a", "issued_before": -1}, "Write seconds since 1970, like `iat` in a token."),
        ({"sub": "a", "isued_before": 5}, "Did you mean `issued_before`?"),
    ],
    ids=str,
)
def test_mistake_in_an_entry_says_what_to_write_instead(entry: dict[str, Any], fix: str) -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        _list(entry)

    assert [mistake.fix for mistake in mistakes.value.problems] == [fix]


def test_list_is_read_up_to_its_bound_and_says_what_to_do_above_it() -> None:
    entries = [{"jti": str(number)} for number in range(MAX_ENTRIES)]

    assert len(_list(*entries)) == MAX_ENTRIES
    with pytest.raises(ConfigurationError) as mistakes:
        _list(*entries, {"jti": "one more"})
    (mistake,) = mistakes.value.problems
    assert (mistake.path, mistake.fix) == (("revoked",), "Drop those whose tokens have expired.")


@pytest.mark.parametrize("document", [b"{}", b'{"revoked": {}}', b'{"revoked": null}'])
def test_what_is_no_list_says_what_to_write_instead(document: bytes) -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        parse(document)

    assert [mistake.fix for mistake in mistakes.value.problems] == ['Write `{"revoked": [...]}`.']


def test_time_at_the_end_of_the_calendar_is_a_time() -> None:
    assert len(_list({"sub": "a", "issued_before": 253_402_300_799})) == 1


def test_token_that_does_not_say_when_it_was_issued_passes_where_it_is_not_listed() -> None:
    identity = Rig().decide(access_token(iat=None)).identity
    assert identity is not None

    _list({"sub": "another"}, {"sub": "0a1b2c3d-user", "issuer": "partner"}).require_good(identity)
    with pytest.raises(Denied):
        _list({"sub": "0a1b2c3d-user", "issued_before": 1}).require_good(identity)


def test_text_that_is_no_json_says_how_a_list_without_entries_is_written() -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        parse(b"")

    (mistake,) = mistakes.value.problems
    assert (mistake.path, mistake.message) == ((), "not JSON")
    assert mistake.fix == 'Write `{"revoked": []}` for a list without entries.'


def test_time_of_issue_is_not_offered_to_an_entry_that_goes_by_the_token() -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        _list({"jti": "a", "issued_before": 5})

    assert "issued_before" not in mistakes.value.problems[0].fix
