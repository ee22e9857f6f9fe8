"""One API server for all tests here. `make cluster` builds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.build import PROGRAMS
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.planes.build import why_not


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    if why_not(PROGRAMS):
        pytest.skip(why_not(PROGRAMS))
    if not all(program.path.is_file() for program in PROGRAMS):
        pytest.skip("the API server is not built: run `make cluster`")
    with control_plane() as started:
        yield started
