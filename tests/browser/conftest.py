"""What the scenes saw, once for each provider: the Cognito emulator, and a certified OpenID provider."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from tests.browser import secure_demo, secure_oidc
from tests.browser.play import EVERYWHERE, Seen, play, require

_COGNITO = ("wrongPassword", "signOut", "signOutAtProvider", "pages")
_OIDC = (
    "wrongPassword",
    "consentDenied",
    "loginAbandoned",
    "withheldScope",
    "expiry",
    "expiryInTwoTabs",
    "fetchesAtOnceAfterExpiry",
    "expiryWithoutRefreshToken",
    "signOut",
    "signOutAtProvider",
    "signOutAtProviderThenExpiry",
)


@pytest.fixture(scope="session")
def cognito() -> dict[str, Seen]:
    """What every scene at the emulator saw. The last one is played after the sidecar has been killed."""
    require()
    with secure_demo.running() as demo:
        given = _given(demo) | {
            "provider": demo.place.cognito,
            "clientId": demo.pool.web_client_id,
            "users": {name: asdict(getattr(demo.pool, name)) for name in ("staff", "newcomer")},
        }
        seen = play("cognito_scenes.mjs", given, EVERYWHERE + _COGNITO)
        demo.sidecar.process.kill()
        demo.sidecar.process.wait(30)
        return seen | play("cognito_scenes.mjs", given, ["away"])


@pytest.fixture(scope="session")
def oidc() -> dict[str, Seen]:
    """What every scene at the OpenID provider saw."""
    require("oidc-provider")
    with secure_oidc.running() as stack:
        given = _given(stack) | {
            "provider": stack.provider,
            "clientId": secure_oidc.CLIENT,
            "users": {name: asdict(person) for name, person in secure_oidc.PEOPLE.items()},
        }
        return play("oidc_scenes.mjs", given, EVERYWHERE + _OIDC)


@pytest.fixture(params=["cognito", "oidc"])
def scenes(request: pytest.FixtureRequest) -> dict[str, Seen]:
    """What the scenes of every provider saw, for each provider."""
    seen: dict[str, Seen] = request.getfixturevalue(request.param)
    return seen


def _given(stack: secure_demo.SecureDemo | secure_oidc.SecureOidc) -> dict[str, Any]:
    return {
        "home": stack.place.home,
        "cert": str(stack.place.directory / "tls.crt"),
        "key": str(stack.place.directory / "tls.key"),
        "pagePort": stack.page_port,
    }
