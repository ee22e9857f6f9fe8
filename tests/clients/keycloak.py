"""A real Keycloak from Maven Central on loopback, with one realm as an operator sets it up."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from authz.tools.demo.client import Exchange, HttpClient
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import free_port
from tests.fakes.certificates import authority_pem, server_pem
from tests.fakes.keys import ec_key, jwk, rsa_key, sign

VERSION = "26.7.3"
HOME = Path(__file__).parents[2] / ".venv-clients" / f"keycloak-{VERSION}"
REALM = "shop"
START_SECONDS = 300
"""48 to 128 s were seen on two busy cores: each start in development mode prepares its classes."""

_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_JAVA_SECONDS = 10
_DOWNLOAD_SECONDS = 300
_OLDEST_JAVA = 21
_ADMIN = "admin"
_SECRET = "portal-secret"
_PASSWORD = "Permanent-1a"
_FORM = {"content-type": "application/x-www-form-urlencoded"}


@cache
def java_home() -> str:
    """Return the home of a Java that can run Keycloak, empty if there is none."""
    homes = [os.environ.get("JAVA_HOME", ""), *map(str, sorted(Path("/usr/lib/jvm").glob("*"), reverse=True))]
    on_path = shutil.which("java")
    homes.append(str(Path(on_path).resolve().parents[1]) if on_path else "")
    return next((home for home in homes if home and _java_version(home) >= _OLDEST_JAVA), "")


def _java_version(home: str) -> int:
    program = Path(home) / "bin" / "java"
    if not program.is_file():
        return 0
    said = subprocess.run(
        [str(program), "-version"], capture_output=True, text=True, check=False, timeout=_JAVA_SECONDS
    ).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def why_not() -> str:
    """Return why Keycloak cannot run here, empty if it can. Downloads it if it is not there yet."""
    if not java_home():
        return f"no Java {_OLDEST_JAVA} or newer (set JAVA_HOME)"
    if HOME.is_dir():
        return ""
    maven = shutil.which("mvn")
    if not maven:
        return "no mvn to download Keycloak with"
    folder = HOME.parent
    folder.mkdir(exist_ok=True)
    command = [maven, "-q", "-B", _COPY, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_DOWNLOAD_SECONDS)
    if done.returncode:
        return f"Keycloak cannot be downloaded: {done.stdout[-300:]}"
    archive, unpacked = folder / f"keycloak-quarkus-dist-{VERSION}.zip", folder / "keycloak-unpacking"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(unpacked)
    archive.unlink()
    (unpacked / HOME.name).rename(HOME)  # last, so that an interrupted unpacking is not taken for Keycloak
    unpacked.rmdir()
    return ""


@dataclass(frozen=True, slots=True)
class Keycloak:
    """A running Keycloak with the realm."""

    address: str
    tls_port: int
    folder: Path

    @property
    def issuer(self) -> str:
        """`iss` of the realm's tokens."""
        return f"{self.address}/realms/{REALM}"

    def token(self, client: str = "portal", *, dpop: bool = False, certificate: bool = False) -> str:
        """Return an access token of alice, bound to a DPoP key or to a client certificate on request."""
        form = {
            "grant_type": "password",
            "client_id": client,
            "client_secret": _SECRET,
            "username": "alice",
            "password": _PASSWORD,
            "scope": "openid orders.read",
        }
        url = f"{self.issuer}/protocol/openid-connect/token"
        headers = _FORM | ({"dpop": _proof(url)} if dpop else {})
        answer = self._over_tls(headers, form) if certificate else _post(url, headers, form).json()
        assert "access_token" in answer, answer
        return str(answer["access_token"])

    def add_key(self, provider: str, name: str, algorithm: str, *, priority: int, key: int | None = None) -> None:
        """Add a realm key. With the number of a key, Keycloak signs with that key under a `kid` made of it."""
        config = {"priority": [str(priority)], "enabled": ["true"], "active": ["true"], "algorithm": [algorithm]}
        if key is not None:
            pem = rsa_key(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            config["privateKey"] = [pem]
        realm = self._admin("GET", f"/{REALM}").json()["id"]
        kind = "org.keycloak.keys.KeyProvider"
        body = {"name": name, "providerId": provider, "providerType": kind, "parentId": realm, "config": config}
        assert self._admin("POST", f"/{REALM}/components", body).status == 201

    def keys(self) -> list[dict[str, Any]]:
        """Return the key set that the realm publishes."""
        return list(HttpClient().ask("GET", f"{self.issuer}/protocol/openid-connect/certs").json()["keys"])

    def set_up(self) -> None:
        """Create the realm. The built-in scopes exist only if the realm is created without scopes of its own."""
        clients = [{"clientId": "orders", "bearerOnly": True}]
        assert self._admin("POST", "", _realm() | {"clients": clients}).status == 201
        assert self._admin("POST", f"/{REALM}/client-scopes", _orders_read()).status == 201
        for client in _clients():
            assert self._admin("POST", f"/{REALM}/clients", client).status == 201

    def _admin(self, method: str, path: str, body: object = None) -> Exchange:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": _ADMIN, "password": _ADMIN}
        token = _post(f"{self.address}/realms/master/protocol/openid-connect/token", _FORM, form).json()
        headers = {"authorization": f"Bearer {token['access_token']}", "content-type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        return HttpClient().ask(method, f"{self.address}/admin/realms{path}", headers, content)

    def _over_tls(self, headers: Mapping[str, str], form: Mapping[str, str]) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.load_cert_chain(self.folder / "tls.crt", self.folder / "tls.key")
        connection = http.client.HTTPSConnection("127.0.0.1", self.tls_port, context=context, timeout=30)
        try:
            path = f"/realms/{REALM}/protocol/openid-connect/token"
            connection.request("POST", path, urlencode(form), dict(headers))
            return dict(json.loads(connection.getresponse().read()))
        finally:
            connection.close()


@contextmanager
def running(folder: Path) -> Iterator[Keycloak]:
    """Start Keycloak with an empty database in memory, and create the realm."""
    port, tls_port, management = free_port(), free_port(), free_port()
    certificate, key = server_pem("127.0.0.1")
    for name, content in {"ca.pem": authority_pem(), "tls.crt": certificate, "tls.key": key}.items():
        (folder / name).write_bytes(content)
    keycloak = Keycloak(f"http://127.0.0.1:{port}", tls_port, folder)
    command = [
        *("sh", str(HOME / "bin" / "kc.sh"), "start-dev", "--db=dev-mem", "--cache=local"),
        *("--http-host=127.0.0.1", f"--http-port={port}", f"--http-management-port={management}"),
        *(f"--hostname={keycloak.address}", f"--https-port={tls_port}", "--https-client-auth=request"),
        *(f"--https-certificate-file={folder}/tls.crt", f"--https-certificate-key-file={folder}/tls.key"),
        f"--truststore-paths={folder}/ca.pem",
    ]
    environment = child_environment(
        JAVA_HOME=java_home(),
        JAVA_OPTS_APPEND="-Xmx700m -Djava.net.preferIPv4Stack=true",
        KC_BOOTSTRAP_ADMIN_USERNAME=_ADMIN,
        KC_BOOTSTRAP_ADMIN_PASSWORD=_ADMIN,
    )
    with Children(folder) as children:
        child = children.start("keycloak", command, environment)
        children.wait_until_ready(child, f"{keycloak.address}/realms/master", START_SECONDS)
        keycloak.set_up()
        yield keycloak


def _post(url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Exchange:
    return HttpClient().ask("POST", url, headers, urlencode(form).encode())


def _proof(url: str) -> str:
    """A DPoP proof for the token endpoint (RFC 9449 section 4.2)."""
    key = {name: value for name, value in jwk(ec_key(70), None).items() if name in {"kty", "crv", "x", "y"}}
    claims = {"jti": str(uuid.uuid4()), "htm": "POST", "htu": url, "iat": int(time.time())}
    return sign(ec_key(70), claims, kid=None, typ="dpop+jwt", jwk=key)


def thumbprint_of_certificate(folder: Path) -> str:
    """`x5t#S256` of the client certificate (RFC 8705 section 3.1)."""
    der = ssl.PEM_cert_to_DER_cert((folder / "tls.crt").read_text())
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _realm() -> dict[str, Any]:
    """A realm with a role of its own, a role of a client, and a user who has both."""
    return {
        "realm": REALM,
        "enabled": True,
        "roles": {"realm": [{"name": "staff"}], "client": {"orders": [{"name": "reader"}]}},
        "users": [
            {
                "username": "alice",
                "enabled": True,
                "email": "alice@example.com",
                "emailVerified": True,
                "firstName": "Alice",
                "lastName": "A",
                "credentials": [{"type": "password", "value": _PASSWORD, "temporary": False}],
                "realmRoles": ["staff"],
                "clientRoles": {"orders": ["reader"]},
            }
        ],
    }


def _orders_read() -> dict[str, Any]:
    """A client scope that puts our audience into the token."""
    audience = {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": "orders", "access.token.claim": "true"},
    }
    return {
        "name": "orders.read",
        "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "true"},
        "protocolMappers": [audience],
    }


def _clients() -> list[dict[str, Any]]:
    return [
        _client("portal"),
        _client("portal-ps256", **{"access.token.signed.response.alg": "PS256"}),
        _client("portal-dpop", **{"dpop.bound.access.tokens": "true"}),
        _client("portal-mtls", **{"tls.client.certificate.bound.access.tokens": "true"}),
    ]


def _client(name: str, **attributes: str) -> dict[str, Any]:
    return {
        "clientId": name,
        "secret": _SECRET,
        "directAccessGrantsEnabled": True,
        "fullScopeAllowed": True,
        "defaultClientScopes": ["basic", "roles", "orders.read"],
        "attributes": attributes,
    }
