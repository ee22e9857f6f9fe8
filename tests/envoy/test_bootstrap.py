"""The settings that the sidecar reads from the Envoy YAML, and every problem in it with its position."""

from __future__ import annotations

import pytest

from authz.core.problems import ConfigurationError
from authz.envoy.bootstrap import MAX_SOCKET_PATH_BYTES, Bootstrap, read_bootstrap
from authz.tools.demo.requirements import shipped_envoy_yaml
from tests.envoy.bootstraps import CLUSTER, NODE, bootstrap


def _read(text: str, *, need_endpoints: bool = True) -> Bootstrap:
    return read_bootstrap(text, "f", need_endpoints=need_endpoints)


def _findings(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as wrong:
        _read(text)
    return [str(finding) for finding in wrong.value.problems]


def _endpoint(address: str) -> str:
    return f"[{{ endpoint: {{ address: {address} }} }}]"


def test_the_shipped_file_gives_realm_trust_and_one_endpoint() -> None:
    read = _read(shipped_envoy_yaml())

    assert (read.realm, read.endpoints) == ("orders-api", ("unix:/run/authz/authz.sock",))
    assert list(read.authz) == ["issuers", "policies", "forward"]
    assert [route.text for route in read.route_policies] == [
        "deny",
        "public",
        "authenticated",
        "orders-read",
        "orders-write",
    ]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("{ pipe: { path: /run/a.sock } }", "unix:/run/a.sock"),
        ("{ socket_address: { address: 127.0.0.1, port_value: 9191 } }", "127.0.0.1:9191"),
        ("{ socketAddress: { address: 127.0.0.2, portValue: 9191 } }", "127.0.0.2:9191"),
        ('{ socket_address: { address: "::1", port_value: 9191 } }', "[::1]:9191"),
    ],
)
def test_a_local_endpoint_is_an_address_to_listen_on(address: str, expected: str) -> None:
    assert _read(bootstrap(endpoints=_endpoint(address))).endpoints == (expected,)


def test_every_endpoint_is_one_worker_and_one_written_twice_is_one() -> None:
    pipes = [f"{{ endpoint: {{ address: {{ pipe: {{ path: /run/{name} }} }} }} }}" for name in ("a", "b", "a")]

    assert _read(bootstrap(endpoints=f"[{', '.join(pipes)}]")).endpoints == ("unix:/run/a", "unix:/run/b")


@pytest.mark.parametrize(
    "address",
    [
        "{ socket_address: { address: 10.0.0.1, port_value: 9191 } }",
        "{ socket_address: { address: authz.example.com, port_value: 9191 } }",
        "{ socket_address: { address: 127.0.0.1, named_port: authz } }",
        "{ pipe: { path: run/a.sock } }",
        "{ envoy_internal_address: { server_listener_name: a } }",
        "{}",
    ],
)
def test_an_endpoint_elsewhere_is_named_as_not_local(address: str) -> None:
    (finding,) = _findings(bootstrap(endpoints=_endpoint(address)))

    assert "an endpoint of the ext_authz cluster is not local. Write a pipe" in finding


def test_a_socket_path_that_the_kernel_cannot_hold_is_named() -> None:
    longest = "/" + "a" * (MAX_SOCKET_PATH_BYTES - 1)

    assert _read(bootstrap(endpoints=_endpoint(f"{{ pipe: {{ path: {longest} }} }}"))).endpoints
    (finding,) = _findings(bootstrap(endpoints=_endpoint(f"{{ pipe: {{ path: {longest}a }} }}")))
    assert "longer than 107 bytes" in finding


def test_a_cluster_without_endpoints_is_named() -> None:
    (finding,) = _findings(bootstrap(endpoints="[]"))

    assert "has no endpoints. Add one endpoint" in finding


def test_a_filter_in_any_listener_is_found_and_two_with_one_cluster_are_one() -> None:
    text = bootstrap()
    listener = text[text.index("  - name: ingress") : text.index("  clusters:")]

    twice = text.replace("  clusters:\n", listener.replace("ingress", "second") + "  clusters:\n")

    assert _read(twice).endpoints == ("unix:/run/authz/authz.sock",)


def test_filters_with_two_clusters_leave_the_choice_to_the_operator() -> None:
    text = bootstrap()
    listener = text[text.index("  - name: ingress") : text.index("  clusters:")]
    other = listener.replace("cluster_name: authz", "cluster_name: other")

    (finding,) = _findings(text.replace("  clusters:\n", other + "  clusters:\n"))

    assert "name 2 clusters. Use --listen ADDRESS" in finding


def test_a_filter_in_a_place_for_anchors_is_no_filter() -> None:
    text = "!ignore templates:\n  x: { '@type': a.ext_authz.v3.ExtAuthz }\n" + bootstrap()

    assert _read(text).endpoints == ("unix:/run/authz/authz.sock",)


