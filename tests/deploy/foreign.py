"""Manifests of somebody else's, to which the recipes of docs/kubernetes.md add Envoy and authz."""

from __future__ import annotations

from pathlib import Path

from tests.deploy.manifests import ROOT
from tests.docs.markdown import blocks

_FOLDER = ROOT / "deploy" / "kubernetes"

FOREIGN = """\
apiVersion: apps/v1
kind: Deployment
metadata: { name: legacy }
spec:
  selector: { matchLabels: { app: web, tier: front } }
  template:
    metadata: { labels: { app: web, tier: front } }
    spec:
      initContainers: [{ name: migrate, image: registry.example.com/migrate:1 }]
      containers: [{ name: web, image: registry.example.com/web:1 }]
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata: { name: legacy }
spec: { selector: { app: web }, ports: [{ port: 443, targetPort: https }] }
"""


def foreign(tmp_path: Path, *recipes: str) -> Path:
    """A directory with manifests of somebody else's, and the recipes of docs/kubernetes.md with these words in them."""
    base = copy_of_base(tmp_path, {})
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("envoy.yaml", "server-certificate.yaml"):
        (folder / name).write_text((base / name).read_text())
    (folder / "deployment.yaml").write_text(FOREIGN)
    (folder / "service.yaml").write_text(_SERVICE)
    found = [
        block.text
        for block in blocks(ROOT / "docs" / "kubernetes.md", "yaml")
        for word in recipes
        if word in block.text
    ]
    assert len(found) == len(recipes)
    (folder / "kustomization.yaml").write_text("".join(found))
    return folder


def copy_of_base(tmp_path: Path, changes: dict[str, str]) -> Path:
    """deploy/kubernetes below another directory, with texts of base replaced. Returns base."""
    for file in (each for each in _FOLDER.rglob("*") if each.is_file()):
        text = file.read_text(encoding="utf-8")
        if file.is_relative_to(_FOLDER / "base"):
            for old, new in changes.items():
                text = text.replace(old, new)
        copied = tmp_path / "deploy" / "kubernetes" / file.relative_to(_FOLDER)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(text, encoding="utf-8")
    return tmp_path / "deploy" / "kubernetes" / "base"


def checked_overlay(tmp_path: Path) -> Path:
    """The overlay for API clients with the init container of docs/kubernetes.md that runs `authz check`."""
    overlay = copy_of_base(tmp_path, {}).parent / "overlays" / "api-only"
    (recipe,) = (block for block in blocks(ROOT / "docs" / "kubernetes.md", "yaml") if "authz-check" in block.text)
    (overlay / "check.yaml").write_text(recipe.text)
    kustomization = overlay / "kustomization.yaml"
    patches = "patches:\n- { path: check.yaml, target: { kind: Deployment } }\n"
    kustomization.write_text(kustomization.read_text() + patches)
    return overlay
