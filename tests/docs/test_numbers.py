"""Numbers in the prose are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from authz import exit_codes
from authz.core import keyset, policy_lookup, read_issuer, read_locations, token_cache
from authz.server import supervisor, worker, worker_pool
from authz.sources import environment, schedule
from tests.docs.markdown import ROOT, prose

_DOCS = ROOT / "docs"
_KIB, _MIB, _DAY = 1024, 1024 * 1024, 86_400

_SAID = [
    ("operations.md", f"turned within the last {supervisor.STUCK_SECONDS:g} seconds"),
    ("operations.md", f"at most {worker_pool.LONGEST_PAUSE_SECONDS:g} seconds, when it keeps ending"),
    ("operations.md", f"new issuers get up to {worker.NEW_KEYS_SECONDS:g} seconds"),
    ("operations.md", f"if none was begun in the last {environment.COOL_DOWN_SECONDS:g} seconds"),
    ("operations.md", f"at most one fetch begins in {environment.COOL_DOWN_SECONDS:g} seconds"),
    ("operations.md", f"plus or minus {schedule.JITTER:.0%}".replace("%", " %")),
    ("operations.md", f"A fetch has {environment.DEADLINE_SECONDS:g} seconds in all"),
    ("operations.md", f"{keyset.MAX_DOCUMENT_BYTES // _KIB} KiB and {keyset.MAX_KEYS} keys"),
    ("operations.md", f"{token_cache.MAX_ENTRIES} tokens or {token_cache.MAX_CHARACTERS // _MIB} MiB of token text"),
    ("operations.md", f"| {exit_codes.OPERATOR_ERROR} | an error"),
    ("operations.md", f"| {exit_codes.CANNOT_LISTEN} | an address"),
    ("configuration.md", f"at most {read_issuer.MAX_LEEWAY_SECONDS / 60:g} minutes"),
    ("configuration.md", f"from 1 second to {read_locations.MAX_REFRESH_SECONDS / _DAY:g} day"),
    ("configuration.md", f"from 1 second to {read_locations.MAX_STALE_LIMIT_SECONDS / _DAY:g} days"),
    ("configuration.md", f"At most {policy_lookup.MAX_INLINE_NAMES} such names"),
    ("scale.md", f"up to {policy_lookup.MAX_INLINE_POLICIES} different ones"),
]


@pytest.mark.parametrize(("name", "phrase"), _SAID, ids=lambda value: value if value.endswith(".md") else "")
def test_number_in_the_prose_is_that_of_the_code(name: str, phrase: str) -> None:
    text = " ".join(prose(_DOCS / Path(name)).split())

    assert phrase in text
