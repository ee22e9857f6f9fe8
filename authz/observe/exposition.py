"""The Prometheus page: the counts of all workers, including ended workers (docs/metrics.md)."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from authz import __version__
from authz.core.reasons import Reason
from authz.http2.limits import CAUSES
from authz.observe.labels import Labels
from authz.observe.tally import DURATION_BOUNDS_SECONDS
from authz.observe.worker_status import WorkerStatus
from authz.sources.source_status import KeyStatus

_OUTCOMES = {reason.row.label: reason.row.outcome for reason in Reason}


@dataclass
class Totals:
    """Counts summed over workers."""

    checks: Counter[Labels] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS_SECONDS) + 1))
    sum_seconds: float = 0.0
    hits: int = 0
    misses: int = 0
    fetches: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By issuer and result."""
    unknown_kids: Counter[str] = field(default_factory=Counter)
    lines_dropped: int = 0
    peer_faults: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(CAUSES, 0)))
    candidates: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By policy and agreement."""
    api_refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By policy and issuer."""
    revocation_loads: Counter[str] = field(default_factory=Counter)
    """By result. Empty if no list is configured."""
    userinfo: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By issuer and result."""

    def add(self, status: WorkerStatus) -> None:
        """Add the counts of one worker."""
        counts = status.counts
        self.checks.update({(reason, policy, issuer): count for reason, policy, issuer, count in counts.checks})
        self.buckets = [mine + more for mine, more in zip(self.buckets, counts.buckets, strict=True)]
        self.sum_seconds += counts.sum_seconds
        self.hits += counts.hits
        self.misses += counts.misses
        self.candidates.update({(policy, agreement): count for policy, agreement, count in counts.candidates})
        self.api_refusals.update({(policy, issuer): count for policy, issuer, count in counts.api_refusals})
        self.lines_dropped += status.lines_dropped
        self.peer_faults.update(status.peer_faults)
        for alias, userinfo in status.userinfo.items():
            self.userinfo.update({(alias, result): count for result, count in userinfo.fetches.items()})
        if status.revocations is not None:
            self.revocation_loads.update(status.revocations.loads)
        for alias, keys in status.keys.items():
            self.fetches.update({(alias, result.value): count for result, count in keys.fetches.items()})
            self.unknown_kids[alias] += keys.unknown_kids


@dataclass
class Reloads:
    """Results of configuration reloads since the start, and the label values of the current configuration."""

    results: Counter[str] = field(default_factory=lambda: Counter({"success": 0, "failure": 0}))
    last_success_seconds: float = 0.0
    """Wall clock."""
    labels: tuple[Labels, ...] = ()
    """Label combinations that can occur with the current configuration."""
    candidates: tuple[tuple[str, str], ...] = ()
    """Combinations of policy and agreement that can occur."""
    api_refusals: tuple[tuple[str, str], ...] = ()
    """Combinations of policy and issuer with which a user pools API token can be refused for a scope."""


class Exposition(Collector):
    """The Prometheus collector of the supervisor."""

    def __init__(self, retired: Totals, reloads: Reloads) -> None:
        self._retired = retired
        self._reloads = reloads
        self.live: dict[int, WorkerStatus] = {}
        """The latest status of each running worker, by slot."""

    def retire(self, slot: int) -> None:
        """Keep the counts of a worker that has ended."""
        status = self.live.pop(slot, None)
        if status is not None:
            self._retired.add(status)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of docs/metrics.md."""
        totals = deepcopy(self._retired)
        for status in self.live.values():
            totals.add(status)
        yield from self._checks(totals)
        yield from self._keys(totals)
        yield self._userinfo(totals)
        yield from self._revocations(totals)
        yield from self._process(totals)

    def _checks(self, totals: Totals) -> Iterator[Metric]:
        checks = CounterMetricFamily("authz_checks", "Decisions.", labels=("outcome", "reason", "policy", "issuer"))
        for reason, policy, issuer in sorted({*totals.checks, *self._reloads.labels}):
            labels = (_OUTCOMES[reason], reason, policy, issuer)
            checks.add_metric(labels, totals.checks[reason, policy, issuer])
        yield checks
        yield self._api_refusals(totals)
        duration = HistogramMetricFamily("authz_check_duration_seconds", "Time from request to response.")
        duration.add_metric((), list(_cumulated(totals.buckets)), totals.sum_seconds)
        yield duration
        yield _gauge(
            "authz_checks_in_flight", "Calls not yet answered.", sum(status.in_flight for status in self.live.values())
        )
        cache = CounterMetricFamily("authz_token_cache", "Token cache lookups.", labels=("result",))
        cache.add_metric(("hit",), totals.hits)
        cache.add_metric(("miss",), totals.misses)
        yield cache
        text = "Decisions of candidate policies, compared with their policies."
        candidates = CounterMetricFamily("authz_candidate_checks", text, labels=("policy", "agreement"))
        for compared in sorted({*totals.candidates, *self._reloads.candidates}):
            candidates.add_metric(compared, totals.candidates[compared])
        yield candidates

    def _api_refusals(self, totals: Totals) -> Metric:
        refusals = CounterMetricFamily(
            "authz_user_pools_api_scope_refusals",
            "Good tokens of Cognito's user pools API, refused because they carry no scopes of the application.",
            labels=("policy", "issuer"),
        )
        for labels in sorted({*totals.api_refusals, *self._reloads.api_refusals}):
            refusals.add_metric(labels, totals.api_refusals[labels])
        return refusals

    def _keys(self, totals: Totals) -> Iterator[Metric]:
        reports = [(alias, keys) for status in self.live.values() for alias, keys in status.keys.items()]
        fetches = CounterMetricFamily("authz_jwks_fetches", "Key set fetches.", labels=("issuer", "result"))
        for (alias, result), count in sorted(totals.fetches.items()):
            fetches.add_metric((alias, result), count)
        yield fetches
        unknown = CounterMetricFamily("authz_jwks_unknown_kid", "Tokens with a kid not in the set.", labels=("issuer",))
        for alias, count in sorted(totals.unknown_kids.items()):
            unknown.add_metric((alias,), count)
        yield unknown
        yield _least(
            "authz_jwks_keys", "Usable keys, the fewest that any worker has.", reports, lambda keys: len(keys.keys)
        )
        yield _least(
            "authz_jwks_keys_dropped", "Published keys that are not used.", reports, lambda keys: len(keys.dropped)
        )
        yield _least(
            "authz_jwks_last_success_timestamp_seconds",
            "Last good fetch, the oldest.",
            reports,
            lambda keys: keys.last_success or 0.0,
        )

    def _userinfo(self, totals: Totals) -> Metric:
        text = "Requests to userinfo endpoints."
        fetches = CounterMetricFamily("authz_userinfo_fetches", text, labels=("issuer", "result"))
        for labels, count in sorted(totals.userinfo.items()):
            fetches.add_metric(labels, count)
        return fetches

    def _revocations(self, totals: Totals) -> Iterator[Metric]:
        reports = [report for status in self.live.values() if (report := status.revocations) is not None]
        loads = CounterMetricFamily("authz_revocations_loads", "Reads of the revocation list.", labels=("result",))
        for result, count in sorted(totals.revocation_loads.items()):
            loads.add_metric((result,), count)
        yield loads
        if reports:
            text = "Entries of the revocation list, the fewest that any worker has."
            yield _gauge("authz_revocations_entries", text, min(report.entries for report in reports))
            text = "Last good read of the revocation list, the oldest."
            last = min(report.last_success or 0.0 for report in reports)
            yield _gauge("authz_revocations_last_success_timestamp_seconds", text, last)

    def _process(self, totals: Totals) -> Iterator[Metric]:
        reloads = CounterMetricFamily("authz_config_reloads", "Configurations read.", labels=("result",))
        for result, count in sorted(self._reloads.results.items()):
            reloads.add_metric((result,), count)
        yield reloads
        last = self._reloads.last_success_seconds
        yield _gauge("authz_config_last_success_timestamp_seconds", "When the running configuration was read.", last)
        yield CounterMetricFamily(
            "authz_log_lines_dropped", "Log lines that were not written.", value=totals.lines_dropped
        )
        text = "Connections and streams that a worker ended because of its peer, by cause."
        ended = CounterMetricFamily("authz_peer_faults", text, labels=("cause",))
        for cause, count in sorted(totals.peer_faults.items()):
            ended.add_metric((cause,), count)
        yield ended
        yield _gauge("authz_workers", "Workers that serve.", sum(status.serving for status in self.live.values()))
        build = GaugeMetricFamily("authz_build_info", "Always 1.", labels=("version", "python", "engine"))
        engines = {status.engine for status in self.live.values() if status.engine}
        build.add_metric((__version__, platform.python_version(), "+".join(sorted(engines))), 1)
        yield build


def _cumulated(buckets: Iterable[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, DURATION_BOUNDS_SECONDS), "+Inf"), buckets, strict=True):
        total += count
        yield bound, float(total)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _least(
    name: str, text: str, reports: list[tuple[str, KeyStatus]], value: Callable[[KeyStatus], float]
) -> GaugeMetricFamily:
    """Return a gauge per issuer with the minimum over the workers, because an alert is about the worst worker."""
    gauge = GaugeMetricFamily(name, text, labels=("issuer",))
    values: dict[str, list[float]] = {}
    for alias, keys in reports:
        values.setdefault(alias, []).append(float(value(keys)))
    for alias, numbers in sorted(values.items()):
        gauge.add_metric((alias,), min(numbers))
    return gauge
