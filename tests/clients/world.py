"""Everything that runs in these tests: two user pools, two OpenID providers, a service, Envoy and the sidecar."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authz.tools.demo.client import Exchange, HttpClient
from authz.tools.demo.cognito_emulator import start_emulator
from authz.tools.demo.echo_service import upstream
from authz.tools.demo.provision import User
from authz.tools.demo.proxy import Place, start_envoy
from authz.tools.demo.stack import start_sidecar
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import free_port
from tests.clients.directory import OTHER_REGION, REGION, Directory, federate, set_up
from tests.clients.envoy import ROUTES, authz, bootstrap
from tests.clients.matrix import Row, holds
from tests.clients.pages import Application
from tests.fakes import workloads
from tests.fakes.certificates import authority_pem, server_context
from tests.fakes.keys import jwk, jwks, rsa_key, sign
from tests.fakes.keyserver import KeyServer
from tests.fakes.log_lines import logged

FOLDER = Path(__file__).parent
PROGRAMS = FOLDER / "programs"
VENV = FOLDER.parents[1] / ".venv-clients"
FIX = "`make clients` sets up what these tests need"
PROGRAM_SECONDS = 60
SERVICE_ACCOUNT_TOKEN = "service-account-token"

_CAMPUS = {
    "settings.yaml": """\
