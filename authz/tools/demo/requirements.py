"""Check that the demo's requirements are installed. Each missing one is named with its fix."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from authz.tools.processes.machine import INSTALL, CannotRunError

_SHIPPED_IN_WHEEL = Path(__file__).with_name("envoy.yaml")
_SHIPPED_IN_CHECKOUT = Path(__file__).parents[3] / "deploy" / "envoy.yaml"


def require_packages() -> None:
    """Check that the Cognito emulator and the AWS client can be imported. Raises CannotRunError."""
    missing = [name for name in ("ministack", "boto3") if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotRunError(f"not installed: {', '.join(missing)}. Install {INSTALL}")


def shipped_envoy_yaml() -> str:
    """The text of deploy/envoy.yaml, from the installed package or from the checkout."""
    for path in (_SHIPPED_IN_WHEEL, _SHIPPED_IN_CHECKOUT):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise CannotRunError(f"deploy/envoy.yaml is not where it was expected: {_SHIPPED_IN_WHEEL}")
