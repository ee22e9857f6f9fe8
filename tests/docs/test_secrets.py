"""The pod mounts, and Envoy reads, exactly the Secrets that the commands of README.md create."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from authz.tools.demo.client import HttpClient
from authz.tools.init import pages
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_port
from tests.deploy.manifests import kustomized, pod_template
from tests.docs.markdown import ROOT, blocks

_KUBECTL = '#!/bin/sh\necho "$@" >>calls\n'
"""Records its arguments, because there is no cluster."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory in which the commands of the README ran."""
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
    shutil.copy(ROOT / "deploy" / "kubernetes" / "base" / "server-certificate.yaml", tmp_path)
    return tmp_path


def test_envoy_takes_the_secrets_up_with_the_shipped_configuration(folder: Path) -> None:
    shipped = (ROOT / "deploy" / "envoy.yaml").read_text(encoding="utf-8")
    for path in folder.glob("*.yaml"):
        path.write_text(path.read_text().replace("/etc/envoy/secrets", str(folder)))
    pages.write(folder)
    config = yaml.safe_load(pages.local(shipped, folder).replace("/etc/envoy/secrets", str(folder)))
    admin = config["admin"]["address"]["socket_address"]["port_value"] = free_port()
    listener = config["static_resources"]["listeners"][0]["address"]["socket_address"]
    listener |= {"address": LOOPBACK, "port_value": free_port()}
    (folder / "envoy.yaml").write_text(yaml.safe_dump(config))

    with Children(folder) as children:
        command = [envoy_command(), "-c", str(folder / "envoy.yaml"), "--disable-hot-restart", "--concurrency", "1"]
        envoy = children.start("envoy", command, child_environment())
        children.wait_until_ready(envoy, f"http://{LOOPBACK}:{admin}/ready", 30.0)
        dump = HttpClient().ask("GET", f"http://{LOOPBACK}:{admin}/config_dump?resource=dynamic_active_secrets").json()

    taken_up = {one["name"] for one in dump["configs"] if "secret" in one}
    assert taken_up == {"client-secret", "cookie-key", "server-certificate"}


def test_secrets_hold_every_file_that_the_pod_mounts_and_envoy_names(folder: Path) -> None:
    calls = (folder / "calls").read_text()
    shipped = (ROOT / "deploy" / "envoy.yaml").read_text(encoding="utf-8")
    pod = pod_template(kustomized("deploy/kubernetes/overlays/login"))["spec"]
    volume = next(each for each in pod["volumes"] if each["name"] == "envoy-secrets")
    sources = volume["projected"]["sources"]

    named = set(re.findall(r"/etc/envoy/secrets/(\S+)", shipped))
    created = set(re.findall(r"create secret \w+ (\S+)", calls))
    configured = {item["key"] for source in sources for item in source.get("configMap", {}).get("items", [])}

    assert set(re.findall(r"--from-file=(\S+)", calls)) | configured == named
    assert created == {source["secret"]["name"] for source in sources if "secret" in source}


def test_no_line_break_follows_the_client_secret(folder: Path) -> None:
    """Envoy would send the line break as part of the secret."""
    assert 'inline_string: "s3cret" }' in (folder / "client-secret.yaml").read_text()
