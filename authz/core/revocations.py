"""The revocation list: tokens that are refused although everything else about them is good.

A list is one JSON document, so that a half-written one is never taken for a shorter one. Being listed is looked up,
not searched for, and on every request, since a token that was verified before can be revoked now.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from authz.core import strict_json
from authz.core.claims import MAX_TIME
from authz.core.identity import Identity
from authz.core.mapping_reader import MappingReader, describe, listed
from authz.core.problems import ConfigurationError, Problem
from authz.core.reasons import Denied, Reason

MAX_DOCUMENT_BYTES = 2 * 1024 * 1024
"""The largest list that is read: some 100 bytes an entry."""

MAX_ENTRIES = 20_000
"""The most entries. They are needed until the tokens expire, a day at most: more sign-outs than this want another
remedy, such as shorter tokens. The time that reading takes from requests grows with them."""

BY_TOKEN = ("jti", "origin_jti")
BY_HOLDER = ("sub", "client_id")
KINDS = (*BY_TOKEN, *BY_HOLDER)
"""What an entry can go by: the token, the sign-in that it stems from (Cognito), its subject, its client."""

ALWAYS = math.inf
"""`issued_before` of an entry that has none: every token is issued before that."""

Entries = Mapping[tuple[str, str], float]
"""By issuer alias (empty for every issuer) and value: tokens issued before this time are revoked."""


@dataclass(frozen=True, slots=True, eq=False)
class Revocations:
    """One list as it was read. Immutable: a changed file makes a new one."""

    by_kind: Mapping[str, Entries] = field(default_factory=dict)
    """Only kinds that have entries."""
    is_read: bool = True
    """False for the one that stands in where a list is configured and none could be read yet."""

    def __len__(self) -> int:
        return sum(map(len, self.by_kind.values()))

    @property
    def issuers(self) -> frozenset[str]:
        """Aliases that entries name."""
        return frozenset(alias for entries in self.by_kind.values() for alias, _value in entries if alias)

    def require_good(self, identity: Identity) -> None:
        """Refuse what is on the list. Raises Denied: TOKEN_REVOKED, or REVOCATIONS_UNAVAILABLE where none was read."""
        if not self.is_read:
            raise Denied(Reason.REVOCATIONS_UNAVAILABLE, "revocations_file has not been read yet")
        for kind, entries in self.by_kind.items():
            value = _value(identity, kind)
            revoked_before = max(entries.get((identity.issuer.alias, value), 0), entries.get(("", value), 0))
            # A token that does not say when it was issued cannot show that it is newer.
            if revoked_before and identity.claims.get("iat", 0) < revoked_before:
                raise Denied(Reason.TOKEN_REVOKED, f"its {kind} is on the revocation list")


UNREAD = Revocations(is_read=False)
"""Refuses every token: an unknown list might name it."""


def parse(document: bytes) -> Revocations:
    """Read `{"revoked": [...]}`.

    Raises ConfigurationError: a list with one is not read at all, for what was mistyped may be the entry that matters.
    """
    try:
        value = strict_json.loads(document)
    except strict_json.NotStrictJson as error:
        raise ConfigurationError(
            (Problem((), str(error), 'Write `{"revoked": []}` for a list without entries.'),)
        ) from error
    found: list[Problem] = []
    section = MappingReader(value, (), found)
    by_kind: dict[str, dict[tuple[str, str], float]] = {}
    for entry in _entries(section):
        kind, key, issued_before = _read(entry)
        entries = by_kind.setdefault(kind, {})
        entries[key] = max(entries.get(key, 0), issued_before)
    section.finish()
    if found:
        raise ConfigurationError(tuple(found))
    return Revocations(MappingProxyType({kind: MappingProxyType(entries) for kind, entries in by_kind.items()}))


def _value(identity: Identity, kind: str) -> str:
    """What the token has to compare with: the subject and the client as they are forwarded."""
    if kind == "sub":
        return identity.subject
    if kind == "client_id":
        return identity.client
    value: str = identity.claims.get(kind, "")
    return value


def _entries(section: MappingReader) -> Iterator[MappingReader]:
    entries = section.raw("revoked")
    if not isinstance(entries, list):
        section.wrong(("revoked",), f"a list is needed, not {describe(entries)}", 'Write `{"revoked": [...]}`.')
    elif len(entries) > MAX_ENTRIES:
        section.wrong(("revoked",), f"more than {MAX_ENTRIES} entries", "Drop those whose tokens have expired.")
    elif entries:
        yield from section.each("revoked")


def _read(entry: MappingReader) -> tuple[str, tuple[str, str], float]:
    """An entry's kind, issuer and value, and the time before which its tokens were issued."""
    named = [(kind, entry.text(kind)) for kind in KINDS if kind in entry]
    if len(named) != 1:
        entry.wrong((), f"one of {listed(KINDS)} is needed, not {len(named)}", "Write one entry for each.")
    kind, value = named[0] if named else ("", "")
    issued_before = _time(entry) if kind in BY_HOLDER and "issued_before" in entry else ALWAYS
    alias = entry.text("issuer")
    entry.text("note")
    entry.finish(also=KINDS)
    return kind, (alias, value), issued_before


def _time(entry: MappingReader) -> float:
    value = entry.raw("issued_before")
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_TIME:
        return value
    fix = "Write seconds since 1970, as `iat` in the tokens has them."
    entry.wrong(("issued_before",), f"{describe(value)} is not a time", fix)
    return ALWAYS
