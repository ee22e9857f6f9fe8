"""This product accepts every good token and no bad one; what other libraries say of the same tokens is on record.

accepted.json says which bad tokens each library accepts; docs/security.md shows it. A new version that judges otherwise
fails here, so that the document stays true: `python -m tests.differential.record` writes the file again.
"""

from __future__ import annotations

import json
import time

import pytest

from authz.core.reasons import Reason
from tests.differential import judges
from tests.differential.corpus import bad_tokens, good_tokens
from tests.differential.record import ACCEPTED, accepted
from tests.fakes.checks import Rig

NOW = int(time.time())
GOOD, BAD = good_tokens(NOW), bad_tokens(NOW)
RIG = Rig()


@pytest.mark.parametrize("name", GOOD)
def test_good_token_is_accepted(name: str) -> None:
    assert RIG.reason(GOOD[name], now=NOW) is Reason.OK


@pytest.mark.parametrize("name", BAD)
def test_bad_token_is_refused_with_400_or_401(name: str) -> None:
    reason = RIG.reason(BAD[name], now=NOW)

    assert reason.row.outcome == "deny"
    assert reason.row.http_status in {400, 401}


@pytest.mark.parametrize("name", GOOD)
def test_pyjwt_accepts_the_good_token_too(name: str) -> None:
    assert judges.pyjwt_accepts(GOOD[name])


def test_bad_tokens_that_pyjwt_accepts_are_the_ones_on_record() -> None:
    assert accepted(judges.pyjwt_accepts(token) and name for name, token in BAD.items()) == _recorded("PyJWT")


@pytest.fixture(scope="module")
def verdicts() -> dict[str, dict[str, bool]]:
    if not judges.node_is_ready():
        pytest.skip("aws-jwt-verify and jose are not installed (npm ci --prefix tests/differential)")
    return judges.node_verdicts(GOOD | BAD)


@pytest.mark.parametrize("library", judges.NODE_LIBRARIES)
def test_library_for_node_accepts_every_good_token_too(library: str, verdicts: dict[str, dict[str, bool]]) -> None:
    assert [name for name in GOOD if not verdicts[name][library]] == []


@pytest.mark.parametrize("library", judges.NODE_LIBRARIES)
def test_bad_tokens_that_a_library_for_node_accepts_are_the_ones_on_record(
    library: str, verdicts: dict[str, dict[str, bool]]
) -> None:
    assert accepted(verdicts[name][library] and name for name in BAD) == _recorded(library)


def _recorded(library: str) -> list[str]:
    names: list[str] = json.loads(ACCEPTED.read_text(encoding="utf-8"))["accepted"][library]
    return names
