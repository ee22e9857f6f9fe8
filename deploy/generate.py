"""Write the Envoy files of this folder with `authz init`'s template, or with --check say which differ from it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from authz.tools.init import pages
from authz.tools.init.answers import Answers, Endpoints
from authz.tools.init.render import render

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


def main(*, check: bool) -> int:
    """Write every file. With `check`, write nothing and return 1 if one differs."""
    written = {name: render(answers) for name, answers in FILES.items()}
    written |= {f"pages/{name}": text for name, text in pages.files().items()}
    stale = [name for name, text in written.items() if _differs(DEPLOY / name, text)]
    for name in stale:
        if check:
            sys.stderr.write(f"deploy/{name} is not as `make docs` writes it\n")
        else:
            (DEPLOY / name).parent.mkdir(exist_ok=True)
            (DEPLOY / name).write_text(written[name], encoding="utf-8")
            sys.stdout.write(f"deploy/{name}: written\n")
    return 1 if check and stale else 0


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    sys.exit(main(check=parser.parse_args().check))
