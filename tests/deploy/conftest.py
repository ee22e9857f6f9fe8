"""The metrics page of a real sidecar whose configuration has one of everything."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from authz.tools.demo.client import HttpClient
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import free_port
from tests.deploy.queries import Page
from tests.fakes.keys import jwk, jwks, rsa_key

_ROOT = Path(__file__).parents[2]

_CONFIGURATION = """\
node:
  id: orders-api
  cluster: orders-api
  metadata:
    authz:
      issuers:
        idp: {{ profile: oidc, issuer: https://idp.example.com, audiences: [orders], jwks_file: "{keys}" }}
        other: {{ profile: oidc, issuer: https://other.example.com, audiences: [orders], jwks_file: "{keys}" }}
        pool:
          profile: cognito
          user_pool_id: ap-northeast-1_AbCdEfGhI
          client_ids: [c]
          jwks_file: "{keys}"
          userinfo_uri: https://login.example.com/oauth2/userInfo
      revocations_file: "{revocations}"
      policies:
        everything: {{ issuers: [idp, pool], scopes: [orders/read], groups: [staff], max_age: 15m, candidate: relaxed }}
        relaxed: {{ optional: true }}
        asked: {{ issuers: [pool], userinfo: true }}
"""


@pytest.fixture(scope="session")
def page_text() -> Iterator[str]:
    """What the sidecar's /metrics says."""
    # A short path of our own: pytest's can be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="authz-") as name, Children(Path(name)) as children:
        directory = Path(name)
        (directory / "keys.json").write_bytes(jwks(jwk(rsa_key(), "k1")))
        (directory / "revocations.json").write_text('{"revoked": []}')
        (directory / "envoy.yaml").write_text(
            _CONFIGURATION.format(keys=directory / "keys.json", revocations=directory / "revocations.json")
        )
        admin = f"127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "authz", "serve", "--envoy-config", str(directory / "envoy.yaml")]
        command += ["--listen", f"unix:{directory}/authz.sock", "--admin", admin]
        sidecar = children.start("authz", command, child_environment(PYTHONPATH=str(_ROOT)))
        children.wait_until_ready(sidecar, f"http://{admin}/readyz", 30.0)
        yield HttpClient().ask("GET", f"http://{admin}/metrics").body.decode()


@pytest.fixture(scope="session")
def page(page_text: str) -> Page:
    return Page.parse(page_text)
