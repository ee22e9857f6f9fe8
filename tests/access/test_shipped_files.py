"""Compare the shipped files with themselves and with changed copies: their first route reads `:path`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from authz.cli.main import main
from authz.tools.access.envoy_confirmation import confirm
from authz.tools.access.loaded_file import load
from authz.tools.access.region_changes import changes
from authz.tools.access.relation import Change

_DEPLOY = Path(__file__).parents[2] / "deploy"
_FILES = [_DEPLOY / "envoy.yaml", *sorted((_DEPLOY / "examples").glob("*.yaml"))]
_TEXT = (_DEPLOY / "envoy.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_a_shipped_file_is_equal_to_itself(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(file), str(file)]) == 0
    out = capsys.readouterr().out
    assert "undecided" not in out
    assert "nothing is wider" in out


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_access_decides_every_route_of_a_shipped_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", str(file)]) == 0
    out = capsys.readouterr().out
    assert "undecided" not in out
    assert "unreachable" not in out
    assert "/orders" in out


def _with_routes_moved(first: str, second: str) -> str:
    data = yaml.safe_load(_TEXT)
    (manager,) = (
        each["typed_config"]
        for listener in data["static_resources"]["listeners"]
        for chain in listener["filter_chains"]
        for each in chain["filters"]
        if any(host["name"] == "app" for host in each["typed_config"].get("route_config", {}).get("virtual_hosts", ()))
    )
    (host,) = (each for each in manager["route_config"]["virtual_hosts"] if each["name"] == "app")
    places = [
        next(index for index, route in enumerate(host["routes"]) if text in str(route["match"]))
        for text in (first, second)
    ]
    one, other = places
    host["routes"][one], host["routes"][other] = host["routes"][other], host["routes"][one]
    return yaml.safe_dump(data, sort_keys=False)


def test_disjoint_routes_of_the_shipped_file_in_another_order_are_equal() -> None:
    new = _with_routes_moved("/healthz", "/oauth2/signout")
    found = changes(load(_TEXT, "old"), load(new, "new"))
    assert {each.change for each in found} == {Change.EQUAL}


def test_a_route_above_the_check_of_the_path_is_wider_and_envoy_confirms_the_request() -> None:
    old, new = load(_TEXT, "old"), load(_with_routes_moved(":path", "/healthz"), "new")
    wider = [each for each in changes(old, new) if each.change.is_wider]
    assert [each.relation.undecided for each in wider] == [""]
    example = wider[0].example()
    assert example is not None
    assert example.path.startswith("/healthz;")
    assert [each.holds for each in confirm(old, new, wider)] == [True]


def test_envoy_confirms_that_a_policy_of_the_shipped_file_is_wider(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(_TEXT.replace("all_of: [orders/write], none_of: [readonly]", "all_of: [orders/write]"))
    assert main(["diff", "--confirm", str(_DEPLOY / "envoy.yaml"), str(new)]) == 1
    shown = capsys.readouterr()
    assert "7 regions: 6 equal, 1 wider" in shown.out
    assert "Envoy confirms 1 of 1 examples" in shown.err


def test_another_expression_on_the_path_is_compared_by_meaning() -> None:
    assert r"\\.[\\w-]" in _TEXT
    narrower = _TEXT.replace(r"\\.[\\w-]|%(?:2", r"%(?:2", 1)
    old, new = load(_TEXT, "old"), load(narrower, "new")
    assert not [each for each in changes(old, new) if each.change.is_wider]
    assert not [
        each
        for each in changes(old, load(_TEXT.replace(r"(?:\\?.*)?", r"(?:[?].*)?"), "new"))
        if each.change is not Change.EQUAL
    ]
