"""Runs the drills, prints the results, and writes drills/figures.json for docs/security.md.

python -m drills.run
"""

from __future__ import annotations

import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from authz.sources.environment import COOL_DOWN_SECONDS
from authz.sources.schedule import JITTER
from drills.sidecar import REFRESH_SECONDS, WORKERS, Sidecar, published, running, token
from tests.fakes.keyserver import Mode

FIGURES = Path(__file__).with_name("figures.json")
FLOOD_SECONDS = 15.0
QUIET_ROUNDS = 6
CALLS_A_ROUND = 2000

Figures = dict[str, float]


def new_key(sidecar: Sidecar) -> Figures:
    """A key is published, and tokens with it come at once: right after a fetch, which is the longest wait there is."""
    seconds = []
    for number in range(4):
        sidecar.keys.document = published("a", f"new-{number}")
        bearer = token(f"new-{number}")
        seconds.append(sidecar.seconds_until(200, bearer))
    return {"seconds until a new key works, longest of 4": max(seconds)}


def removed_key(sidecar: Sidecar) -> Figures:
    """A key is taken out of the set; a token that it signed was verified and is remembered."""
    seconds = []
    for number in range(3):
        sidecar.keys.document = published("a", f"old-{number}")
        bearer = token(f"old-{number}")
        sidecar.seconds_until(200, bearer)
        sidecar.keys.document = published("a")
        seconds.append(sidecar.seconds_until(401, bearer))
    return {f"seconds until a removed key fails, with refresh {REFRESH_SECONDS} s, longest of 3": max(seconds)}


def flood(sidecar: Sidecar) -> Figures:
    """Tokens with unpublished key ids, as fast as one client can, with the endpoint up and down."""
    figures: Figures = {}
    for name, mode in (("up", Mode.SERVE), ("down", Mode.ERROR_500)):
        sidecar.keys.mode = mode
        before, sent, end = sidecar.keys.requests, 0, time.monotonic() + FLOOD_SECONDS
        while time.monotonic() < end:
            assert sidecar.status(token(secrets.token_hex(4)), sent % WORKERS) == 401
            sent += 1
        figures[f"tokens with invented key ids, endpoint {name}"] = sent
        figures[f"fetches per worker meanwhile, endpoint {name}"] = (sidecar.keys.requests - before) / WORKERS
    sidecar.keys.mode = Mode.SERVE
    figures["fetches per worker allowed in that time"] = FLOOD_SECONDS // COOL_DOWN_SECONDS + 1
    return figures


def hanging_endpoint(sidecar: Sidecar) -> Figures:
    """Reference tokens while the endpoint hangs and a request waits for an unknown key, then quiet rounds."""
    seen: dict[Mode, list[float]]
    bearer, seen = token("a"), {Mode.SERVE: [], Mode.HANG: []}
    for number in range(QUIET_ROUNDS):
        mode = (Mode.SERVE, Mode.HANG)[number % 2]
        sidecar.keys.mode = mode
        time.sleep(REFRESH_SECONDS * (1 + JITTER) + 0.5)  # a refresh has begun by now
        stranger = sidecar.ask(token(secrets.token_hex(4)))
        for _ in range(CALLS_A_ROUND):
            began = time.perf_counter()
            assert sidecar.status(bearer) == 200
            seen[mode].append(time.perf_counter() - began)
        assert stranger.result().WhichOneof("http_response") == "denied_response"
    sidecar.keys.mode = Mode.SERVE
    percentiles = {mode: statistics.quantiles(times, n=100) for mode, times in seen.items()}
    return {
        f"p{number} of known tokens, endpoint hanging against healthy (ratio)": percentiles[Mode.HANG][number - 1]
        / percentiles[Mode.SERVE][number - 1]
        for number in (50, 99)
    }


def revocation(sidecar: Sidecar) -> Figures:
    """A token that every worker has just accepted is added to the revocation list."""
    seconds = []
    for number in range(5):
        bearer = token("a", f"subject-{number}")
        sidecar.seconds_until(200, bearer)
        sidecar.revoke({"jti": f"subject-{number}"})
        seconds.append(sidecar.seconds_until(401, bearer))
    return {"seconds until a revocation counts on every worker, longest of 5": max(seconds)}


DRILLS: tuple[Callable[[Sidecar], Figures], ...] = (new_key, removed_key, flood, hanging_endpoint, revocation)


def table() -> str:
    """The figures of the last run as the rows of docs/security.md."""
    figures: Figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = [f"| {name} | {value:,.{2 if value % 1 else 0}f} |\n" for name, value in figures.items()]
    return "| seen | figure |\n| --- | --- |\n" + "".join(rows)


def main() -> int:
    """Run all. The longest takes under a minute."""
    figures: Figures = {}
    with running() as sidecar:
        for drill in DRILLS:
            print(f"{drill.__name__.replace('_', ' ')} …", flush=True)
            figures |= drill(sidecar)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
