"""What a process of ours has really loaded: the proof that the reading of imports did not miss one."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sorted(sys.modules))"


def _loaded(module: str) -> set[str]:
    """The top-level names in sys.modules of a new process that has imported the module."""
    command = [sys.executable, "-c", SHOW, module]
    process = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return set(process.stdout.split()) | {name.partition(".")[0] for name in process.stdout.split()}


@pytest.mark.parametrize("module", ["authz.server.supervisor", "authz.cli.serve_command", "authz.envoy.settings"])
def test_the_supervisor_has_not_loaded_grpc(module: str) -> None:
    assert "grpc" not in _loaded(module)


def test_a_worker_has_loaded_no_reader_of_yaml_no_metrics_library_and_no_grpc() -> None:
    unwanted = {"yaml", "envoy_data_plane", "betterproto2", "prometheus_client", "grpc", "h2", "logging.config"}

    assert not _loaded("authz.server.worker") & unwanted
    assert not _loaded("authz.server.http2_engine") & unwanted


def test_the_core_has_loaded_neither_protocol_nor_metrics() -> None:
    assert not _loaded("authz.core.configuration") & {"grpc", "google.protobuf", "prometheus_client", "yaml"}


@pytest.mark.parametrize("module", ["authz.cli.main", "authz.server.supervisor"])
def test_neither_help_nor_serving_loads_the_linter_or_envoys_types(module: str) -> None:
    assert not {name for name in _loaded(module) if name.startswith(("authz.tools.lint", "envoy_data_plane"))}
