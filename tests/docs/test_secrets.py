"""The Secrets that README.md tells people to make are the ones that the pod mounts and that Envoy reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from authz.programs.machine import envoy_command
from tests.docs.markdown import ROOT, blocks

_KUBECTL = '#!/bin/sh\necho "$@" >>calls\n'
"""Takes down how it was called: there is no cluster."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the lines of the README were run."""
    (block,) = (block for block in blocks(ROOT / "README.md", "sh") if "kubectl create secret" in block.text)
    shim = tmp_path / "bin" / "kubectl"
    shim.parent.mkdir()
    shim.write_text(_KUBECTL)
    shim.chmod(0o755)
    openssl = shutil.which("openssl") or pytest.skip("no openssl on PATH")
    certificate = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=orders"]
    subprocess.run(
        [*certificate, "-keyout", "tls.key", "-out", "tls.crt"], check=True, capture_output=True, cwd=tmp_path
    )
    environment = os.environ | {"PATH": f"{shim.parent}:{os.environ['PATH']}", "CLIENT_SECRET": "s3cret"}
    subprocess.run(["sh", "-euc", block.text], check=True, cwd=tmp_path, env=environment, timeout=60)
    return tmp_path


def test_envoy_reads_the_secrets_with_the_shipped_configuration(folder: Path) -> None:
    shipped = (ROOT / "deploy" / "envoy.yaml").read_text(encoding="utf-8")
    for path in [*folder.glob("*.yaml")]:
        path.write_text(path.read_text().replace("/etc/envoy/secrets", str(folder)))
    (folder / "envoy.yaml").write_text(shipped.replace("/etc/envoy/secrets", str(folder)))

    result = subprocess.run(
        [envoy_command(), "--mode", "validate", "-c", folder / "envoy.yaml"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert result.returncode == 0, result.stderr


def test_secrets_hold_every_file_that_the_pod_mounts_and_envoy_names(folder: Path) -> None:
    calls = (folder / "calls").read_text()
    shipped = (ROOT / "deploy" / "envoy.yaml").read_text(encoding="utf-8")
    pod = (ROOT / "deploy" / "kubernetes" / "sidecar.yaml").read_text(encoding="utf-8")

    named = set(re.findall(r"/etc/envoy/secrets/(\S+)", shipped))
    created = re.findall(r"create secret \w+ (\S+)", calls)

    assert set(re.findall(r"--from-file=(\S+)", calls)) == named
    assert created == re.findall(r"secret: \{ name: (\S+) \}", pod)


def test_no_line_break_follows_the_client_secret(folder: Path) -> None:
    """Envoy would send it along."""
    assert 'inline_string: "s3cret" }' in (folder / "client-secret.yaml").read_text()
