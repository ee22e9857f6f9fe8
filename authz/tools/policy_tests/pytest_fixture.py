"""The fixture for policy tests: mint tokens of any configured issuer, and decide requests with them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from authz.envoy.settings import read_settings
from authz.server.conversation import Question
from authz.tools.policy_tests.checks import Checks, Outcome
from authz.tools.policy_tests.mint import LIFETIME_SECONDS, Token


class Policies:
    """The policies of one Envoy YAML, to be asked in a test.

    The tokens are signed with throw-away keys that only these policies trust.
    """

    def __init__(self, envoy_config: str | Path) -> None:
        """Raises OSError if the file cannot be read, ConfigurationError with every problem in it."""
        text = Path(envoy_config).read_text(encoding="utf-8")
        # Deprecation warnings of our libraries must not fail the tests of a user's service.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            settings = read_settings(text, str(envoy_config), need_endpoints=False)
        self._checks = Checks(settings)

    def mint(  # noqa: PLR0913 - each is one property of a token, given by name
        self,
        claims: Mapping[str, Any] | None = None,
        *,
        issuer: str | None = None,
        age: float = 0.0,
        lifetime: float = LIFETIME_SECONDS,
        header: Mapping[str, Any] | None = None,
        forged: bool = False,
        userinfo: Mapping[str, Any] | None = None,
        now: float | None = None,
        scopes: Sequence[str] = (),
        groups: Sequence[str] = (),
        client: str = "",
    ) -> str:
        """A token of the issuer of that alias, or of the only one. Claims that are None are left out.

        `age` and `lifetime` are seconds; `userinfo` is what the issuer's endpoint says of it. Raises UnknownIssuer.
        """
        token = Token(
            claims or {},
            age,
            lifetime,
            header,
            forged,
            userinfo,
            scopes=tuple(scopes),
            groups=tuple(groups),
            client=client,
        )
        return self._checks.mint(issuer, token, time.time() if now is None else now)

    def check(
        self,
        policy: str,
        token: str | None = None,
        *,
        method: str = "GET",
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        now: float | None = None,
    ) -> Outcome:
        """Return the outcome of a request with this bearer token on a route with this named or inline policy."""
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return self._checks.ask(Question(policy, method, path, sent), time.time() if now is None else now)
