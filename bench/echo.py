"""The gRPC server with only some steps of a check: the cost of gRPC, and the cost of each added step.

`python -m bench.echo ADDRESS ANSWER_FILE [STEP AUTHZ_FILE]`. Whatever the step does, the answer is the same bytes,
which authz gave once, so that all carry the same sizes.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from authz.core.check import decide
from authz.server import wire
from authz.server.engine import Handler, Service
from authz.server.http2_engine import Http2Engine
from authz.server.methods import CHECK_METHOD
from authz.server.pb import ext_authz_pb2 as pb
from bench.inside import rules_of

NOTHING = "nothing: the echo"
PROTOBUF = "decode the protobuf message"
PARSE = "parse: the parts that are read, as Python values"
DECIDE = "decide"
RENDER = "decide and render"
STEPS = (NOTHING, PROTOBUF, PARSE, DECIDE, RENDER)


def _work(step: str, authz: Path) -> Callable[[bytes], object]:
    """The function applied to a message."""
    if step in {PROTOBUF, PARSE}:
        return pb.CheckRequest.FromString if step == PROTOBUF else wire.parse
    rules = rules_of(json.loads(authz.read_text(encoding="utf-8")))
    if step == DECIDE:
        return lambda message: decide(rules, message, time.time(), may_wait=False)
    return lambda message: rules.renderer.render(decide(rules, message, time.time(), may_wait=False))


def _handler(answer: bytes, step: str, authz: Path) -> Handler:
    if step == NOTHING:
        return lambda _message, _call: answer
    work = _work(step, authz)

    def handle(message: bytes, _call: object) -> bytes:
        work(message)
        return answer

    return handle


def main() -> None:
    address, answer = sys.argv[1], Path(sys.argv[2]).read_bytes()
    step, authz = (sys.argv[3], Path(sys.argv[4])) if len(sys.argv) > 3 else (NOTHING, Path())
    engine = Http2Engine(address, Service({CHECK_METHOD: _handler(answer, step, authz)}, lambda _call: answer))
    signal.signal(signal.SIGTERM, lambda _signal, _frame: engine.stop(0.0))
    engine.serve()


if __name__ == "__main__":
    main()
