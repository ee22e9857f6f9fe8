"""The engines are tested with the C core set as it is in a worker, which has to be said before it is first used."""

from __future__ import annotations

import os

from authz.server.engine import CORE_ENVIRONMENT

os.environ.update(CORE_ENVIRONMENT | os.environ)
