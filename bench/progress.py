"""What is being measured right now, and how long it has taken: one line that is written over on a terminal."""

from __future__ import annotations

import sys
import time


class Progress:
    """Tells the steps of one run."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def step(self, what: str) -> None:
        """Say what comes now."""
        elapsed = int(time.monotonic() - self._began)
        line = f"{elapsed // 60:2}:{elapsed % 60:02}  {what}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line free for what is printed next."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
