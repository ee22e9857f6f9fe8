"""Becomes another program, which the kernel kills when its parent process has exited (prctl(2)).

Run as `python launch.py PARENT PROGRAM ARGUMENTS...` with the parent's process id. It replaces a `preexec_fn`,
with which a child is made by fork(2) and runs what libraries do after a fork: gRPC's part of that aborts now and then.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, program: str, *arguments: str) -> None:
    """Ask to be ended with the parent, then become the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(program, [program, *arguments])  # noqa: S606 - there is no shell, and that is meant


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
