"""What the sidecar does with the requests of a route: every kind, and every reason to be undecided."""

from __future__ import annotations

from typing import Any

import pytest

from authz.envoy.document import YamlDocument
from authz.envoy.resources import Resources
from authz.tools.access.regions.region import regions
from authz.tools.access.regions.route_checks import Kind, RouteCheck
from tests.access.regions.first_match import configuration

_TYPES = "type.googleapis.com/envoy.extensions.filters.http"
_NAME = "envoy.filters.http.ext_authz"
_PLAIN = {"cluster": "app"}


def _filter(name: str = _NAME, **fields: object) -> dict[str, Any]:
    service = {"envoy_grpc": {"cluster_name": "authz"}}
    return {
        "name": name,
        "typed_config": {"@type": f"{_TYPES}.ext_authz.v3.ExtAuthz", "grpc_service": service, **fields},
    }


def _policy(policy: object, name: str = _NAME) -> dict[str, Any]:
    settings = {"check_settings": {"context_extensions": {"policy": policy}}}
    return {name: {"@type": f"{_TYPES}.ext_authz.v3.ExtAuthzPerRoute", **settings}}


_OFF = {_NAME: {"@type": f"{_TYPES}.ext_authz.v3.ExtAuthzPerRoute", "disabled": True}}
_READ = {"typed_per_filter_config": _policy("read")}


def _check(
    route: dict[str, Any], *filters: dict[str, Any], host: dict[str, Any] | None = None, clusters: Any = ()
) -> RouteCheck:
    """The check of the only route, behind these filters or else one of this sidecar."""
    hosts = [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}], **(host or {})}]
    data = configuration(hosts)
    manager = data["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"][:0] = filters or [_filter()]
    data["static_resources"]["clusters"] = list(clusters)
    (region,) = regions(Resources(YamlDocument(data, {}, "envoy.yaml")))
    return region.attachment


def test_a_route_with_a_policy_is_checked_against_it() -> None:
    assert _check({"route": _PLAIN, **_READ}) == RouteCheck(Kind.POLICY, "read")


def test_a_route_inherits_the_policy_of_its_virtual_host() -> None:
    assert _check({"route": _PLAIN}, host=_READ) == RouteCheck(Kind.POLICY, "read")


def test_a_route_without_a_policy_is_refused() -> None:
    assert _check({"route": _PLAIN}).kind is Kind.MISSING


@pytest.mark.parametrize("answer", [{"direct_response": {"status": 200}}, {"redirect": {"https_redirect": True}}])
def test_a_route_that_envoy_answers_keeps_the_policy_that_is_checked_before(answer: dict[str, Any]) -> None:
    assert _check({**answer, **_READ}) == RouteCheck(Kind.ANSWERED, "read")


def test_a_route_that_switches_the_check_off_is_open() -> None:
    check = _check({"route": _PLAIN, "typed_per_filter_config": _OFF})

    assert (check.kind, check.reason) == (Kind.OPEN, "ext_authz is switched off")


def test_a_route_that_does_not_switch_on_a_disabled_filter_is_open() -> None:
    assert _check({"route": _PLAIN}, {**_filter(), "disabled": True}).kind is Kind.OPEN
    assert _check({"route": _PLAIN, **_READ}, {**_filter(), "disabled": True}).kind is Kind.POLICY


def test_a_route_behind_no_check_is_open() -> None:
    data = configuration([{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": _PLAIN}]}])
    (region,) = regions(Resources(YamlDocument(data, {}, "envoy.yaml")))

    assert region.attachment.kind is Kind.OPEN
    assert region.undecided is None


_HALF = {"default_value": {"numerator": 50}}
_WEIGHTED = [{"name": "app", "weight": 1}, {"name": "b", "weight": 1, "typed_per_filter_config": _policy("write")}]
_INTERNAL = {"endpoint": {"address": {"envoy_internal_address": {"server_listener_name": "x"}}}}
_LEADS_INSIDE = {"name": "app", "load_assignment": {"endpoints": [{"lb_endpoints": [_INTERNAL]}]}}
_TWICE = {"typed_per_filter_config": {**_policy("read"), **_policy("write", "second")}}

_UNDECIDED: dict[str, tuple[dict[str, Any], tuple[dict[str, Any], ...], tuple[dict[str, Any], ...], str]] = {
    "a part of the requests": ({"route": _PLAIN, **_READ}, (_filter(filter_enabled=_HALF),), (), "a part of"),
    "two filters": ({"route": _PLAIN, **_TWICE}, (_filter(), _filter("second")), (), "two ext_authz filters"),
    "weighted clusters": ({"route": {"weighted_clusters": {"clusters": _WEIGHTED}}, **_READ}, (), (), "weighted"),
    "a plugin": ({"route": {"cluster_specifier_plugin": "x"}, **_READ}, (), (), "a plugin chooses"),
    "an internal listener": ({"route": _PLAIN, **_READ}, (), (_LEADS_INSIDE,), "an internal listener"),
    "a policy that is no text": (
        {"route": _PLAIN, "typed_per_filter_config": _policy(["read"])}, (), (), "its policy is not text",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("route", "filters", "clusters", "reason"), _UNDECIDED.values(), ids=_UNDECIDED)
def test_a_check_that_is_not_known_is_undecided_and_says_why(
    route: dict[str, Any], filters: tuple[dict[str, Any], ...], clusters: tuple[dict[str, Any], ...], reason: str
) -> None:
    check = _check(route, *filters, clusters=clusters)

    assert check.kind is Kind.UNDECIDED
    assert reason in check.reason


def test_weighted_clusters_with_one_policy_are_checked_against_it() -> None:
    clusters = [{"name": "app", "weight": 1}, {"name": "b", "weight": 1}]

    assert _check({"route": {"weighted_clusters": {"clusters": clusters}}, **_READ}) == RouteCheck(Kind.POLICY, "read")
