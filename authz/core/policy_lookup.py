"""Look up the policy that Envoy's route names: a configured name, or an inline policy as YAML text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from authz.core.policy import Policy
from authz.core.problems import ConfigurationError
from authz.core.read_policy import INLINE, References, is_name, read_inline
from authz.core.reasons import Denied, Reason

MAX_INLINE_POLICIES = 1024
"""Inline policies kept after parsing. They come from Envoy's configuration, never from a client."""

MAX_INLINE_NAMES = 256
"""Names of inline policies that become metric labels. Further ones count as `inline`. Without the bound, routes that
come and go over xDS would add labels forever."""

MAX_INLINE_CHARACTERS = 16 * 1024
"""The longest inline policy text."""

MAX_PROBLEMS = 10
"""Problems of an inline policy that its message names. The message is in the log of every request to the route."""

ParseYaml = Callable[[str], object]
"""Returns the data in a YAML text. Raises ConfigurationError. Passed in, so that the core loads no YAML parser."""


class PolicyLookup:
    """The policies of one configuration, found by the text of `context_extensions.policy`."""

    def __init__(self, references: References, parse_yaml: ParseYaml) -> None:
        self._references = references
        self._parse_yaml = parse_yaml
        self._named = references.policies
        self._inline: dict[str, Policy | str] = {}
        self._inline_names: set[str] = set()

    def find(self, text: str) -> Policy:
        """Return the policy with this name or text.

        Raises Denied: POLICY_MISSING, or POLICY_INVALID with the problem in its detail.
        """
        policy = self._named.get(text) or self._inline.get(text)
        if policy is None:
            policy = self._read(text)
        if isinstance(policy, str):
            raise Denied(Reason.POLICY_INVALID, policy)
        return policy

    def _read(self, text: str) -> Policy | str:
        if not text:
            raise Denied(Reason.POLICY_MISSING, "context_extensions has no `policy`")
        if is_name(text):
            raise Denied(Reason.POLICY_INVALID, f"no policy is called {text!r}")
        if len(text) > MAX_INLINE_CHARACTERS:
            raise Denied(Reason.POLICY_INVALID, f"the policy is longer than {MAX_INLINE_CHARACTERS} characters")
        # Clearing everything is enough: a file has far fewer inline policies, and parsing again costs milliseconds.
        if len(self._inline) >= MAX_INLINE_POLICIES:
            self._inline.clear()
        policy = read_policy_text(text, self._references, self._parse_yaml)
        self._inline[text] = policy = self._bound_name(policy)
        return policy

    def _bound_name(self, policy: Policy | str) -> Policy | str:
        if isinstance(policy, str):
            return policy
        if policy.name not in self._inline_names and len(self._inline_names) >= MAX_INLINE_NAMES:
            return replace(policy, name=INLINE)
        self._inline_names.add(policy.name)
        return policy


def read_policy_text(text: str, references: References, parse_yaml: ParseYaml) -> Policy | str:
    """Return an inline policy, or its problems as one sentence."""
    try:
        return read_inline(parse_yaml(text), references)
    except ConfigurationError as error:
        named = [str(problem) for problem in error.problems[:MAX_PROBLEMS]]
        more = len(error.problems) - len(named)
        return "; ".join(named) + (f"; and {more} more" if more else "")
