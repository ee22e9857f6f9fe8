"""The verdicts of other libraries on the corpus, each used as its documentation tells an application to."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jwt

from tests.fakes.checks import CLIENT, COGNITO, COGNITO_KEY, COGNITO_KID, POOL
from tests.fakes.keys import jwk

LEEWAY_SECONDS = 10
NODE_LIBRARIES = ("aws-jwt-verify", "jose")

_FOLDER = Path(__file__).parent
_JWK = jwk(COGNITO_KEY, COGNITO_KID)
_RUN_SECONDS = 60


def node_is_ready() -> bool:
    """Whether Node.js and the two libraries are installed: `npm ci --prefix tests/differential`."""
    return shutil.which("node") is not None and (_FOLDER / "node_modules" / "jose").is_dir()


def pyjwt_accepts(token: str) -> bool:
    """PyJWT, with every check of its own that fits an access token of Cognito, and the two claims checked by hand."""
    try:
        if jwt.get_unverified_header(token).get("kid") != COGNITO_KID:
            return False
        claims = jwt.decode(
            token,
            jwt.PyJWK(_JWK),
            algorithms=["RS256"],
            issuer=COGNITO,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss"], "verify_aud": False},
        )
    except Exception:  # noqa: BLE001 - what it raises beside its own errors is a refusal too
        return False
    return bool(claims.get("token_use") == "access" and claims.get("client_id") == CLIENT)


def node_verdicts(tokens: Mapping[str, str]) -> dict[str, dict[str, bool]]:
    """By token and library, whether it accepts."""
    question = {
        "tokens": tokens,
        "jwks": {"keys": [_JWK]},
        "issuer": COGNITO,
        "userPoolId": POOL,
        "clientId": CLIENT,
        "leeway": LEEWAY_SECONDS,
    }
    done = subprocess.run(
        [_node(), str(_FOLDER / "judges.mjs")],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
        timeout=_RUN_SECONDS,
    )
    verdicts: dict[str, dict[str, bool]] = json.loads(done.stdout)
    return verdicts


@cache
def _node() -> str:
    found = shutil.which("node")
    assert found is not None
    return found
