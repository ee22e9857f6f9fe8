"""The resources of one Envoy are found in every form that tools print, and a folder is one Envoy."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from authz.cli.main import main
from authz.tools.lint.examine import examine, examine_files
from tests.lint import detours
from tests.lint.detours import TYPE, Config

_OPEN = next(each for each in detours.DETOURS if each.name == "second listener")


def _parts() -> tuple[list[Config], list[Config], Config]:
    """The listeners without routes, the clusters, and the route table of a file with a way around the check."""
    data = detours.planted(_OPEN)
    table = detours.manager(data).pop("route_config")
    detours.manager(data)["rds"] = {"route_config_name": "ingress", "config_source": {"ads": {}}}
    static = data["static_resources"]
    return static["listeners"], static["clusters"], table


def _typed(kind: str, resource: Config) -> Config:
    return {"@type": f"{TYPE}.config.{kind}", **resource}


def _dump() -> Config:
    listeners, clusters, table = _parts()
    dynamic = [
        {"name": each["name"], "active_state": {"listener": _typed("listener.v3.Listener", each)}} for each in listeners
    ]
    return {
        "configs": [
            {"@type": f"{TYPE}.admin.v3.ListenersConfigDump", "dynamic_listeners": dynamic},
            {
                "@type": f"{TYPE}.admin.v3.ClustersConfigDump",
                "dynamic_active_clusters": [{"cluster": _typed("cluster.v3.Cluster", each)} for each in clusters],
            },
            {
                "@type": f"{TYPE}.admin.v3.RoutesConfigDump",
                "dynamic_route_configs": [{"route_config": _typed("route.v3.RouteConfiguration", table)}],
            },
        ]
    }


def _found(data: object) -> set[str]:
    return {each.rule.code for each in examine(json.dumps(data, indent=1), "f")}


def _of_one_resource() -> Config:
    """`/config_dump?resource=dynamic_listeners` prints each entry as a config, with its routes inline here."""
    entries = []
    for each in detours.planted(_OPEN)["static_resources"]["listeners"]:
        state = {"listener": _typed("listener.v3.Listener", each)}
        kind = f"{TYPE}.admin.v3.ListenersConfigDump.DynamicListener"
        entries.append({"@type": kind, "name": each["name"], "active_state": state})
    return {"configs": entries}


@pytest.mark.parametrize(
    "data",
    [
        _dump(),
        {"envoy-gateway-system": {"envoy-shop-eg": _dump()}},
        _of_one_resource(),
        detours.planted(_OPEN)["static_resources"]["listeners"],
        {
            "resources": [
                _typed("listener.v3.Listener", each) for each in detours.planted(_OPEN)["static_resources"]["listeners"]
            ]
        },
    ],
    ids=["config_dump", "egctl", "config_dump?resource=", "istioctl listeners", "LDS file"],
)
def test_a_way_around_the_check_is_found_in_every_form(data: object) -> None:
    found = _found(data)

    assert "AUTHZ306" in found
    assert "AUTHZ901" in found
    assert "AUTHZ101" not in found


def test_each_dump_of_egctl_is_an_envoy_of_its_own() -> None:
    closed = copy.deepcopy(_dump())
    closed["configs"][0]["dynamic_listeners"].pop()

    assert "AUTHZ306" not in _found({"ns": {"one": closed}})
    assert "AUTHZ306" in _found({"ns": {"one": closed, "two": _dump()}})


def test_a_discovered_filter_is_read_from_the_ecds_part_of_a_dump() -> None:
    data = _dump()
    entry = data["configs"][0]["dynamic_listeners"][0]["active_state"]["listener"]
    http = entry["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    config = {**http[0].pop("typed_config"), "failure_mode_allow": True}
    http[0]["config_discovery"] = {"config_source": {"ads": {}}, "type_urls": [config["@type"]]}
    extension = {"@type": f"{TYPE}.config.core.v3.TypedExtensionConfig", "name": detours.AUTHZ, "typed_config": config}
    kind = f"{TYPE}.admin.v3.EcdsConfigDump"

    assert "AUTHZ501" not in _found(data)
    data["configs"].append({"@type": kind, "ecds_filters": [{"ecds_filter": extension}]})
    assert "AUTHZ501" in _found(data)


def test_the_files_of_a_folder_are_one_envoy_and_each_finding_is_in_its_own_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listeners, clusters, table = _parts()
    bootstrap = {"node": detours.clean()["node"], "static_resources": {"clusters": clusters}}
    table["virtual_hosts"][0]["routes"][1]["typed_per_filter_config"] = detours.override(disabled=True)
    files = {
        "envoy.json": bootstrap,
        "lds.json": {"resources": [_typed("listener.v3.Listener", each) for each in listeners]},
        "rds.json": {"resources": [_typed("route.v3.RouteConfiguration", table)]},
    }
    texts = {name: json.dumps(data, indent=1) for name, data in files.items()}

    found = {(each.rule.code, each.location.file) for each in examine_files(texts)}

    assert {("AUTHZ304", "rds.json"), ("AUTHZ306", "lds.json")} <= found
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["lint", str(tmp_path)]) == 1
    assert f"{tmp_path}/rds.json:" in capsys.readouterr().out
