"""Which policy Envoy's route names: by name, or written in place as YAML. Parsed once, remembered, bounded."""

from __future__ import annotations

from dataclasses import replace

from authz.core.policy import Policy
from authz.core.problems import ConfigurationError
from authz.core.read_policy import INLINE, References, is_name, read_inline
from authz.core.reasons import Denied, Reason

MAX_INLINE_POLICIES = 1024
"""Policies written in place that are remembered. They come from Envoy's configuration, never from a client."""

MAX_INLINE_NAMES = 256
"""Names of such policies that become metric labels; those beyond count as `inline`. Routes that come and go over xDS
would otherwise add labels for ever."""

MAX_INLINE_CHARACTERS = 16 * 1024
"""The longest policy text that is read."""


class Policies:
    """The policies of one configuration, found by the text of `context_extensions.policy`."""

    def __init__(self, known: References) -> None:
        self._named = known.policies
        self._known = known
        self._inline: dict[str, Policy | str] = {}
        self._inline_names: set[str] = set()

    def find(self, text: str) -> Policy:
        """The policy of that name or text, if it lets anything through.

        Raises Denied: POLICY_MISSING, POLICY_INVALID with what is wrong in its detail.
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
        if len(self._inline) >= MAX_INLINE_POLICIES:
            self._inline.clear()
        self._inline[text] = policy = self._bound_name(read_policy_text(text, self._known))
        return policy

    def _bound_name(self, policy: Policy | str) -> Policy | str:
        if isinstance(policy, str):
            return policy
        if policy.name not in self._inline_names and len(self._inline_names) >= MAX_INLINE_NAMES:
            return replace(policy, name=INLINE)
        self._inline_names.add(policy.name)
        return policy


def read_policy_text(text: str, references: References) -> Policy | str:
    """A policy written in place, or what is wrong with it in words."""
    # Only where a route has such a policy: a worker without one never loads a YAML parser.
    from authz.envoy.document import read  # noqa: PLC0415

    try:
        return read_inline(read(text, "policy").data, references)
    except ConfigurationError as error:
        return "; ".join(map(str, error.problems))