def test_endpoints_are_not_asked_for_where_listen_says_them() -> None:
    text = f"node:\n{NODE}"

    assert _read(text, need_endpoints=False).endpoints == ()
    assert _findings(text) == [
        (
            "f:1:1: this file has no ext_authz filter with a gRPC cluster. "
            "Add envoy.filters.http.ext_authz with grpc_service.envoy_grpc, or use --listen ADDRESS."
        )
    ]


def test_five_errors_are_five_findings_each_with_its_position() -> None:
    node = NODE.replace("  id: orders-api", "  idd: orders-api").replace("  cluster: orders-api", "  cluster: [a]")
    text = bootstrap(
        node=node,
        service="{ envoy_grpc: { cluster_nam: authz, authority: {} } }",
    ).replace("    authz:\n", "    autz:\n")

    assert _findings(text) == [
        "f:2:3: unknown field 'idd' in Node. Did you mean `id`?",
        'f:3:12: a list does not fit cluster of Node. Put quotes around it: `"..."`.',
        "f:5:5: node.metadata.authz is missing. Write issuers and policies under node.metadata.authz.",
        "f:22:45: unknown field 'cluster_nam' in GrpcServiceEnvoyGrpc. Did you mean `cluster_name`?",
        'f:22:76: a mapping does not fit authority of GrpcServiceEnvoyGrpc. Put quotes around it: `"..."`.',
    ]


def test_wrong_values_deep_in_the_endpoints_are_named_where_they_stand() -> None:
    endpoints = "[{ endpoint: { address: { pipe: 5 } } }, { endpont: {} }, 7, { load_balancing_weight: x }]"

    assert [finding.partition(" ")[2] for finding in _findings(bootstrap(endpoints=endpoints))] == [
        "Pipe is a mapping, not 5. Write `name: value` lines.",
        "unknown field 'endpont' in LbEndpoint. Did you mean `endpoint`?",
        "LbEndpoint is a mapping, not 7. Write `name: value` lines.",
        "'x' is not a UInt32Value. Compare it with Envoy's documentation of the message.",
    ]


def test_two_addresses_in_one_are_named() -> None:
    both = "{ pipe: { path: /a }, socket_address: { address: 127.0.0.1, port_value: 1 } }"

    (finding,) = _findings(bootstrap(endpoints=_endpoint(both)))

    assert "pipe and socket_address cannot both be set. Keep one of them." in finding


def test_fields_newer_than_the_package_elsewhere_stop_nothing() -> None:
    text = bootstrap(cluster=CLUSTER + "    field_of_next_year: { a: 1 }\n") + "field_of_next_year: [1]\n"
    text = text.replace("          http_filters:", '          next_year: { "@type": x/y.Z }\n          http_filters:')
    text = text.replace("timeout: 1s", "timeout: 1s, next_year: 1")

    assert _read(text).endpoints == ("unix:/run/authz/authz.sock",)


@pytest.mark.parametrize("service", ["~", "{}", "5", "[]", "{ google_grpc: {} }", "{ envoy_grpc: {} }"])
def test_a_filter_without_a_grpc_cluster_is_named(service: str) -> None:
    (finding,) = _findings(bootstrap(service=service))

    assert "this ext_authz filter names no gRPC cluster. Write grpc_service" in finding


def test_a_cluster_that_is_not_there_is_named_where_it_is_asked_for() -> None:
    assert _findings(bootstrap(service="{ envoy_grpc: { cluster_name: other } }")) == [
        (
            "f:22:43: the ext_authz cluster 'other' is not in this file. "
            "Add it under static_resources.clusters, or use --listen ADDRESS."
        )
    ]


def test_a_cluster_without_load_assignment_is_named() -> None:
    (finding,) = _findings(bootstrap(cluster="  - { name: authz }\n"))

    assert "the cluster 'authz' has no load_assignment" in finding


@pytest.mark.parametrize("text", ["[]", "x", "5", "~x", "- node: {}"])
def test_a_file_that_is_no_mapping_is_one_finding(text: str) -> None:
    assert _findings(text) == ["f:1:1: the file is not a mapping. Name the Envoy YAML, with `node:` in it."]


@pytest.mark.parametrize("node", ["node: 5", "node: [a]", "admin: {}", "node:"])
def test_a_file_without_a_node_says_so_once(node: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        _read(node, need_endpoints=False)

    assert [finding.message for finding in wrong.value.problems] == ["node is missing"]


@pytest.mark.parametrize(
    "metadata", ["5", "x", "[]", "[{}]", "~", "{}", "{ authz: }", "{ authz: {} }", "{ authz: [] }"]
)
def test_metadata_of_any_shape_without_authz_is_a_finding(metadata: str) -> None:
    findings = _findings(bootstrap(node=f"  id: a\n  cluster: b\n  metadata: {metadata}\n"))

    assert "node.metadata.authz is missing" in findings[-1]
    assert findings[-1].startswith("f:4:")


def test_what_is_not_yaml_is_one_finding() -> None:
    (finding,) = _findings("node: [")

    assert finding.startswith("f:2:1: not YAML")
