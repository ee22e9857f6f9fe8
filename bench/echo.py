"""The least that the loop can cost: it answers every check with the same bytes, without a look at the message.

`python -m bench.echo ADDRESS ANSWER_FILE`; the answer is one that authz gives, so that both carry the same sizes.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from authz.server.engine import Service
from authz.server.loop import Loop
from bench.pool import CHECK_PATH


def main() -> None:
    address, answer = sys.argv[1], Path(sys.argv[2]).read_bytes()
    loop = Loop(address, Service({CHECK_PATH: lambda _message, _call: answer}, lambda _call: answer))
    signal.signal(signal.SIGTERM, lambda _signal, _frame: loop.stop(0.0))
    loop.serve()


if __name__ == "__main__":
    main()
