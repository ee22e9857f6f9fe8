"""How gRPC's C core is told to keep calls on the thread that polls."""

from __future__ import annotations

import subprocess
import sys

from authz.server.engine import CORE_ENVIRONMENT

SERVE_ONE_CALL = "from authz.server.selftest import loop_fault; print(loop_fault() or 'no fault')"


def test_the_core_knows_every_name_it_is_told() -> None:
    """It says so in its log where it does not, and then works with threads of its own: slower."""
    talkative = {**CORE_ENVIRONMENT, "GRPC_VERBOSITY": "INFO"}

    ran = subprocess.run(
        [sys.executable, "-c", SERVE_ONE_CALL], env=talkative, capture_output=True, text=True, timeout=30, check=True
    )

    assert ran.stdout == "no fault\n"
    assert "xperiment" not in ran.stderr


def test_a_name_that_the_core_does_not_know_is_noticed_by_the_test_above_and_stops_nothing() -> None:
    unknown = {**CORE_ENVIRONMENT, "GRPC_VERBOSITY": "INFO", "GRPC_EXPERIMENTS": "-no_such_thing"}

    ran = subprocess.run(
        [sys.executable, "-c", SERVE_ONE_CALL], env=unknown, capture_output=True, text=True, timeout=30, check=True
    )

    assert ran.stdout == "no fault\n"
    assert "xperiment" in ran.stderr
