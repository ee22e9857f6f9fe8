"""The pytest plugin in a project of its own, as a team that has the package installed uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SHIPPED = Path(__file__).parents[2] / "deploy" / "envoy.yaml"

_TESTS = """\
from authz.tools.policy_tests.pytest_fixture import Policies

def test_reader_may_read(authz_policies: Policies) -> None:
    token = authz_policies.mint({"scope": "orders/read", "username": "jo"})
    outcome = authz_policies.check("orders-read", token)
    assert outcome.is_allowed
    assert outcome.headers["x-auth-username"] == "jo"

def test_old_token_is_refused(authz_policies: Policies) -> None:
    outcome = authz_policies.check("orders-read", authz_policies.mint(age=7200), headers={"X-A": "b"})
    assert (outcome.reason, outcome.status) == ("token_expired", 401)

def test_anonymous_is_refused(authz_policies: Policies) -> None:
    assert authz_policies.check("{scopes: [a]}", method="POST", path="/x").reason == "token_missing"
"""


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(_TESTS, encoding="utf-8")
    return tmp_path


def test_fixture_mints_and_checks_for_the_configured_file(project: Path) -> None:
    (project / "pytest.ini").write_text(f"[pytest]\nauthz_envoy_config = {SHIPPED}\n", encoding="utf-8")

    done = _pytest(project)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_without_a_file_the_fixture_says_how_to_name_one(project: Path) -> None:
    done = _pytest(project, "-k", "anonymous")

    assert done.returncode == 1
    assert "authz_envoy_config" in done.stdout


def test_plugin_loads_nothing_of_authz_where_nobody_asks(project: Path) -> None:
    (project / "test_it.py").write_text(
        "import sys\ndef test() -> None:\n    assert not {'yaml', 'jwt', 'google.protobuf'} & set(sys.modules)\n"
    )

    done = _pytest(project, "-p", "no:hypothesispytest")

    assert done.returncode == 0, done.stdout
