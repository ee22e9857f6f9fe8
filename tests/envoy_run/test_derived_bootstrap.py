"""Which way in a client comes, and what cannot be tried from here, said plainly."""

from __future__ import annotations

import pytest
import yaml

from authz.core.problems import ConfigurationError
from authz.envoy.document import YamlDocument, read
from authz.envoy.fields import Fields
from authz.envoy.listeners import ConnectionManager, FilterChain, Listener
from authz.tools.envoy_run.checked_managers import checked_managers, choose_manager
from authz.tools.envoy_run.derived_bootstrap import RunPaths, derive
from tests.envoy_run.conftest import SHIPPED

_AROUND = RunPaths("/x/s.sock", 1, 2, (3,), "/x/access.log")


def _changed(old: str, new: str) -> YamlDocument:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    return read(text.replace(old, new), "envoy.yaml")


def _manager(port: int | None = None, *names: str) -> ConnectionManager:
    listener = Listener(Fields({"address": {"socket_address": {"port_value": port}}}))
    chain = FilterChain(Fields({"filter_chain_match": {"server_names": list(names)}}), listener)
    return ConnectionManager(Fields({}), chain)


@pytest.mark.parametrize(
    ("host", "port", "index"),
    [
        ("a.example.com", 443, 0),
        ("b.example.com", 443, 1),
        ("x.wild.example.com", 443, 2),
        ("other", 443, 3),
        ("a.example.com", 9000, 4),
        ("other", None, 3),
    ],
)
def test_client_comes_in_by_port_then_by_server_name(host: str, port: int | None, index: int) -> None:
    found = (
        _manager(443, "a.example.com"),
        _manager(443, "b.example.com"),
        _manager(443, "*.wild.example.com"),
        _manager(443),
        _manager(9000),
    )

    assert choose_manager(found, host, port) == index


def test_file_without_a_listener_says_so() -> None:
    with pytest.raises(ConfigurationError, match=r"envoy.yaml:1:1: no listener with an ext_authz filter"):
        checked_managers(read("node: { id: a }\n", "envoy.yaml"))


def test_routes_from_rds_are_said_to_be_out_of_sight() -> None:
    document = _changed("route_config:\n", "rds:\n")

    with pytest.raises(ConfigurationError, match="the routes come from RDS"):
        derive(document, checked_managers(document), _AROUND)


def test_filter_that_asks_over_http_is_named_as_the_obstacle() -> None:
    document = _changed("grpc_service:\n                envoy_grpc:", "http_service:\n                envoy_grpc:")

    with pytest.raises(ConfigurationError, match="uses HTTP"):
        derive(document, checked_managers(document), _AROUND)


def test_nothing_that_reaches_outside_is_left() -> None:
    document = read(SHIPPED.read_text(encoding="utf-8"), "envoy.yaml")

    text = yaml.safe_dump(derive(document, checked_managers(document), _AROUND).bootstrap)

    for outside in ("/etc/", "/run/authz", "8080", "token_endpoint", "secret", "transport_socket"):
        assert outside not in text


def test_camel_case_is_read_as_well() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    for word in ("static_resources", "filter_chains", "typed_config", "http_filters", "route_config", "virtual_hosts"):
        first, second = word.split("_")
        text = text.replace(f"{word}:", f"{first}{second.capitalize()}:")
    document = read(text, "envoy.yaml")

    derived = derive(document, checked_managers(document), _AROUND)

    assert len(derived.routes) == 7
