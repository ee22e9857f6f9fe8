"""The questions that `authz init` asks on a terminal, for the options that were not given."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from authz.core.profiles import PROFILES, Profile

Prompt = Callable[[str], str]


def ask(options: argparse.Namespace, prompt: Prompt = input) -> None:
    """Set each missing option from an answer. An empty answer leaves the option missing."""
    if options.profile is None:
        answer = _line(prompt, f"Profile ({', '.join(PROFILES)}) [oidc]: ") or "oidc"
        options.profile = answer if answer in PROFILES else None
    if options.profile is None:
        return
    profile = PROFILES[options.profile]
    if options.login is None and not profile.is_workload:
        options.login = _line(prompt, "Do browsers sign in here? [y/N]: ").lower() in {"y", "yes"}
    options.login = bool(options.login)
    for name, is_list, question in _missing(options, profile):
        answer = _line(prompt, f"{question}: ")
        setattr(options, name, answer.split() if is_list else answer)


def _missing(options: argparse.Namespace, profile: Profile) -> Iterator[tuple[str, bool, str]]:
    """Each option that this profile needs and that was not given: its name, whether it is a list, the question."""
    is_cognito = profile.name == "cognito"
    needed = {
        "user_pool_id": (is_cognito, False, "User pool id (such as ap-northeast-1_AbCdEfGhI)"),
        "issuer": (not is_cognito and not profile.issuers, False, "Issuer, the exact `iss` of its tokens"),
        "client_id": (profile.audience_is_client_id or options.login, True, "Client ids, separated by blanks"),
        "audience": (not profile.audience_is_client_id, True, "Audiences (`aud`) for this API, separated by blanks"),
        "login_domain": (is_cognito and options.login, False, "Domain of the hosted login page"),
        "host": (True, False, "Host name that clients use"),
        "upstream": (True, True, "Services behind Envoy (/orders=127.0.0.1:8080), separated by blanks"),
    }
    for name, (is_needed, is_list, question) in needed.items():
        if is_needed and not getattr(options, name):
            yield name, is_list, question


def _line(prompt: Prompt, question: str) -> str:
    """One answer. The question goes to standard error, so that `--output -` stays clean."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return prompt("").strip()
