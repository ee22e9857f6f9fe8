"""A real kube-apiserver and etcd on loopback, without kubelets and controllers, and kubectl to ask it."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import free_port
from tests.cluster.build import API_SERVER, ETCD, definitions
from tests.deploy.manifests import Manifest
from tests.fakes.keys import rsa_key
from tests.fakes.waiting import until

KUBECTL = Path(sys.executable).with_name("kubectl")

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
"""Labels of a namespace in which Pod Security refuses, and warns about, pods outside of the profile."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running API server."""

    kubeconfig: Path

    def kubectl(self, *arguments: str, text: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one kubectl command as the cluster's administrator."""
        return subprocess.run(
            [KUBECTL, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            input=text,
            cwd=cwd,
            env=child_environment(KUBECONFIG=str(self.kubeconfig), HOME=str(self.kubeconfig.parent)),
        )

    def namespace(self, name: str) -> None:
        """Create a restricted namespace, with the service account that a controller would make."""
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
        self.apply([space, account], name)

    def apply(self, manifests: Sequence[Manifest], namespace: str) -> str:
        """Apply on the server's side. Return its warnings. Fails if one manifest is refused."""
        done = self.try_apply(manifests, namespace)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def try_apply(self, manifests: Sequence[Manifest], namespace: str) -> subprocess.CompletedProcess[str]:
        """Apply on the server's side, with every field checked."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        command = ["apply", "--server-side", "--validate=strict", "--namespace", namespace, "--filename", "-"]
        return self.kubectl(*command, text=text)

    def admit(self, pod: Manifest, namespace: str) -> str:
        """Ask whether a pod is admitted, without creating it. Return why not; empty if it is."""
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asked"}, "spec": pod}
        command = ["create", "--dry-run=server", "--validate=strict", "--namespace", namespace, "--filename", "-"]
        done = self.kubectl(*command, text=json.dumps(manifest))
        return done.stderr

    def get(self, namespace: str, *what: str) -> list[dict[str, Any]]:
        """The objects of a namespace."""
        done = self.kubectl("get", *what, "--namespace", namespace, "--output", "json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
        return found


@contextlib.contextmanager
def control_plane() -> Iterator[ControlPlane]:
    """Start both programs, and install the definitions of the custom resources."""
    with tempfile.TemporaryDirectory(prefix="authz-cluster-") as name, Children(Path(name)) as children:
        folder = Path(name)
        token, port = secrets.token_hex(16), free_port()
        _write_credentials(folder, token, port)
        stores = _start_etcd(children, folder)
        server = children.start("kube-apiserver", _api_server(folder, port, stores), child_environment())
        started = ControlPlane(folder / "kubeconfig")

        def is_ready() -> bool:
            server.check()
            return started.kubectl("get", "--raw", "/readyz").returncode == 0

        until(is_ready, 60)
        for file in definitions():
            done = started.kubectl("apply", "--server-side", "--filename", str(file))
            assert done.returncode == 0, done.stderr
        done = started.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        assert done.returncode == 0, done.stderr
        yield started


def _start_etcd(children: Children, folder: Path) -> str:
    """Return the address for clients."""
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [str(ETCD.path), f"--data-dir={folder}/etcd", "--unsafe-no-fsync", "--log-level=error"]
    command += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}"]
    command += [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]
    children.start("etcd", command, child_environment())
    return client


def _api_server(folder: Path, port: int, stores: str) -> list[str]:
    return [
        str(API_SERVER.path),
        f"--etcd-servers={stores}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        "--service-cluster-ip-range=10.96.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder}/accounts.pem",
        f"--service-account-signing-key-file={folder}/accounts.pem",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=RBAC",
        "--endpoint-reconciler-type=none",
    ]


def _write_credentials(folder: Path, token: str, port: int) -> None:
    key = rsa_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "accounts.pem").write_bytes(key)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(folder / "apiserver.crt")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
