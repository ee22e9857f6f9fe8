"""The record of one check and the rules that decided it, as the steps of an explanation read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from authz.core.check import Rules
from authz.core.check_record import CheckRecord
from authz.core.identity import Identity
from authz.core.issuers import Issuer
from authz.core.policy import Policy
from authz.core.request import RequestView
from authz.core.token import UnverifiedToken

T = TypeVar("T")

KeyProblem = Callable[[str], str]
"""Returns why the keys of an issuer (by alias) could not be loaded. Empty if they were."""


def no_problem(_alias: str) -> str:
    """Return that all keys were loaded."""
    return ""


@dataclass(frozen=True, slots=True)
class RecordedCheck:
    """One finished check. The properties are those of the record, for steps that were reached."""

    rules: Rules
    record: CheckRecord
    now: float
    key_problem: KeyProblem = no_problem

    @property
    def request(self) -> RequestView:
        """The request."""
        return _reached(self.record.request)

    @property
    def policy(self) -> Policy:
        """The policy of the route."""
        return _reached(self.record.policy)

    @property
    def credential(self) -> str:
        """The text after `Bearer `."""
        return _reached(self.record.credential)

    @property
    def unverified(self) -> UnverifiedToken:
        """The parsed token."""
        return _reached(self.record.unverified)

    @property
    def issuer(self) -> Issuer:
        """The issuer that the token names."""
        return _reached(self.record.issuer)

    @property
    def identity(self) -> Identity:
        """The verified identity."""
        return _reached(self.record.identity)

    @property
    def lacks_userinfo(self) -> bool:
        """Whether the policy asks for userinfo and the check ended before the answer."""
        return self.policy.userinfo is not None and not self.record.userinfo_is_complete


def _reached(value: T | None) -> T:
    assert value is not None, "the check ended before this step"  # noqa: S101 - a fault of the caller
    return value
