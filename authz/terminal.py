"""Terminal output of commands: colour unless disabled (no-color.org), and progress messages for slow steps."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

PATIENCE_SECONDS = 1.0
"""Reports the progress of slow steps."""


class Style:
    """Colours words, or returns them unchanged."""

    def __init__(self, *, is_coloured: bool) -> None:
        self._is_coloured = is_coloured

    @classmethod
    def of(cls, stream: TextIO) -> Style:
        """Colours for a terminal, unless NO_COLOR is set to anything or the terminal is dumb."""
        wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(is_coloured=wanted)

    def _painted(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._is_coloured else text

    def good(self, text: str) -> str:
        """Green."""
        return self._painted("32", text)

    def bad(self, text: str) -> str:
        """Bold red."""
        return self._painted("1;31", text)

    def warning(self, text: str) -> str:
        """Yellow."""
        return self._painted("33", text)

    def faint(self, text: str) -> str:
        """Less important."""
        return self._painted("2", text)

    def strong(self, text: str) -> str:
        """Bold."""
        return self._painted("1", text)


@contextmanager
def patience(what: str, stream: TextIO | None = None) -> Iterator[None]:
    """Print the step to standard error if it takes over a second. Silent unless that is a terminal."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield
        return
    timer = threading.Timer(PATIENCE_SECONDS, lambda: print(f"{what} …", file=stream, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
