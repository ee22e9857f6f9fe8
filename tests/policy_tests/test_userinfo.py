"""Policies that ask the issuer are tested with what the test says it answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authz.cli.main import main

_CONFIG = """\
node:
  cluster: test
  metadata:
    authz:
      issuers:
        partner:
          profile: oidc
          issuer: https://idp.example.com
          audiences: [orders]
          userinfo_uri: https://idp.example.com/userinfo
      policies:
        mailed: { userinfo: true, claims: { "@userinfo/email_verified": true } }
      forward: { x-email: "@userinfo/email" }
"""

_TESTS = """\
envoy_config: envoy.yaml
tests:
- name: verified
  policy: mailed
  token: { userinfo: { sub: test-subject, email_verified: true, email: jo@example.com } }
  expect: { reason: ok, headers: { x-email: jo@example.com } }
- name: unverified
  policy: mailed
  token: { userinfo: { sub: test-subject } }
  expect: claim_mismatch
- name: signed out
  policy: mailed
  token: { userinfo: refused }
  expect: token_revoked
- name: no answer
  policy: mailed
  token: {}
  expect: userinfo_unavailable
"""


def test_answer_of_the_endpoint_is_what_the_test_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "envoy.yaml").write_text(_CONFIG)
    (tmp_path / "tests.yaml").write_text(_TESTS)

    code = main(["test", "--output", "json", str(tmp_path / "tests.yaml")])

    tests = json.loads(capsys.readouterr().out)["tests"]
    assert (code, [test["problems"] for test in tests]) == (0, [[], [], [], []])
