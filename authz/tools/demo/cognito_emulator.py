"""The emulator of Amazon Cognito: ministack, run as a child process on a loopback port.

It has the user pools API, the hosted login page, the token endpoint and per-pool keys, and signs tokens with the
issuer name that the real service uses. It needs no account and no network.
"""

from __future__ import annotations

import sys
from pathlib import Path

from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, free_port


def start_emulator(children: Children, directory: Path, preferred_port: int = 0) -> str:
    """Start it and wait for it, on the preferred port if that is free. Returns its `http://127.0.0.1:PORT`.

    Its files go to `directory`.
    """
    port = free_port(preferred_port)
    environment = child_environment(
        AUTH="true",  # wrong credentials are refused, as by the real service
        BIND_HOST=LOOPBACK,  # the default is every interface
        GATEWAY_PORT=str(port),
        IOT_MTLS_ENABLED="0",  # else it opens a second port, on every interface
        LOG_LEVEL="WARNING",
        STATE_DIR=str(directory / "cognito-state"),
        TMPDIR=str(directory),
    )
    child = children.start("cognito", [sys.executable, "-m", "ministack"], environment)
    address = f"http://{LOOPBACK}:{port}"
    children.wait_until_ready(child, f"{address}/_ministack/ready")
    return address
