"""A second opinion on every allow: other parsers, other code, the same rules.

The request is read field by field from protobuf's wire format, the token by PyJWT's own `decode`, the policy by PyYAML,
and the conditions are written down once more, as plainly as possible. It is asked only if the sidecar allowed, so it
may be slow, and it may allow what the sidecar refuses.
"""

from __future__ import annotations

import json
import re
from typing import Any

import jwt
import yaml

from fuzz.rig import ALGORITHMS, CONFIGURATION, KEY_ID, PARTNER, POOL, PUBLIC_JWKS

_LEEWAY_SECONDS = 10
_SCHEME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
"""An auth-scheme is a token (RFC 9110 section 5.6.2)."""

_ALIASES = {POOL: "cognito", PARTNER: "partner"}


def allows(message: bytes, now: float) -> bool:
    """Whether this request may pass at all at this time."""
    attributes = _message(message, 1)
    text = _map(_fields(attributes).get(10, [])).get(b"policy", b"").decode()
    if text == "public":
        return True
    policy = _policy(text)
    http = _message(_message(attributes, 4), 2)
    credentials = _credentials(http)
    if policy.get("optional") and not _hides_header(http) and not any(map(_is_bearer, credentials)):
        return True
    if len(credentials) != 1 or credentials[0][:7].lower() != b"bearer ":
        return False
    claims = _verified(credentials[0][7:], now)
    return claims is not None and _meets(claims, policy, now)


def _is_bearer(value: bytes) -> bool:
    scheme = _SCHEME.match(value)
    return scheme is not None and scheme[0].lower() == b"bearer"


def _fields(message: bytes) -> dict[int, list[Any]]:
    """The values of a message by field number, in wire order."""
    found: dict[int, list[Any]] = {}
    at = group_depth = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 2:  # noqa: PLR2004 - wire types: 2 has a length, 0 is a number, 1 and 5 are eight and four bytes
            length, at = _varint(message, at)
            value: Any = message[at : at + length]
            at += length
        elif tag & 7 == 0:
            value, at = _varint(message, at)
        else:
            at, value = at + {1: 8, 3: 0, 4: 0, 5: 4}[tag & 7], None
            group_depth += {3: 1, 4: -1}.get(tag & 7, 0)  # the fields of a group are not the message's own
        if group_depth == 0:
            found.setdefault(tag >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:  # noqa: PLR2004 - the top bit says that more follows
            return value, at


def _message(parent: bytes, number: int) -> bytes:
    """A message field. If it occurs several times, a parser merges the occurrences."""
    return b"".join(part for part in _fields(parent).get(number, []) if isinstance(part, bytes))


def _map(entries: list[Any]) -> dict[bytes, bytes]:
    """A map field: the last of equal keys counts."""
    return {_last(entry, 1): _last(entry, 2) for entry in entries if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    """Whether it has only a key and a value. To protobuf an entry with more is an unknown field."""
    if not isinstance(entry, bytes):
        return False
    fields = _fields(entry)
    return not fields.keys() - {1, 2} and all(
        isinstance(value, bytes) for values in fields.values() for value in values
    )


def _hides_header(http: bytes) -> bool:
    return not all(map(_is_entry, _fields(http).get(3, [])))


def _last(message: bytes, number: int) -> bytes:
    values = [value for value in _fields(message).get(number, []) if isinstance(value, bytes)]
    return values[-1] if values else b""


def _policy(text: str) -> dict[str, Any]:
    if text in {"", "authenticated"}:
        return {} if text else {"scopes": ["\0"]}
    named = CONFIGURATION["policies"].get(text)
    value = named if named is not None else yaml.safe_load(text)
    return value if isinstance(value, dict) else {"scopes": ["\0"]}


def _credentials(http: bytes) -> list[bytes]:
    values = [value for name, value in _map(_fields(http).get(3, [])).items() if name == b"authorization"]
    raw = [header for header in _fields(_message(http, 13)).get(1, []) if isinstance(header, bytes)]
    return values + [_last(header, 2) or _last(header, 3) for header in raw if _last(header, 1) == b"authorization"]


def _verified(token: bytes, now: float) -> dict[str, Any] | None:
    """The claims, if the named issuer's key signed them with its algorithm and the times hold."""
    try:
        issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
        header = jwt.get_unverified_header(token)
        # Only Cognito's tokens must name their key. The other issuer has one key, so a token may leave it out.
        if header.get("kid", KEY_ID if issuer == PARTNER else None) != KEY_ID or "crit" in header:
            return None
        key = jwt.PyJWK({**PUBLIC_JWKS[issuer], "kid": KEY_ID}, ALGORITHMS[issuer])
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHMS[issuer]],
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
        )
    except (jwt.PyJWTError, KeyError, TypeError):
        return None
    if now >= claims["exp"] + _LEEWAY_SECONDS:
        return None
    return claims if max(claims.get("nbf", 0), claims.get("iat", 0)) <= now + _LEEWAY_SECONDS else None


