"""A lint rule: a code, a severity, one sentence, and a function that yields the violations.

A rule is added by writing one function under rules/ and one folder of examples under tests/lint/.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from authz.core.problems import Location
from authz.core.problems import Problem as Found

if TYPE_CHECKING:
    from authz.tools.lint.envoy_config import EnvoyConfig

__all__ = ["RULES", "Finding", "Found", "Rule", "Severity", "rule"]


class Severity(StrEnum):
    """How much a finding matters. Errors and warnings make the exit code 1."""

    ERROR = "error"
    """Forbidden requests pass, or valid requests are refused."""
    WARNING = "warning"
    """A protection is missing, or a line has no effect."""
    INFO = "info"
    """A note, not a problem."""


Check = Callable[["EnvoyConfig"], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One lint rule."""

    code: str
    severity: Severity
    title: str
    check: Check

    @property
    def why(self) -> str:
        """Why it matters: the function's docstring."""
        return inspect.getdoc(self.check) or ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of a rule."""

    location: Location
    rule: Rule
    message: str
    fix: str


RULES: dict[str, Rule] = {}
"""Every rule by its code."""


def rule(code: str, severity: Severity, title: str) -> Callable[[Check], Check]:
    """Make a function a rule."""

    def register(check: Check) -> Check:
        if code in RULES:
            raise ValueError(f"{code} is taken by {RULES[code].title!r}")
        RULES[code] = Rule(code, severity, title, check)
        return check

    return register
