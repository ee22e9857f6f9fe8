"""A missing requirement is named."""

from __future__ import annotations

import importlib.util

import pytest

from authz.tools.demo.requirements import require_packages
from authz.tools.processes.machine import CannotRunError


def test_missing_package_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ministack" else object())

    with pytest.raises(
        CannotRunError, match=r"not installed: ministack\. .*the extra `demo` .*pip install '\.\[demo\]'"
    ):
        require_packages()
