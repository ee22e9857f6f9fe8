"""The demo's Envoy configuration is the shipped one, with other names and addresses, and an issuer of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from authz.tools.demo.provision import Pool, User
from authz.tools.demo.proxy import Place, derive
from authz.tools.demo.requirements import shipped_envoy_yaml

_NOBODY = User("nobody", "", ())
_POOL = Pool("ap-northeast-1_Demo", "webclient", "websecret", "apiclient", _NOBODY, _NOBODY, _NOBODY)
_PLACE = Place(Path("/place"), "http://127.0.0.1:4001", port=4002, admin_port=4003, upstream_port=4004)


@pytest.fixture(scope="module")
def derived() -> dict[str, Any]:
    return dict(yaml.safe_load(derive(shipped_envoy_yaml(), _PLACE, _POOL)))


def _routes(config: dict[str, Any]) -> list[Any]:
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return list(manager["route_config"]["virtual_hosts"][0]["routes"])


def test_no_name_of_the_shipped_file_is_left(derived: dict[str, Any]) -> None:
    text = yaml.safe_dump(derived)

    assert "example" not in text
    assert "amazoncognito" not in text
    assert "/etc/envoy" not in text
    assert "/run/authz" not in text


def test_every_address_is_loopback(derived: dict[str, Any]) -> None:
    listener = derived["static_resources"]["listeners"][0]["address"]["socket_address"]

    assert listener == {"address": "127.0.0.1", "port_value": 4002}
    assert set(re.findall(r"\baddress: (\S+)", yaml.safe_dump(derived))) == {"127.0.0.1"}


def test_policies_and_the_policy_of_each_route_stay_as_shipped(derived: dict[str, Any]) -> None:
    shipped = yaml.safe_load(shipped_envoy_yaml())

    def policies(config: dict[str, Any]) -> list[Any]:
        return [
            route.get("typed_per_filter_config", {}).get("envoy.filters.http.ext_authz") for route in _routes(config)
        ]

    assert derived["node"]["metadata"]["authz"]["policies"] == shipped["node"]["metadata"]["authz"]["policies"]
    assert policies(derived) == policies(shipped)


def test_both_app_clients_are_trusted_and_the_keys_are_the_emulators(derived: dict[str, Any]) -> None:
    cognito = derived["node"]["metadata"]["authz"]["issuers"]["cognito"]

    assert cognito["client_ids"] == ["webclient", "apiclient"]
    assert cognito["jwks_uri"] == "http://127.0.0.1:4001/ap-northeast-1_Demo/.well-known/jwks.json"


def test_sign_out_leads_back_to_the_demo(derived: dict[str, Any]) -> None:
    assert "logout_uri=http%%3A%%2F%%2F127.0.0.1%%3A4002%%2F" in yaml.safe_dump(_routes(derived), width=1000)


def test_shipped_file_that_lost_a_name_is_reported() -> None:
    changed = shipped_envoy_yaml().replace("5onexampleclientid", "another")

    with pytest.raises(ValueError, match="no longer says 5onexampleclientid"):
        derive(changed, _PLACE, _POOL)
