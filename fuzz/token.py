"""Any text as a token: parsed or Denied, and a parsed token has no second encoding."""

from __future__ import annotations

import base64
import json

from authz.core import bearer, token
from authz.core.reasons import Denied
from fuzz import rig

MAX_BYTES = 20_000
SEEDS = [rig.good_token(issuer).encode() for issuer in rig.ALGORITHMS] + [b"a.b.c", b"eyJhbGciOiJub25lIn0.e30."]


def one_input(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        unverified = rig.TOKEN_CEILING.holds(len(data), lambda: token.parse(bearer.require_b64token(text)))
    except Denied:
        return

    signing_input, _, signature = text.rpartition(".")
    assert unverified.signed == signing_input.encode()
    assert base64.urlsafe_b64encode(unverified.signature).rstrip(b"=").decode() == signature
    assert isinstance(unverified.unverified_issuer, str)
    assert unverified.header.algorithm
    header = json.loads(base64.urlsafe_b64decode(text.partition(".")[0] + "=="))
    assert unverified.header.key_id == header.get("kid", "")
    assert unverified.header.key_id or "kid" not in header
