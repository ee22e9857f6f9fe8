"""The recorded renderings of the chart are current, valid for each Kubernetes release, and restricted.

If a change is intended: `python -m tests.deploy.snapshots`, and read the diff.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy import snapshots
from tests.deploy.manifests import NEWEST, OLDEST, Manifest, not_restricted, pod_template, validate

_NAMES = ("sidecar-login.yaml", "sidecar.yaml", "tier-every-value.yaml", "tier.yaml")


def _parsed(text: str) -> list[Manifest]:
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def _recorded(name: str) -> list[Manifest]:
    return _parsed((snapshots.FOLDER / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rendered() -> Mapping[str, str]:
    return dict(snapshots.rendered())


def test_chart_renders_what_is_recorded(rendered: Mapping[str, str]) -> None:
    """Parsed, because releases of Helm differ in blank lines."""
    assert {name: _parsed(text) for name, text in rendered.items()} == {name: _recorded(name) for name in _NAMES}
    assert sorted(file.name for file in snapshots.FOLDER.iterdir()) == list(_NAMES)


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_recorded_manifests_are_valid_for_the_oldest_and_the_newest_kubernetes(name: str, version: str) -> None:
    validate(_recorded(name), version)


@pytest.mark.parametrize("name", _NAMES)
def test_recorded_pods_pass_the_restricted_profile(name: str) -> None:
    assert list(not_restricted(pod_template(_recorded(name))["spec"])) == []


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("Deployment", lambda spec: spec["template"]["spec"].update(containerz=[])),
        ("Deployment", lambda spec: spec.update(minReadySeconds="ten")),
        ("HorizontalPodAutoscaler", lambda spec: spec.pop("maxReplicas")),
        ("NetworkPolicy", lambda spec: spec.update(ingress={})),
    ],
)
def test_schemas_notice_a_field_that_is_misspelt_missing_or_of_another_type(kind: str, spoil: Any) -> None:
    manifest = next(each for each in _recorded("tier.yaml") if each["kind"] == kind)
    spoil(manifest["spec"])

    with pytest.raises(kubernetes_validate.ValidationError):
        validate([manifest], NEWEST)
