"""Any text as a route's policy: it becomes a policy or an error message, never an exception."""

from __future__ import annotations

from authz.core.policy import Policy
from authz.core.policy_lookup import read_policy_text
from authz.core.read_policy import References
from authz.envoy.inline_policy import parse_inline_policy
from fuzz import rig

MAX_BYTES = 4_000
MAX_SENTENCE = 100_000
SEEDS = [
    b"{scopes: [orders/write], groups: [staff]}",
    b"{scopes: {all_of: [a], any_of: [b, c], none_of: d}, max_age: 15m, optional: true, name: x}",
    b'{claims: {/a/b: [1, true, "x"], c: {none_of: d}}, token_use: id, issuers: [cognito]}',
    b"{userinfo: true, candidate: read}",
    b"&a [*a, *a]",
    b"&a [" + b"a," * 1_000 + b"*a]",
    b"[&a [1,1,1,1,1,1,1,1],&b [" + b"*a," * 500 + b"*a]]",
    b"[" * 900,
    b"[" * 18 + b"1" + b",1" * 1_900 + b"]" * 18,
    b"{" + b",".join(b"%x" % number for number in range(900)) + b"}",
    b"{<<: {a: b}}",
]

_KNOWN = References(frozenset({"cognito", "partner"}))


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    read = rig.DOCUMENT_CEILING.holds(len(data), lambda: read_policy_text(text, _KNOWN, parse_inline_policy))

    if isinstance(read, Policy):
        assert read.reads_token
    else:
        assert 0 < len(read) < MAX_SENTENCE
