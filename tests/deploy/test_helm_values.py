"""Every value of the chart, with everything in it that it must not be: `helm template` fails and names the value.

The values come from values.yaml and the bounds from the schema, so a new value is tested by being there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import charts
from tests.deploy.helm import CHART, refusal, run
from tests.deploy.manifests import NEWEST, OLDEST, validate

_SCHEMA: Mapping[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
_DEFAULTS: Mapping[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

_NOT_PLAIN = ("a\nb: c", 'a"b', "-a", "ü")
"""Texts that would become something else in YAML, or that no name can be."""

_ANY_TEXT = {"tier.realm": ("a\nb", "", "ü")}
"""Printable texts are allowed here, and quoted by the templates."""


def _leaves(schema: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, default in defaults.items():
        below = schema["properties"][name]
        if isinstance(default, dict) and "properties" in below:
            yield from _leaves(below, default, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", below


_LEAVES = dict(_leaves(_SCHEMA, _DEFAULTS))


def _wrong(path: str, schema: Mapping[str, Any]) -> Iterator[Any]:
    """Values that the schema's kind rules out, whatever the schema itself says about them."""
    yield None
    kind = schema["type"]
    yield {"a": "b"} if kind in {"string", "array", "boolean", "integer"} else "a"
    if kind == "integer":
        yield from (schema["minimum"] - 1, schema["maximum"] + 1, 1.5, "1", [1])
    elif kind == "boolean":
        yield from ("true", 1, "yes")
    elif kind == "string":
        yield from (1, True, ["a"], *_ANY_TEXT.get(path, _NOT_PLAIN))
    elif kind == "array":
        yield from ("a", [1], [""], ["a", "a"], *([text] for text in _NOT_PLAIN))
    else:
        yield from ([], {"a": 1}, {"a b": "c"}, {"a": "b: c"}, {"a": "b\nc"}, {"": "a"}, {"a": "x" * 64})


_WRONG = [(path, value) for path, schema in _LEAVES.items() for value in _wrong(path, schema)]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("values") / "tier.yaml"
    file.write_text(charts.TIER)
    return file


@pytest.mark.parametrize(("path", "value"), _WRONG, ids=[f"{path}={json.dumps(value)}" for path, value in _WRONG])
def test_value_that_it_must_not_be_is_refused_and_named(values: Path, path: str, value: Any) -> None:
    said = refusal(CHART, "--values", str(values), "--set-json", f"{path}={json.dumps(value)}")

    assert path.rpartition(".")[2] in said
    assert "nil pointer" not in said
    assert "error converting" not in said


def test_every_value_of_the_chart_is_tested() -> None:
    assert len(_LEAVES) > 30
    assert {path.partition(".")[0] for path in _LEAVES} == set(_DEFAULTS)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.repository", "registry.example.com/envoy-jwt-authz:1.0"),
        ("image.repository", "registry.example.com/"),
        ("envoyImage.tag", ""),
        ("tier.zones", ["eu.west"]),
        ("tier.clientNamespaces", ["a.b"]),
        ("tier.authzCPU", "0m"),
        ("sidecar.host", "a..b"),
    ],
)
def test_value_that_only_the_cluster_would_refuse_is_refused_before(values: Path, path: str, value: Any) -> None:
    assert path.rpartition(".")[2] in refusal(
        CHART, "--values", str(values), "--set-json", f"{path}={json.dumps(value)}"
    )


@pytest.mark.parametrize("name", ["a.b", "1a", "a" * 50])
def test_release_name_that_no_service_can_have_is_refused(values: Path, name: str) -> None:
    done = run("template", name, str(CHART), "--values", str(values), "--set", f"tier.zones={{{'z' * 20}}}")

    assert done.returncode != 0
    assert "cannot be the name of a Service. Install the chart under a short name" in done.stderr


LARGEST: Mapping[str, Any] = {
    "image.repository": "registry.example.com:5000/team/envoy-jwt-authz",
    "image.digest": f"sha256:{'a' * 64}",
    "envoyImage.tag": "v1.40.0_rc.1",
    "tier.realm": "A \"realm\": 'quoted' \\ {{ and }} # more",
    "tier.workers": 16,
    "tier.replicas": 500,
    "tier.port": 65535,
    "tier.tls.secret": "a.b-c",
    "tier.tls.clients": ["orders.example.com", "1"],
    "tier.clientNamespaces": ["orders", "0"],
    "tier.zones": ["ap-northeast-1a", "0"],
    "tier.autoscaling.maxReplicas": 500,
    "tier.autoscaling.cpuPercent": 95,
    "tier.autoscaling.checksInFlight": 4096,
    "tier.maxUnavailable": 100,
    "tier.authzCPU": "16",
}
"""Values at the edge of what the schema accepts."""


def with_values(values: Mapping[str, Any]) -> list[str]:
    """The flags of `helm template` for these values."""
    return [word for path, value in values.items() for word in ("--set-json", f"{path}={json.dumps(value)}")]


def test_largest_values_are_accepted_and_reach_the_manifests_unchanged(values: Path) -> None:
    done = run("template", "a" + "b" * 40, str(CHART), "--values", str(values), *with_values(LARGEST))

    assert done.returncode == 0, done.stderr
    manifests = [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
    for version in (OLDEST, NEWEST):
        validate(manifests, version)
    config = next(each for each in manifests if each["kind"] == "ConfigMap")["data"]["envoy.yaml"]
    assert yaml.safe_load(config)["node"]["cluster"] == LARGEST["tier.realm"]
