"""The ways into an Envoy that ask the sidecar: its listeners' connection managers with an ext_authz filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from authz.core.problems import ConfigurationError, Path
from authz.envoy.document import Document
from authz.tools.envoy_run.fields import each_of, is_message, member

_HCM = ".http_connection_manager.v3.HttpConnectionManager"
EXT_AUTHZ = ".ext_authz.v3.ExtAuthz"


@dataclass(frozen=True, slots=True)
class Entrance:
    """One HTTP connection manager with an ext_authz filter, and how the original is reached."""

    manager: Mapping[str, Any]
    path: Path
    port: int | None
    server_names: tuple[str, ...]

    def serves(self, host: str) -> bool:
        """Whether its filter chain is the one for this server name."""
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self.server_names)


def entrances(document: Document) -> tuple[Entrance, ...]:
    """Every way in that asks the sidecar. Raises ConfigurationError where there is none."""
    found = tuple(_entrances(document.data if isinstance(document.data, dict) else {}))
    if not found:
        fix = "Name the Envoy YAML with listeners in it, or the policy instead of the request."
        raise ConfigurationError.because(
            "no listener with an ext_authz filter is in this file", fix, document.locate(())
        )
    return found


def choose(found: tuple[Entrance, ...], host: str, port: int | None) -> int:
    """The entrance that a client of this host and port comes to: by port, then by server name, else the first."""
    by_port = [index for index, entrance in enumerate(found) if entrance.port == port] or range(len(found))
    by_name = [index for index in by_port if found[index].serves(host.partition(":")[0])]
    return next(iter(by_name or [index for index in by_port if not found[index].server_names] or by_port))


def _entrances(root: Mapping[str, Any]) -> Iterator[Entrance]:
    for _key, index, listener in each_of(member(root, "static_resources"), "listeners"):
        here: Path = ("static_resources", "listeners", index)
        chains = [((*here, key, at), chain) for key, at, chain in each_of(listener, "filter_chains")]
        default = member(listener, "default_filter_chain")
        chains += [((*here, "default_filter_chain"), default)] if isinstance(default, dict) else []
        port = member(member(member(listener, "address"), "socket_address"), "port_value")
        for path, chain in chains:
            names = member(member(chain, "filter_chain_match"), "server_names")
            for key, at, network_filter in each_of(chain, "filters"):
                manager = member(network_filter, "typed_config")
                if is_message(manager, _HCM) and _asks(manager):
                    where = (*path, key, at, "typed_config")
                    yield Entrance(manager, where, port, tuple(names) if isinstance(names, list) else ())


def _asks(manager: Any) -> bool:
    """Whether one of its HTTP filters is ext_authz."""
    filters = each_of(manager, "http_filters")
    return any(is_message(member(each, "typed_config"), EXT_AUTHZ) for _key, _index, each in filters)
