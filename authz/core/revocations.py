"""The revocation list: tokens to refuse although they are valid otherwise.

The list is one JSON document, so that a half-written file is never taken for a shorter list. Every request looks its
token up in dictionaries, because a token in the token cache can be revoked meanwhile.
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
"""The largest accepted list: about 100 bytes per entry."""

MAX_ENTRIES = 20_000
"""The most entries. An entry is needed until its tokens expire, a day at most. If there are more sign-outs, use shorter
token lifetimes. Parsing delays requests, and takes longer with each entry."""

MAX_ELEMENTS = 20 * MAX_ENTRIES
"""Brackets, colons and commas in a list: 20 for each entry. One with every member has 9, and its note may have
a few more."""

BY_TOKEN = ("jti", "origin_jti")
BY_HOLDER = ("sub", "client_id")
KINDS = (*BY_TOKEN, *BY_HOLDER)
"""The kinds of entries: by token, by the sign-in behind the token (Cognito), by subject, by client."""

ALWAYS = math.inf
"""`issued_before` of an entry that has none. Every token was issued before it."""

Entries = Mapping[tuple[str, str], float]
"""By issuer alias (empty for all issuers) and value: tokens issued before this time are revoked."""


@dataclass(frozen=True, slots=True, eq=False)
class Revocations:
    """A parsed revocation list. Immutable: a changed file becomes a new object."""

    by_kind: Mapping[str, Entries] = field(default_factory=dict)
    """Contains only kinds with entries."""
    is_read: bool = True
    """False for `UNREAD`, the list in force before the first successful read."""

    def __len__(self) -> int:
        return sum(map(len, self.by_kind.values()))

    @property
    def issuers(self) -> frozenset[str]:
        """The issuer aliases in the entries."""
        return frozenset(alias for entries in self.by_kind.values() for alias, _value in entries if alias)

    def require_good(self, identity: Identity) -> None:
        """Refuse a token on the list. Raises Denied: TOKEN_REVOKED, or REVOCATIONS_UNAVAILABLE if no list was read."""
        if not self.is_read:
            raise Denied(Reason.REVOCATIONS_UNAVAILABLE, "revocations_file has not been read yet")
        for kind, entries in self.by_kind.items():
            value = _value(identity, kind)
            revoked_before = max(entries.get((identity.issuer.alias, value), 0), entries.get(("", value), 0))
            # A token without `iat` counts as issued before the entry.
            if revoked_before and identity.claims.get("iat", 0) < revoked_before:
                raise Denied(Reason.TOKEN_REVOKED, f"its {kind} is on the revocation list")


UNREAD = Revocations(is_read=False)
"""The list before the first successful read. It refuses every token, because any token could be on the list."""


def parse(document: bytes) -> Revocations:
    """Parse `{"revoked": [...]}`.

    Raises ConfigurationError for any problem. The rest of the list is not used then: a mistyped entry may be the one of
    a stolen token.
    """
    try:
        value = strict_json.loads(document, MAX_ELEMENTS)
    except strict_json.NotStrictJson as error:
        raise ConfigurationError(
            (Problem((), str(error), 'Write `{"revoked": []}` for a list without entries.'),)
        ) from error
    problems: list[Problem] = []
    reader = MappingReader(value, (), problems)
    by_kind: dict[str, dict[tuple[str, str], float]] = {}
    for entry in _entries(reader):
        kind, key, issued_before = _read(entry)
        entries = by_kind.setdefault(kind, {})
        entries[key] = max(entries.get(key, 0), issued_before)
    reader.finish()
    if problems:
        raise ConfigurationError(tuple(problems))
    return Revocations(MappingProxyType({kind: MappingProxyType(entries) for kind, entries in by_kind.items()}))


def _value(identity: Identity, kind: str) -> str:
    """Return the token's value of this kind. Subject and client are compared as they are forwarded."""
    if kind == "sub":
        return identity.subject
    if kind == "client_id":
        return identity.client
    value: str = identity.claims.get(kind, "")
    return value


def _entries(reader: MappingReader) -> Iterator[MappingReader]:
    entries = reader.raw("revoked")
    if not isinstance(entries, list):
        reader.wrong(("revoked",), f"a list is needed, not {describe(entries)}", 'Write `{"revoked": [...]}`.')
    elif len(entries) > MAX_ENTRIES:
        reader.wrong(("revoked",), f"more than {MAX_ENTRIES} entries", "Drop those whose tokens have expired.")
    elif entries:
        yield from reader.each("revoked")


def _read(entry: MappingReader) -> tuple[str, tuple[str, str], float]:
    """Return an entry's kind, its issuer and value, and its `issued_before`."""
    named = [(kind, entry.text(kind)) for kind in KINDS if kind in entry]
    if len(named) != 1:
        entry.wrong((), f"one of {listed(KINDS)} is needed, not {len(named)}", "Write a separate entry for each.")
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
    fix = "Write seconds since 1970, like `iat` in a token."
    entry.wrong(("issued_before",), f"{describe(value)} is not a time", fix)
    return ALWAYS
