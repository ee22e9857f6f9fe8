"""What holds for every test: Hypothesis tries the same examples in every run, so that a red run can be seen again.

Looking for new ones is what `make fuzz` is for.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("the same in every run", derandomize=True, database=None, deadline=None)
settings.load_profile("the same in every run")
