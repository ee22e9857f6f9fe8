"""The header `:authority`: the host as the client spelt it, in any case and with its port.

Virtual hosts compare it in lower case, and without the port if the table says so. A matcher on `:authority` or `host`
sees the text itself. Texts are reversed here, like the names of hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from authz.tools.access.regions.languages import remembered
from authz.tools.access.regions.parts import (
    AUTHORITY,
    AUTHORITY_WITH_PORT,
    HOST,
    LOWER,
    PREFERRED,
    representatives,
    with_both_cases,
)
from authz.tools.access.regions.text_reader import State, shortest
from authz.tools.access.regions.values import Values, has

_MARKS = {code + after for code in map(ord, ":]") for after in (0, 1)}


@dataclass(frozen=True, slots=True)
class AuthorityCondition:
    """What a box asks of the host."""

    host: Values
    authority: Values
    ignores_port: bool
    """Whether virtual hosts compare the host without its port."""

    def has(self, text: str) -> bool:
        """Whether a reversed `:authority` meets it. Raises TooMuchEffort."""
        return has(self.host, compared_host(text, ignores_port=self.ignores_port)) and has(self.authority, text)


def authority_name(*, ignores_port: bool) -> str:
    """The part that `:authority` is in a table that ignores the port, or does not."""
    return AUTHORITY_WITH_PORT if ignores_port else AUTHORITY


def compared_host(text: str, *, ignores_port: bool) -> str:
    """The host as virtual hosts compare it. Envoy takes what follows the last colon as the port, if no `]` follows."""
    port, colon, host = text.partition(":")
    if ignores_port and colon and "]" not in port:
        text = host
    return text.translate(LOWER)


@remembered
def authority_member(condition: AuthorityCondition) -> str | None:
    """A short reversed `:authority` that meets the condition. None if there is none. Raises TooMuchEffort."""
    usual = next((text for text in PREFERRED[HOST] if condition.has(text)), None)
    return usual or _AuthoritySearch(condition).shortest()


@dataclass(frozen=True, slots=True)
class _HostAndAuthority:
    """Where the two readers of one text are."""

    host: State | None
    """None in the port."""
    authority: State
    may_have_colon: bool


class _AuthoritySearch:
    """A walk over the product of the readers of the host and of the whole text."""

    def __init__(self, condition: AuthorityCondition) -> None:
        self._host, self._authority = condition.host.reader(), condition.authority.reader()
        self._ignores_port = condition.ignores_port

    def shortest(self) -> str | None:
        """The shortest member. Raises TooMuchEffort."""
        start = self._authority.start
        places = [_HostAndAuthority(self._host.start, start, may_have_colon=not self._ignores_port)]
        if self._ignores_port:
            places.append(_HostAndAuthority(None, start, may_have_colon=True))
        return shortest(places, self._end, self._steps)

    def _end(self, text: str, at: _HostAndAuthority) -> str | None:
        is_whole = at.host is not None and self._host.accepts(at.host) and self._authority.accepts(at.authority)
        return text if is_whole else None

    def _steps(self, at: _HostAndAuthority) -> Iterator[tuple[int, _HostAndAuthority | None]]:
        boundaries = self._authority.boundaries(at.authority) | _MARKS
        if at.host is not None:
            boundaries |= with_both_cases(self._host.boundaries(at.host))
        # Capital letters last: a reader knows hosts in lower case.
        for code in sorted(representatives(AUTHORITY, boundaries), key=lambda code: chr(code).isupper()):
            yield code, self._after(at, code)

    def _after(self, at: _HostAndAuthority, code: int) -> _HostAndAuthority | None:
        authority = self._authority.step(at.authority, code)
        if authority is None:
            return None
        if at.host is None:
            if code == ord(":"):
                return _HostAndAuthority(self._host.start, authority, may_have_colon=True)
            return None if code == ord("]") else _HostAndAuthority(None, authority, may_have_colon=True)
        if code == ord(":") and not at.may_have_colon:
            return None
        host = self._host.step(at.host, LOWER.get(code, code))
        if host is None:
            return None
        return _HostAndAuthority(host, authority, at.may_have_colon or code == ord("]"))
