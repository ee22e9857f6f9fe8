"""What each part of the call costs Envoy and authz: retries, metadata fields, headers to set and to remove."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from bench.load import http_load, measured
from bench.place import Place, Sidecar
from bench.progress import Progress
from bench.proxies import envoy, ext_authz
from bench.results import Table
from bench.through import CONNECTIONS, Subject

SHIPPED = "as shipped"
TURNS_PER_ROUND = 4
"""Differences of a few percent need many short turns: each lasts a second, whatever the plan."""

Filter = dict[str, Any]


def _without_retries(grpc_service: Filter) -> None:
    del grpc_service["retry_policy"]


def _without_predicate(grpc_service: Filter) -> None:
    for name in ("retry_host_predicate", "host_selection_retry_max_attempts"):
        del grpc_service["retry_policy"][name]


def _one_retry(grpc_service: Filter) -> None:
    grpc_service["retry_policy"]["num_retries"] = 1


RETRIES: Mapping[str, Callable[[Filter], None]] = {
    "without retries": _without_retries,
    "retries that may ask the same worker again": _without_predicate,
    "one retry": _one_retry,
}
"""Changes of `grpc_service` in deploy/envoy.yaml."""

ANSWERS: Mapping[str, dict[str, Any]] = {
    "no metadata": {"metadata": "none"},
    "metadata: decision, reason, policy": {"metadata": ["decision", "reason", "policy"]},
    "metadata: without request_id": {
        "metadata": ["decision", "reason", "policy", "issuer", "subject", "client"],
    },
    "one forwarded header": {"forward": {"x-auth-subject": "sub"}},
    "one forwarded header of one spelling": {"forward": {"subject": "sub"}},
}
"""Changes of `node.metadata.authz`. Each hyphen of a forwarded header doubles the spellings that are removed."""


def costs(place: Place, progress: Progress) -> Table:
    """Requests with a known token, every variant in its turn."""
    table = Table("hop", "Through one Envoy worker thread, 32 connections, a known token, each row one change")
    header = f"authorization: Bearer {place.token}"
    for round_number in range(place.plan.rounds):
        with _subjects(place) as subjects:
            for turn in range(TURNS_PER_ROUND):
                for subject in subjects:
                    progress.step(f"hop {round_number + 1}/{place.plan.rounds}, turn {turn + 1}: {subject.name}")
                    sample = measured(subject.servers, partial(http_load, subject.url, [header], 1, CONNECTIONS))
                    table.row(subject.name).add(**asdict(sample))
    return table


@contextlib.contextmanager
def _subjects(place: Place) -> Iterator[list[Subject]]:
    """One Envoy with a listener for each row."""
    with contextlib.ExitStack() as stack:
        shipped = stack.enter_context(place.sidecar("hop"))
        sidecars: dict[str, Sidecar] = {SHIPPED: shipped} | dict.fromkeys(RETRIES, shipped)
        filters = {"hop": ext_authz("hop", retries=True)}
        clusters = {"hop": shipped.sockets}
        listeners = {SHIPPED: "hop"}
        for number, (name, change) in enumerate(RETRIES.items()):
            listeners[name] = listener = f"retries-{number}"
            filters[listener] = copy.deepcopy(filters["hop"])
            change(filters[listener][0]["typed_config"]["grpc_service"])
        for number, (name, fields) in enumerate(ANSWERS.items()):
            listeners[name] = listener = f"answers-{number}"
            sidecars[name] = stack.enter_context(place.sidecar(listener, place.authz(**fields)))
            filters[listener], clusters[listener] = ext_authz(listener, retries=True), sidecars[name].sockets
        proxy, urls = stack.enter_context(envoy(place, filters, clusters))
        yield [Subject(name, (proxy, sidecars[name].program), urls[listener]) for name, listener in listeners.items()]
