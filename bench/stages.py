"""The cost of each stage of a check: `make profile`, or `python -m bench.stages`.

The stages are the steps of `authz.core.check.decide`, timed one by one in a tight loop. There they are
faster than between the system calls of a server under load, with colder caches: compare them with each other.
With `--calls`, the standard profiler's list of the functions that take the time follows.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import timeit
from collections.abc import Callable
from time import process_time, time

import jwt

from authz.core import bearer, token
from authz.core.check import decide
from authz.core.decision import Decision
from authz.core.identity import identify
from authz.core.policy import judge
from authz.core.verifier import verify
from authz.observe.log import Log
from authz.observe.tally import Tally
from authz.server import wire
from authz.server.check_service import CheckService
from authz.server.engine import Call
from authz.sources.background import Background
from bench import traffic
from bench.inside import rules_of
from bench.place import Place, place
from bench.plan import SMOKE
from bench.pool import ISSUER, KEY_ID
from bench.progress import Progress
from bench.results import Table

REPEATS = 7


class LoneCall:
    """A call whose caller waits. Implements authz.server.engine.Call."""

    def seconds_left(self) -> float:
        return 1.0

    def reply(self, message: bytes) -> None:
        raise AssertionError(message)

    def traceparent(self) -> str:
        return ""


def microseconds(run: Callable[[], object], times: int = 4000) -> float:
    """CPU time, the shortest of several averages: what disturbs only ever adds."""
    return min(timeit.repeat(run, timer=process_time, number=times, repeat=REPEATS)) / times * 1e6


class Path:
    """The stages of one check, each with what the stage before it gave."""

    def __init__(self, here: Place) -> None:
        self.rules = rules_of(here.authz())
        self.tally, self.log = Tally(), Log("error")
        self.check = CheckService(self.rules, Background(), self.observe)
        self.message = traffic.check_request(here.token)
        self.over_scope = traffic.check_request(here.token, "orders-write")
        self.tampered = traffic.check_request(traffic.damaged(here.token))
        self.call = LoneCall()
        self.jwk = jwt.PyJWK.from_dict(json.loads(here.jwks.read_text(encoding="utf-8"))["keys"][0])
        self.token = here.token

    def observe(self, decision: Decision, seconds: float, call: Call) -> None:
        self.tally.count(decision, seconds)
        self.log.check(decision, seconds, call)

    def known(self) -> object:
        return self.check(self.message, self.call)

    def new(self) -> object:
        self.rules.token_cache.forget(self.token)
        return self.check(self.message, self.call)

    def refused(self) -> object:
        return self.check(self.over_scope, self.call)

    def forged(self) -> object:
        return self.check(self.tampered, self.call)

    def plain(self) -> object:
        return jwt.decode(self.token, self.jwk, algorithms=["RS256"], issuer=ISSUER)

    def stages(self) -> dict[str, Callable[[], object]]:
        rules, message, now = self.rules, self.message, time()
        request = wire.parse(message)
        policy = rules.policies.find(request.policy)
        credential = bearer.find(request.authorization) or ""
        unverified = token.parse(bearer.require_b64token(credential))
        key_source = rules.keys.current("cognito")
        assert key_source is not None
        key, issuer = key_source.keys[KEY_ID], rules.configuration.issuers.by_alias["cognito"]
        claims = verify(unverified, key)
        forward = rules.configuration.forward
        identity = identify(unverified, claims, issuer, key_source, forward)
        rules.token_cache.put(credential, identity)
        decision = decide(rules, message, now, may_wait=False)
        return {
            "parse the CheckRequest": lambda: wire.parse(message),
            "find the policy": lambda: rules.policies.find(request.policy),
            "find the bearer token": lambda: bearer.find(request.authorization),
            "get a known token from the cache": lambda: rules.cached_identity(credential, now),
            "judge it by the policy": lambda: judge(identity, policy, now),
            "render the answer": lambda: rules.renderer.render(decision),
            "count and log": lambda: self.observe(decision, 2e-5, self.call),
            "new token: its characters": lambda: bearer.require_b64token(credential),
            "new token: take it apart": lambda: token.parse(credential),
            "new token: verify RS256": lambda: verify(unverified, key),
            "new token: identify": lambda: identify(unverified, claims, issuer, key_source, forward),
        }

    def wholes(self) -> dict[str, Callable[[], object]]:
        return {
            "check, known token": self.known,
            "check, new token": self.new,
            "check, refused for its scope": self.refused,
            "check, forged signature": self.forged,
            "jwt.decode alone": self.plain,
        }


def costs(here: Place, progress: Progress) -> Table:
    """All stages, and whole checks of each kind beside `jwt.decode`."""
    table = Table("stages", "CPU time of the stages of a check in a tight loop, and of whole checks")
    path = Path(here)
    for name, run in {**path.stages(), **path.wholes()}.items():
        progress.step(f"stage: {name}")
        table.row(name).add(microseconds=microseconds(run))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", choices=("known", "new", "refused"), help="profile the calls of one kind of check")
    options = parser.parse_args()
    with place(SMOKE) as here:
        for row in costs(here, Progress()).rows:
            print(f"{row.subject:32} {row.middle('microseconds'):7.2f} us")
        if options.calls:
            _profile(getattr(Path(here), options.calls))


def _profile(run: Callable[[], object]) -> None:
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(20_000):
        run()
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
