"""Write the generated files of this folder, or with --check say which are out of date.

The Envoy files come from `authz init`'s template. The copies for Kubernetes and the shared tier come from those
(deploy/copies.py). The values schema of the Helm chart contains the schema of `node.metadata.authz`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from authz.tools.init import pages
from authz.tools.init.answers import Answers, Endpoints
from authz.tools.init.render import render
from authz.tools.schema.authz_section import authz_section
from deploy import copies

DEPLOY = Path(__file__).parent

_COGNITO = Answers(
    profile="cognito",
    user_pool_id="ap-northeast-1_AbCdEfGhI",
    client_ids=("5onexampleclientid",),
    host="orders.example.com",
    upstreams=("/orders=127.0.0.1:8080",),
    name="orders-api",
    marked=True,
)
_OIDC = replace(
    _COGNITO,
    profile="oidc",
    user_pool_id="",
    issuer="https://idp.example.com/realms/orders",
    client_ids=(),
    audiences=("orders",),
)

FILES: Mapping[str, Answers] = MappingProxyType(
    {
        "envoy.yaml": replace(_COGNITO, login=True, login_domain="orders.auth.ap-northeast-1.amazoncognito.com"),
        "examples/cognito-api-only.yaml": _COGNITO,
        "examples/oidc-login.yaml": replace(
            _OIDC,
            login=True,
            client_ids=("orders-web",),
            endpoints=Endpoints(
                "https://idp.example.com/realms/orders/protocol/openid-connect/auth",
                "https://idp.example.com/realms/orders/protocol/openid-connect/token",
                "https://idp.example.com/realms/orders/protocol/openid-connect/logout",
            ),
        ),
        "examples/cors.yaml": replace(_OIDC, cors=("https://app.example.com", "http://localhost:5173")),
        "examples/behind-load-balancer.yaml": replace(_OIDC, tls=False, workers=2),
        "examples/several-services.yaml": replace(
            _OIDC, upstreams=("/orders=127.0.0.1:8080", "/billing=127.0.0.1:8081", "/v1/reports=reports.internal:8080")
        ),
    }
)


SCHEMA = "helm/envoy-jwt-authz/values.schema.json"


def written() -> Mapping[str, str]:
    """The text of every generated file by its name in deploy/."""
    texts = {name: render(answers) for name, answers in FILES.items()}
    texts |= {f"pages/{name}": text for name, text in pages.files().items()}
    texts |= copies.written(texts["envoy.yaml"], texts["examples/cognito-api-only.yaml"])
    return texts | {SCHEMA: values_schema((DEPLOY / SCHEMA).read_text(encoding="utf-8"))}


def values_schema(text: str) -> str:
    """The chart's values schema with the current schema of issuers and policies below tier.authz."""
    schema = json.loads(text)
    section = _named_by_pattern(json.loads(json.dumps(authz_section())))
    place = schema["properties"]["tier"]["properties"]
    place["authz"] = section | {"description": place["authz"]["description"]}
    return json.dumps(schema, indent=2) + "\n"


def _named_by_pattern(schema: Any) -> Any:
    """The schema with `patternProperties` instead of `propertyNames`: for the latter, Helm names a wrong place."""
    if isinstance(schema, list):
        return [_named_by_pattern(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    below = {name: _named_by_pattern(each) for name, each in schema.items()}
    if set(below.get("propertyNames", ())) == {"pattern"} and isinstance(below.get("additionalProperties"), dict):
        pattern = below.pop("propertyNames")["pattern"]
        below["patternProperties"] = {pattern: below["additionalProperties"]}
        below["additionalProperties"] = False
    return below


def main(*, check: bool) -> int:
    """Write every file. With `check`, write nothing and return 1 if one differs."""
    texts = written()
    stale = [name for name, text in texts.items() if _differs(DEPLOY / name, text)]
    for name in stale:
        if check:
            sys.stderr.write(f"deploy/{name} is not as `make docs` writes it\n")
        else:
            (DEPLOY / name).parent.mkdir(exist_ok=True)
            (DEPLOY / name).write_text(texts[name], encoding="utf-8")
            sys.stdout.write(f"deploy/{name}: written\n")
    return 1 if check and stale else 0


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    sys.exit(main(check=parser.parse_args().check))
