"""Find the connection managers that ask the sidecar, and choose the one a request reaches."""

from __future__ import annotations

from authz.core.problems import ConfigurationError
from authz.envoy.document import YamlDocument
from authz.envoy.listeners import ConnectionManager
from authz.envoy.resources import Resources


def checked_managers(document: YamlDocument) -> tuple[ConnectionManager, ...]:
    """Return every connection manager with an ext_authz filter. Raises ConfigurationError if there is none."""
    found = tuple(each for each in Resources(document).managers if each.ext_authz is not None)
    if not found:
        fix = "Name the Envoy YAML with listeners in it, or the policy instead of the request."
        raise ConfigurationError.because(
            "no listener with an ext_authz filter is in this file", fix, document.locate(())
        )
    return found


def choose_manager(found: tuple[ConnectionManager, ...], host: str, port: int | None) -> int:
    """Return the index of the manager that serves this host and port: by port, then server name, else the first."""
    by_port = [index for index, each in enumerate(found) if each.chain.listener.port == port] or range(len(found))
    by_name = [index for index in by_port if found[index].chain.serves(host.partition(":")[0])]
    return next(iter(by_name or [index for index in by_port if not found[index].chain.server_names] or by_port))
