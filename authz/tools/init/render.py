"""The template with the answers put in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from authz.core.problems import ConfigurationError
from authz.core.profiles import PROFILES
from authz.envoy.document import read
from authz.tools.init import pages
from authz.tools.init.answers import Answers

TEMPLATE = Path(__file__).with_name("envoy.yaml.j2")
PROVIDER_NAMES = {"cognito": "Amazon Cognito"}


def render(answers: Answers) -> str:
    """The Envoy YAML. Raises ConfigurationError if an answer is missing or wrong."""
    answers.require_complete()
    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - the output is YAML; answers of any shape pass one of the filters
    )
    environment.filters |= {"flow": _flow, "quoted": json.dumps, "scalar": _scalar, "singular": _singular}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(_values(answers))


def _values(answers: Answers) -> dict[str, Any]:
    profile = PROFILES[answers.profile]
    services = [
        {
            "name": service.name,
            "prefix": service.prefix.rstrip("/"),
            "host": service.host,
            "port": service.port,
            "is_address": service.is_address,
            "cluster": "app" if len(answers.services) == 1 else service.name,
        }
        for service in answers.services
    ]
    return {
        "alias": answers.profile if answers.profile != "oidc" else "provider",
        "audiences": answers.audiences,
        "client_ids": answers.client_ids if profile.audience_is_client_id or answers.login else (),
        "takes_client_ids": profile.audience_is_client_id,
        "cors": answers.cors,
        "endpoints": answers.login_endpoints,
        "host": answers.host,
        "issuer": answers.issuer,
        "login": answers.login,
        "marked": answers.marked,
        "name": answers.name or answers.host.partition(".")[0],
        "owner_claim": f'{profile.owner_claims[0].claim}: "4242"' if profile.owner_claims else "",
        "pages": pages,
        "profile": answers.profile,
        "provider": PROVIDER_NAMES.get(answers.profile, "the provider"),
        "secrets": answers.login or answers.tls,
        "services": services,
        "sign_out": answers.sign_out,
        "sockets": [
            "/run/authz/authz.sock" if not n else f"/run/authz/authz-{n + 1}.sock" for n in range(answers.workers)
        ],
        "tls": answers.tls,
        "user_pool_id": answers.user_pool_id,
        "workload": profile.is_workload,
    }


def _scalar(text: str) -> str:
    """A YAML scalar, quoted unless it reads back as the same text: a URL from a provider can hold a line break."""
    try:
        reads_back = read(f"at: {text}\n", "").data == {"at": text}
    except ConfigurationError:
        reads_back = False
    return text if reads_back else json.dumps(text)


def _flow(items: Iterable[str]) -> str:
    """A YAML flow list. Each item is quoted unless it is plain."""
    plain = (
        _scalar(item)
        if item.replace("-", "").replace(".", "").isalnum() and not item[0].isdigit()
        else json.dumps(item)
        for item in items
    )
    return f"[{', '.join(plain)}]"


def _singular(name: str) -> str:
    return name.removesuffix("s")
