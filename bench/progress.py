"""Show the current measurement and its elapsed time: one line, overwritten on a terminal."""

from __future__ import annotations

import sys
import time


class Progress:
    """Tells the steps of one run."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def step(self, what: str) -> None:
        """Show the next measurement."""
        elapsed = int(time.monotonic() - self._began)
        line = f"{elapsed // 60:2}:{elapsed % 60:02}  {what}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Clear the line for the next output."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