config_version: 1
server: {{ host: 127.0.0.1, port: {port} }}
jwt: {{ keys_dir: "{folder}/keys" }}
oauth:
  issuer: "http://127.0.0.1:{port}"
  audience: orders
  clients:
  - client_id: portal
    client_secret: portal-secret
    redirect_uris: [https://app.example.com/callback]
""",
    "users.yaml": """\
config_version: 1
users:
  alice: {{ password: Permanent-1a, email: alice@example.com, groups: [staff] }}
""",
}


@dataclass(frozen=True, slots=True)
class World:
    """The addresses of everything."""

    place: Place
    people: Directory
    partners: Directory
    provider: str
    """The certified OpenID provider; empty if there is no node to run it."""
    campus: str
    """The OpenID and SAML provider, which rotates its keys on command."""
    api_server: KeyServer
    """Has the cluster's keys, as a Kubernetes API server has: over TLS, for those who bring a token."""
    sidecar_log: Path
    admin: str
    """The sidecar's admin address."""
    rows: set[Row] = field(default_factory=set)

    def ask(self, path: str, token: str) -> Exchange:
        """One request through Envoy."""
        headers = {"accept": "application/json", "authorization": f"Bearer {token}"}
        return HttpClient().ask("GET", f"{self.place.home}{path}", headers)

    def decision(self, path: str, token: str) -> str:
        """200, or the status and the reason of a refusal."""
        answer = self.ask(path, token)
        return "200" if answer.status == 200 else f"{answer.status} {answer.json().get('reason', '')}"

    def put_down(self, issuer: str, flow: str, client: str, kind: str, token: str) -> dict[str, str]:
        """Ask every example route with a token and put the row down. The decisions by path."""
        decisions = {path: self.decision(path, token) for path in ROUTES}
        row = Row(issuer, flow, client, kind, holds(token, self._names()), tuple(decisions.values()))
        self.rows.add(row)
        return decisions

    def log_line(self, request_id: str) -> dict[str, Any] | None:
        """What the sidecar logged about a request; None as long as there is nothing."""
        return next((line for line in logged(self.sidecar_log) if line.get("request_id") == request_id), None)

    def portal(self) -> Application:
        """The client of the second provider."""
        return Application(f"{self.campus}/authorize", f"{self.campus}/token", "portal", "portal-secret")

    def _names(self) -> dict[str, str]:
        names = {
            workloads.CIRCLECI_ORGANIZATION: "ORGANIZATION",
            workloads.CIRCLECI_PROJECT: "PROJECT",
        }
        for directory in (self.people, self.partners):
            names |= {
                directory.pool_id: "POOLID",
                directory.app_client_id: "app",
                directory.web.client_id: "web",
                directory.batch.client_id: "batch",
            }
        return names


def node() -> str:
    """The path of node, if it and its packages are installed; else empty."""
    found = shutil.which("node")
    return found if found and (FOLDER / "node_modules" / "oidc-provider").is_dir() else ""


def signed(alias: str, claims: dict[str, Any]) -> str:
    """A token of an issuer whose key only these tests have. Every such key has the same `kid`."""
    return sign(rsa_key(_KEY_NUMBERS[alias]), claims, kid="1")


_KEY_NUMBERS = {"github": 1, "gitlab": 2, "circleci": 3, "cluster": 4, "minted": 5}


def run(command: list[str], directory: Directory, stdin: str = "") -> str:
    """What a client program prints. Nothing of the machine's own AWS configuration reaches it."""
    keys = HttpClient().ask("GET", f"{directory.address}/{directory.pool_id}/.well-known/jwks.json").body.decode()
    environment = child_environment(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION=directory.region,
        AWS_ENDPOINT_URL=directory.address,  # all that tells these programs from those of a user
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        COGNITO_JWKS=keys,  # pycognito checks tokens, and would ask the real region for the keys
    )
    done = subprocess.run(
        command, input=stdin, check=False, capture_output=True, text=True, timeout=PROGRAM_SECONDS, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sign_in(command: list[str], directory: Directory, user: User, flow: str, new_password: str = "") -> dict[str, str]:
    """The tokens that one of the programs beside this file gets for a user, by kind."""
    asked = {
        "endpoint": directory.address,
        "region": directory.region,
        "pool": directory.pool_id,
        "client": directory.app_client_id,
        "user": user.name,
        "password": user.password,
        "new_password": new_password,
        "flow": flow,
    }
    return dict(json.loads(run(command, directory, json.dumps(asked))))


@contextmanager
def running() -> Iterator[World]:
    """Start everything, end everything."""
    with tempfile.TemporaryDirectory(prefix="authz-clients-", dir="/tmp") as name, Children(Path(name)) as children:
        folder = Path(name)
        cognito = start_emulator(children, folder)
        people, partners = set_up(cognito, REGION), set_up(cognito, OTHER_REGION)
        campus = _start_campus(children, folder)
        provider = _start_provider(children, cognito) if node() else ""
        federate(people, provider, campus)
        for alias, number in _KEY_NUMBERS.items():
            (folder / f"{alias}.json").write_bytes(jwks(jwk(rsa_key(number), "1")))
        (folder / "ca.crt").write_bytes(authority_pem())
        (folder / "token").write_text(SERVICE_ACCOUNT_TOKEN)
        place = Place(folder, cognito, free_port(), free_port(), free_port())
        with (
            upstream(place.upstream_port),
            KeyServer(jwks(jwk(rsa_key(_KEY_NUMBERS["cluster"]), "1")), tls=server_context()) as api_server,
        ):
            trust = authz(people, partners, provider, campus, folder)
            trust["issuers"]["cluster"]["jwks_uri"] = f"{api_server.origin}/openid/v1/jwks"
            if not provider:
                del trust["issuers"]["provider"]
            place.configuration.write_text(bootstrap(place, trust), encoding="utf-8")
            sidecar, admin = start_sidecar(children, place.configuration)
            start_envoy(children, place)
            yield World(place, people, partners, provider, campus, api_server, sidecar.log, admin)


def _start_campus(children: Children, folder: Path) -> str:
    port = free_port()
    config = folder / "campus"
    config.mkdir()
    for file, text in _CAMPUS.items():
        (config / file).write_text(text.format(port=port, folder=config), encoding="utf-8")
    child = children.start("campus", [str(VENV / "bin" / "nanoidp"), "--config", str(config)], child_environment())
    children.wait_until_ready(child, f"http://127.0.0.1:{port}/.well-known/jwks.json", 30)
    return f"http://127.0.0.1:{port}"


def _start_provider(children: Children, cognito: str) -> str:
    port = free_port()
    callback = f"http://localhost:{cognito.rpartition(':')[2]}/oauth2/idpresponse"
    command = [node(), str(PROGRAMS / "provider.mjs"), str(port), callback]
    child = children.start("provider", command, child_environment())
    children.wait_until_ready(child, f"http://127.0.0.1:{port}/jwks", 30)
    return f"http://127.0.0.1:{port}"
