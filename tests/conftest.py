"""What holds for every test.

Hypothesis tries the same examples in every run, so that a red run can be seen again. Looking for new ones is what
`make fuzz` is for. The tests in a browser run in one process: each process would play all scenes again.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("the same in every run", derandomize=True, database=None, deadline=None)
settings.load_profile("the same in every run")

TOGETHER = "tests/browser/"
"""Tests whose ids begin with this run in one process."""


class BrowserTogether(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Gives the next test to the next free process, and all browser tests to one.

    `--dist loadgroup` would do the same, but xdist 3.8 writes the group where pytest 9.2 no longer reads it.
    """

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BrowserTogether:
    """Return the scheduler of `pytest -n`."""
    return BrowserTogether(config, log)