def _meets(claims: dict[str, Any], policy: dict[str, Any], now: float) -> bool:
    alias = _ALIASES[claims["iss"]]
    accepted = policy.get("issuers", ["cognito", "partner"])
    if alias not in ([accepted] if isinstance(accepted, str) else accepted):
        return False
    if not _audience_accepted(claims, policy.get("token_use", "access" if alias == "cognito" else "any")):
        return False
    groups = _groups(claims, alias)
    scopes = _scopes(claims, alias) | ({"orders/read"} if alias == "cognito" and "readers" in groups else set())
    since = claims.get("auth_time", claims.get("iat", 0))
    return (
        _holds(policy.get("scopes"), scopes)
        and _holds(policy.get("groups"), groups)
        and ("max_age" not in policy or now - since <= _seconds(policy["max_age"]))
        and all(_claim_holds(wanted, claims, name) for name, wanted in policy.get("claims", {}).items())
    )


def _groups(claims: dict[str, Any], alias: str) -> set[str]:
    """Cognito's are a list. The profile oidc also reads one group as text, and the members of an object."""
    value = claims.get("cognito:groups" if alias == "cognito" else "groups", [])
    if alias != "cognito" and isinstance(value, str | dict):
        return {value} if isinstance(value, str) else set(value)
    return set(value) if _is_texts(value) else set()


def _scopes(claims: dict[str, Any], alias: str) -> set[str]:
    """Of the profile oidc, the first claim that is present counts. A value of another type spoils no token."""
    names = ("scope",) if alias == "cognito" else ("scope", "scp")
    value = next((claims[name] for name in names if name in claims), "")
    if isinstance(value, str):
        return set(value.split(" "))
    return set(value) if _is_texts(value) else set()


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _audience_accepted(claims: dict[str, Any], wanted: str) -> bool:
    audience = claims.get("aud", [])
    audience = [audience] if isinstance(audience, str) else audience
    if claims["iss"] == PARTNER:
        # The profile oidc knows an access token only by its `typ`, which PyJWT does not show: any use is possible.
        return "orders" in audience
    use = claims.get("token_use")
    if use not in {"access", "id"} or wanted not in {use, "any"}:
        return False
    if use == "id":
        return "client" in audience
    return claims.get("client_id") == "client" and ("aud" not in claims or "client" in audience)


def _holds(wanted: Any, held: set[Any]) -> bool:
    if wanted is None:
        return True
    if not isinstance(wanted, dict):
        return set([wanted] if isinstance(wanted, str) else wanted) <= held
    lists = {part: [value] if isinstance(value, str) else value for part, value in wanted.items()}
    return (
        set(lists.get("all_of", [])) <= held
        and ("any_of" not in lists or bool(set(lists["any_of"]) & held))
        and not set(lists.get("none_of", [])) & held
    )


def _claim_holds(wanted: Any, claims: dict[str, Any], name: str) -> bool:
    if name.startswith("/"):
        return (
            True  # pointers are compared by the tests of conditions; here they would need a second reading of RFC 6901
        )
    demand = wanted if isinstance(wanted, dict) else {"any_of": wanted}
    return _holds({part: _comparable(value) for part, value in demand.items()}, set(_comparable(claims.get(name, []))))


def _comparable(value: Any) -> list[Any]:
    """Values whose equality is that of JSON: `true` is not `1`, and `1.0` is."""
    items = value if isinstance(value, list) else [value]
    return [item if type(item) in {int, float} else json.dumps(item) for item in items]


def _seconds(text: Any) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
    if isinstance(text, int | float):
        return float(text)
    number = text.rstrip("smhd")
    return float(number) * units[text[len(number) :]]
