"""The pytest plugin: the fixture `authz_policies`, for tests of policies beside the tests of a service.

pytest finds it by its entry point; nothing of authz is loaded before a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from authz.tools.policy_tests.pytest_fixture import Policies

OPTION = "authz_envoy_config"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option for the path of the Envoy YAML."""
    text = "the Envoy YAML whose policies `authz_policies` checks, relative to the rootdir"
    parser.addini(OPTION, text, default="")
    parser.getgroup("authz").addoption("--authz-envoy-config", metavar="FILE", default="", help=text)


@pytest.fixture(scope="session")
def authz_policies(pytestconfig: pytest.Config) -> Policies:
    """The policies of the Envoy YAML that `authz_envoy_config` names: `mint` makes tokens, `check` decides."""
    from authz.tools.policy_tests.pytest_fixture import Policies  # noqa: PLC0415 - slow to import, and only where it is wanted

    file = pytestconfig.getoption("--authz-envoy-config") or pytestconfig.getini(OPTION)
    if not file:
        pytest.fail(f"say where the Envoy YAML is: {OPTION} in pytest's configuration, or --authz-envoy-config FILE")
    return Policies(pytestconfig.rootpath / str(file))
