from __future__ import annotations

import io
from collections.abc import Mapping

import pytest

from authz.core.keyset import DroppedKey, KeySet, parse
from authz.observe.log import Format, Log
from authz.sources.key_events import MAX_SHOWN, MAX_SHOWN_CHARACTERS, KeyEvents
from tests.fakes.keys import ec_key, jwk, jwks


def _logged(before: KeySet | None, now: KeySet) -> list[tuple[str, Mapping[str, object]]]:
    events: list[tuple[str, Mapping[str, object]]] = []
    journal = KeyEvents("idp", lambda name, fields: events.append((name, fields)))
    journal.refreshed(before, now, recovered=False)
    return events


@pytest.mark.parametrize("form", ["json", "console"])
def test_strange_and_many_key_ids_are_shown_escaped_once_short_and_few(form: Format) -> None:
    key_set = parse(
        jwks(*(jwk(ec_key(), f"{n}\x1b[31m\n" + "x" * 240) for n in range(50))), {"ES256"}, distinct_kids=True
    )

    ((_, fields),) = _logged(None, key_set)

    added = fields["added"]
    assert isinstance(added, list)
    assert fields["keys"] == 50
    assert len(added) == MAX_SHOWN
    assert all(len(one) <= MAX_SHOWN_CHARACTERS for one in added)
    stream = io.StringIO()
    log = Log("info", form, stream)
    log.event("info", "jwks_refreshed", fields)
    log.close()
    assert stream.getvalue().removesuffix("\n").isprintable()
    assert r'["0\u001b[31m\nxxx' in stream.getvalue()


def test_many_dropped_keys_are_counted_and_few_are_shown() -> None:
    good = parse(jwks(jwk(ec_key(), "a")), {"ES256"}, distinct_kids=True)
    now = KeySet(good.keys, tuple(DroppedKey(f"\n{n}", "its use is not sig") for n in range(50)))

    events = _logged(good, now)

    assert [name for name, _ in events] == ["jwks_refreshed", "jwks_key_dropped"]
    shown = events[1][1]["dropped"]
    assert isinstance(shown, list)
    assert (events[1][1]["count"], len(shown), shown[0]) == (50, MAX_SHOWN, r"'\n0': its use is not sig")


def test_dropped_keys_that_were_told_before_are_not_told_again() -> None:
    weak = jwk(ec_key(), "weak", use="enc")
    before = parse(jwks(jwk(ec_key(0), "a"), weak), {"ES256"}, distinct_kids=True)
    now = parse(jwks(jwk(ec_key(1), "b"), weak), {"ES256"}, distinct_kids=True)

    assert [name for name, _ in _logged(before, now)] == ["jwks_refreshed"]
