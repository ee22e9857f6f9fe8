"""References to configuration outside of the file. No rule can check it here."""

from __future__ import annotations

from collections.abc import Iterator

from authz.envoy.fields import json_name
from authz.tools.lint.envoy_config import EnvoyConfig
from authz.tools.lint.rule import Found, Severity, rule

_ELSEWHERE = {
    "rds": "routes (RDS)",
    "scoped_rds": "routes (scoped RDS)",
    "vhds": "virtual hosts (VHDS)",
    "config_discovery": "a filter's configuration (ECDS)",
    "eds_cluster_config": "endpoints (EDS)",
    "lds_config": "listeners (LDS)",
    "cds_config": "clusters (CDS)",
    "sds_config": "a secret (SDS)",
}


_KEYS = frozenset(_ELSEWHERE) | frozenset(map(json_name, _ELSEWHERE))


@rule("AUTHZ901", Severity.INFO, "a part of the configuration cannot be seen from here")
def elsewhere(envoy: EnvoyConfig) -> Iterator[Found]:
    """Envoy gets it from a server or another file. `authz lint` can look at it in a running Envoy's dump: `curl -s
    localhost:9901/config_dump > dump.json`. Only the routes' policies are hidden there: Envoy shows `[redacted]` for
    every context extension. Secrets in files are not counted: no rule looks at a secret.
    """
    for path in envoy.hidden_policies[:1]:
        yield Found(path, "Envoy does not show the routes' policies in a dump", "Lint their source as well.")
    if envoy.lacks_policies:
        yield Found((), "the sidecar's issuers and policies are not in this file", "Lint the sidecar's file as well.")
    if not envoy.managers and not envoy.settings:
        yield Found((), "no listener is in this file", "Lint the folder with the listeners and routes.")
    seen = set()
    for way in envoy.ways.all:
        if way.opening is not None and way.opening.code == "AUTHZ901" and way.opening.path not in seen:
            seen.add(way.opening.path)
            yield Found(way.opening.path, f"{way.opening.reason}: {way}", "Check by hand where these requests go.")
    for fields in envoy.resources.mappings:
        # One look at the keys: eight look-ups in each of a million mappings take seconds.
        if _KEYS.isdisjoint(fields.value):
            continue
        for name, what in _ELSEWHERE.items():
            if fields.raw(name) is not None and not (name == "sds_config" and fields.get(name, "path_config_source")):
                fix = "Lint the output of a running Envoy's /config_dump as well."
                yield Found(fields.where(name), f"{what} cannot be seen from here", fix, on_key=True)


@rule("AUTHZ902", Severity.ERROR, "a suppression is not understood")
def misunderstood(_envoy: EnvoyConfig) -> Iterator[Found]:
    """A comment must name the codes that it allows, and say why: `# authz-lint: allow AUTHZ304 because …`."""
    yield from ()


@rule("AUTHZ903", Severity.WARNING, "a suppression allows nothing that is there")
def unused(_envoy: EnvoyConfig) -> Iterator[Found]:
    """The finding no longer exists. If the suppression stays, it hides the next finding on its line."""
    yield from ()
