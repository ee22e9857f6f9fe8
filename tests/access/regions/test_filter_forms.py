"""Which differences between HTTP filters can let a request in, and which are differences of form."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from authz.envoy.document import YamlDocument
from authz.envoy.resources import Resources
from authz.tools.access.regions.refinement import overlaps
from authz.tools.access.regions.region import Region, regions
from tests.access.regions.first_match import ROUTER, configuration

_TYPES = "type.googleapis.com/envoy.extensions.filters.http"
_HOSTS: list[dict[str, Any]] = [
    {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]}
]


def _filter(kind: str, message: str, **fields: object) -> dict[str, Any]:
    name = f"envoy.filters.http.{kind}"
    return {"name": name, "typed_config": {"@type": f"{_TYPES}.{kind}.v3.{message}", **fields}}


def _check(**fields: object) -> dict[str, Any]:
    service = {"envoy_grpc": {"cluster_name": "authz"}, "timeout": "1s"}
    return _filter("ext_authz", "ExtAuthz", **{"grpc_service": service, **fields})


def _calling(cluster: str = "authz", **fields: object) -> dict[str, Any]:
    return _check(grpc_service={"envoy_grpc": {"cluster_name": cluster}, **fields})


_RBAC = _filter("rbac", "RBAC", rules={"action": "DENY"})
_OAUTH2 = _filter("oauth2", "OAuth2", config={"forward_bearer_token": True, "auth_scopes": ["openid"]})
_COMPRESSOR = _filter("compressor", "Compressor", compressor_library={"name": "gzip"})


def _regions(*filters: dict[str, Any]) -> list[Region]:
    data = copy.deepcopy(configuration(_HOSTS))
    manager = data["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    last = filters[-1]["name"] if filters else ""
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}
    manager["http_filters"] = [*filters, *([] if last == router["name"] else [router])]
    return regions(Resources(YamlDocument(data, {}, "envoy.yaml")))


def _doubt(old: list[Region], new: list[Region]) -> str | None:
    ((_requests, one, other),) = overlaps(old, new)
    assert one is not None
    assert other is not None
    assert one.undecided == other.undecided
    return one.undecided


_LIMITS = (
    _filter("local_ratelimit", "LocalRateLimit", stat_prefix="x"),
    _filter("admission_control", "AdmissionControl"),
)
_SHADOW = _filter("rbac", "RBAC", rules={"action": "DENY"}, shadow_rules={})
_ROUTER = {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER, "suppress_envoy_headers": True}}


def _with(check: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return (_RBAC, _OAUTH2, check)


def _mutating(where: str) -> dict[str, Any]:
    return _filter("header_mutation", "HeaderMutation", mutations={where: [{"remove": "x"}]})


_BASE = _with(_check())

_FORMS: dict[str, tuple[dict[str, Any], ...]] = {
    "a longer timeout": _with(_calling(timeout="9s")),
    "retries": _with(_calling(retry_policy={"num_retries": 3})),
    "camel case": _with(_filter("ext_authz", "ExtAuthz", grpcService={"envoy_grpc": {"cluster_name": "authz"}})),
    "statistics": _with(_check(stat_prefix="a", chargeClusterResponseStats=False)),
    "the status of a failed check": _with(_check(status_on_error={"code": "ServiceUnavailable"})),
    "a flag that is off": _with(_check(failure_mode_allow=False, clearRouteCache=False)),
    "a filter that is not disabled": (_RBAC, {**_OAUTH2, "disabled": False}, _check()),
    "a compressor": (_COMPRESSOR, *_BASE),
    "a compressor after the check": (*_BASE, _COMPRESSOR),
    "load limits": (*_LIMITS, *_BASE),
    "headers of answers": (_mutating("response_mutations"), *_BASE),
    "rules that are only counted": (_SHADOW, _OAUTH2, _check()),
    "options of the router": (*_BASE, _ROUTER),
}


@pytest.mark.parametrize("filters", _FORMS.values(), ids=_FORMS)
def test_a_difference_that_cannot_let_a_request_in_is_one_of_form(filters: tuple[dict[str, Any], ...]) -> None:
    assert _doubt(_regions(*_BASE), _regions(*filters)) is None
    assert _doubt(_regions(*filters), _regions(*_BASE)) is None


_PREFIX = "envoy.filters.http"
_ADDING = _filter("local_ratelimit", "LocalRateLimit", request_headers_to_add_when_not_enforced=[{}])
_LOGGING = _filter("rbac", "RBAC", rules={"action": "LOG"})
_SESSION = _filter("oauth2", "OAuth2", config={"auth_scopes": ["openid"]})

_MATTERS: dict[str, tuple[tuple[dict[str, Any], ...], str]] = {
    "failed checks let in": (_with(_check(failure_mode_allow=True)), f"failure_mode_allow of {_PREFIX}.ext_authz"),
    "other headers": (_with(_check(allowed_headers={"patterns": []})), f"allowed_headers of {_PREFIX}.ext_authz"),
    "a service": (_with(_calling("x")), f"grpc_service.envoy_grpc.cluster_name of {_PREFIX}.ext_authz"),
    "a field of tomorrow": (_with(_check(of_tomorrow=1)), f"of_tomorrow of {_PREFIX}.ext_authz"),
    "a filter less": ((_OAUTH2, _check()), f"only OLD has {_PREFIX}.rbac"),
    "a filter more": ((_filter("csrf", "CsrfPolicy"), *_BASE), f"only NEW has {_PREFIX}.csrf"),
    "another order": ((_OAUTH2, _RBAC, _check()), "their order"),
    "rules": ((_LOGGING, _OAUTH2, _check()), f"rules.action of {_PREFIX}.rbac"),
    "the session": ((_RBAC, _SESSION, _check()), f"config.forward_bearer_token of {_PREFIX}.oauth2"),
    "a disabled filter": (({**_RBAC, "disabled": True}, _OAUTH2, _check()), f"disabled of {_PREFIX}.rbac"),
    "headers of requests": ((_mutating("request_mutations"), *_BASE), f"only NEW has {_PREFIX}.header_mutation"),
    "a limit that sets a header": ((_ADDING, *_BASE), f"only NEW has {_PREFIX}.local_ratelimit"),
}


@pytest.mark.parametrize(("filters", "named"), _MATTERS.values(), ids=_MATTERS)
def test_any_other_difference_is_undecided_and_named(filters: tuple[dict[str, Any], ...], named: str) -> None:
    assert _doubt(_regions(*_BASE), _regions(*filters)) == f"the HTTP filters differ: {named}"


def test_the_timeout_matters_if_failed_checks_let_requests_in() -> None:
    def checks(timeout: str) -> list[Region]:
        service = {"envoy_grpc": {"cluster_name": "authz"}, "timeout": timeout}
        return _regions(_filter("ext_authz", "ExtAuthz", grpc_service=service, failure_mode_allow=True))

    assert _doubt(checks("1s"), checks("2s")) == (
        "the HTTP filters differ: grpc_service.timeout of envoy.filters.http.ext_authz"
    )


def _with_a_second_listener(change: Callable[[dict[str, Any]], None]) -> list[Region]:
    data, other = configuration(_HOSTS), configuration(_HOSTS, port=8081)["static_resources"]["listeners"][0]
    change(other["filter_chains"][0]["filters"][0]["typed_config"])
    data["static_resources"]["listeners"].append({**other, "name": "other"})
    return regions(Resources(YamlDocument(data, {}, "envoy.yaml")))


def test_filters_of_one_listener_say_nothing_about_another() -> None:
    old = _with_a_second_listener(lambda _manager: None)
    new = _with_a_second_listener(lambda manager: manager["http_filters"].insert(0, _RBAC))

    found = [one.undecided for _requests, one, _other in overlaps(old, new) if one is not None]

    assert sorted(map(str, found)) == ["None", "the HTTP filters differ: only NEW has envoy.filters.http.rbac"]
