"""`authz check` against real servers on loopback, real files and real sockets."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from authz.cli.main import main
from tests.envoy.bootstraps import bootstrap
from tests.fakes.certificates import authority_pem, server_context, server_pem
from tests.fakes.connect_proxy import ConnectProxy, ProxyMode
from tests.fakes.keys import jwk, jwks, rsa_key
from tests.fakes.keyserver import KeyServer, Mode

_NODE = """\
  id: orders-api
  cluster: orders-api
  metadata:
    authz:
      issuers:
        partner:
          profile: oidc
          issuer: "ORIGIN"
          audiences: [orders]
          ca_file: CA
      policies:
        orders-read: { scopes: [orders/read] }
"""
_ISSUER_LINE = 9

Report = dict[str, dict[str, Any]]


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority_pem())
    return path


@pytest.fixture
def server() -> Iterator[KeyServer]:
    """A key server whose certificate is good for a quarter, with a clock that agrees."""
    with KeyServer(jwks(jwk(rsa_key(), "a")), tls=server_context(days=90)) as running:
        running.fields = (f"date: {formatdate(usegmt=True)}",)
        yield running


def _file(tmp_path: Path, origin: str, ca_file: Path, *, more: str = "", endpoint: str = "") -> str:
    node = _NODE.replace("ORIGIN", origin).replace("CA", str(ca_file)) + more
    path = tmp_path / "envoy.yaml"
    pipe = endpoint or str(tmp_path / "authz.sock")
    path.write_text(bootstrap(node=node).replace("/run/authz/authz.sock", pipe), encoding="utf-8")
    return str(path)


def _check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Report]:
    code = main(["check", "--admin", "off", "--output", "json", *arguments])
    checks = json.loads(capsys.readouterr().out)["checks"]
    return code, {each["subject"]: each for each in checks}


def test_a_good_configuration_has_a_line_per_issuer_with_the_time_it_took(
    tmp_path: Path, ca_file: Path, server: KeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = _check(capsys, _file(tmp_path, server.origin, ca_file), "--strict")

    assert code == 0
    assert {each["level"] for each in found.values()} == {"ok"}
    assert found["issuer partner"]["detail"] == f"1 key from {server.origin}/.well-known/openid-configuration"
    assert found["issuer partner"]["seconds"] > 0
    assert "valid until" in found["certificate 127.0.0.1"]["detail"]
    assert found["clock 127.0.0.1"]["detail"] == "agrees with this machine's clock"


def test_keys_that_serve_accepts_without_kid_are_accepted_here(
    tmp_path: Path, ca_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of two keys without `kid` would be dropped if every key had to name itself."""
    published = jwks(jwk(rsa_key(0), None), jwk(rsa_key(1), None))
    with KeyServer(published, tls=server_context(days=90)) as server:
        code, found = _check(capsys, _file(tmp_path, server.origin, ca_file))

    assert code == 0
    assert found["issuer partner"]["level"] == "ok"


def test_nothing_is_left_behind(
    tmp_path: Path, ca_file: Path, server: KeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _file(tmp_path, server.origin, ca_file)
    before = sorted(tmp_path.iterdir())

    _check(capsys, file)

    assert sorted(tmp_path.iterdir()) == before


def test_a_captive_portal_is_named_as_a_web_page(
    tmp_path: Path, ca_file: Path, server: KeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.mode = Mode.HTML

    code, found = _check(capsys, _file(tmp_path, server.origin, ca_file))

    failed = found["issuer partner"]
    assert (code, failed["level"], failed["line"]) == (1, "failure", _ISSUER_LINE)
    assert "The response is a web page (HTML)" in failed["detail"]
    assert "captive portal" in failed["fix"]


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (3600, "failure", "s behind 127.0.0.1, and leeway is 10 s: new tokens are not valid yet here"),
        (-3600, "failure", "s ahead of 127.0.0.1, and leeway is 10 s: tokens end too early here"),
        (60, "warning", "behind 127.0.0.1"),
        (5, "ok", "agrees"),
    ],
)
def test_a_clock_that_differs_by_more_than_the_leeway_is_reported(
    tmp_path: Path,
    ca_file: Path,
    server: KeyServer,
    capsys: pytest.CaptureFixture[str],
    seconds: int,
    level: str,
    words: str,
) -> None:
    server.fields = (f"date: {formatdate(time.time() + seconds, usegmt=True)}",)

    code, found = _check(capsys, _file(tmp_path, server.origin, ca_file))

    seen = found["clock 127.0.0.1"]
    assert (code, seen["level"]) == (int(level == "failure"), level)
    assert words in seen["detail"]


def test_an_answer_from_a_cache_counts_with_its_age(
    tmp_path: Path, ca_file: Path, server: KeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.fields = (f"date: {formatdate(time.time() - 3600, usegmt=True)}", "age: 3600")

    code, found = _check(capsys, _file(tmp_path, server.origin, ca_file))

    assert (code, found["clock 127.0.0.1"]["level"]) == (0, "ok")


@pytest.mark.parametrize("date", ["", "date: yesterday", "date: Thu, 99 Nov 2026 00:00:00 GMT", "age: 5"])
def test_a_missing_or_broken_date_is_no_finding(
    tmp_path: Path, ca_file: Path, server: KeyServer, capsys: pytest.CaptureFixture[str], date: str
) -> None:
    server.fields = (date,) if date else ()

    code, found = _check(capsys, _file(tmp_path, server.origin, ca_file))

    assert code == 0
    assert "clock 127.0.0.1" not in found


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 1)])
def test_a_certificate_that_ends_next_week_is_a_warning(
    tmp_path: Path, ca_file: Path, capsys: pytest.CaptureFixture[str], code: int, *, strict: bool
) -> None:
    with KeyServer(jwks(jwk(rsa_key(), "a")), tls=server_context(days=7)) as server:
        seen, found = _check(capsys, _file(tmp_path, server.origin, ca_file), *(["--strict"] if strict else []))

    assert seen == code
    assert found["certificate 127.0.0.1"]["level"] == "warning"
    assert "in 7.0 days" in found["certificate 127.0.0.1"]["detail"]
    assert found["certificate 127.0.0.1"]["line"] is not None


@pytest.mark.parametrize(
    ("server_options", "authority", "words"),
    [
        ({}, 1, "certificate: unable to get local issuer certificate"),
        ({"expired": True}, 0, "certificate: certificate has expired"),
        ({"self_signed": True}, 0, "certificate: self-signed certificate"),
        ({"host": "other.example"}, 0, "certificate: IP address mismatch"),
    ],
    ids=["another authority", "expired", "self-signed", "another host"],
)
def test_a_certificate_that_is_not_trusted_says_why_and_names_ca_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    server_options: dict[str, Any],
    authority: int,
    words: str,
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority_pem(authority))
    with KeyServer(tls=server_context(**server_options)) as server:
        code, found = _check(capsys, _file(tmp_path, server.origin, tmp_path / "ca.pem"))

    failed = found["issuer partner"]
    assert (code, failed["level"]) == (1, "failure")
    assert words in failed["detail"]
    assert "ca_file" in failed["fix"]


def test_an_unreachable_issuer_says_so_and_the_other_checks_still_run(
    tmp_path: Path, ca_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, found = _check(capsys, _file(tmp_path, f"https://127.0.0.1:{port}", ca_file))

    assert code == 1
    assert "connect_failed" in found["issuer partner"]["detail"]
    assert found[f"socket unix:{tmp_path}/authz.sock"]["level"] == "ok"


def test_an_issuer_that_another_document_names_is_a_failure_at_its_line(
    tmp_path: Path, ca_file: Path, server: KeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.discovery = {"issuer": server.origin + "/"}

    code, found = _check(capsys, _file(tmp_path, server.origin, ca_file))

    failed = found["issuer partner"]
    assert (code, failed["line"]) == (1, _ISSUER_LINE)
    assert "issuer_mismatch" in failed["detail"]


def test_a_proxy_that_shows_a_login_page_is_named(
    tmp_path: Path, ca_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ConnectProxy({"idp.test": "127.0.0.1"}) as proxy:
        proxy.mode = ProxyMode.FORBIDDEN
        more = f"      proxy: http://127.0.0.1:{proxy.port}\n"
        code, found = _check(capsys, _file(tmp_path, "https://idp.test", ca_file, more=more))

    assert code == 1
    assert f"through the proxy 127.0.0.1:{proxy.port}: proxy_failed" in found["issuer partner"]["detail"]


def test_a_missing_ca_file_is_reported_once_with_its_line(
    tmp_path: Path, server: KeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = _check(capsys, _file(tmp_path, server.origin, tmp_path / "nowhere.pem"))

    assert code == 1
    assert "issuer partner" not in found
    assert found["file ca_file"]["line"] == _ISSUER_LINE + 2
    assert "nowhere.pem" in found["file ca_file"]["detail"]


def test_a_socket_that_is_served_already_names_its_process_and_line(
    tmp_path: Path, ca_file: Path, server: KeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "authz.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        code, found = _check(capsys, _file(tmp_path, server.origin, ca_file))
        used = found[f"socket unix:{path}"]
    stale_code, stale = _check(capsys, _file(tmp_path, server.origin, ca_file))

    assert (code, stale_code) == (1, 0)
    assert "listens on" in used["detail"]
    assert used["line"] is not None
    assert stale[f"socket unix:{path}"]["level"] == "ok"
    assert path.exists()  # a check removes nothing


def test_a_file_that_serve_could_not_read_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "envoy.yaml"
    file.write_text(bootstrap().replace("audiences", "audience"), encoding="utf-8")

    assert main(["check", str(file)]) == 2

    said = capsys.readouterr().err
    assert f"{file}:7:18: audiences is missing" in said
    assert "nothing else was checked" in said


def test_parts_can_be_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "envoy.yaml"
    file.write_text(bootstrap(), encoding="utf-8")

    code, found = _check(capsys, "--skip", "network", "--skip", "sockets", "--skip", "envoy-files", str(file))

    assert (code, set(found)) == (0, {"configuration"})


_SDS = """\
resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: NAME
  generic_secret: { secret: VALUE }
"""


def _login(tmp_path: Path, secret: str | None, key: str = f'{{ inline_string: "{"k" * 32}" }}') -> str:
    """The shipped file with login, its files below `tmp_path`, and the given client secret."""
    text = Path("deploy/envoy.yaml").read_text(encoding="utf-8")
    text = text.replace("/etc/envoy/", f"{tmp_path}/").replace("/run/authz", str(tmp_path))
    (tmp_path / "secrets").mkdir()
    for page in Path("deploy/pages").glob("*.html"):
        (tmp_path / page.name).write_bytes(page.read_bytes())
    if secret is not None:
        (tmp_path / "secrets/client-secret.yaml").write_text(
            _SDS.replace("NAME", "client-secret").replace("VALUE", secret), encoding="utf-8"
        )
    (tmp_path / "secrets/cookie-key.yaml").write_text(
        _SDS.replace("NAME", "cookie-key").replace("VALUE", key), encoding="utf-8"
    )
    certificate, private_key = server_pem("orders.example.com", days=90)
    (tmp_path / "tls.crt").write_bytes(certificate)
    (tmp_path / "tls.key").write_bytes(private_key)
    (tmp_path / "secrets/server-certificate.yaml").write_text(
        "resources:\n"
        '- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n'
        "  name: server-certificate\n"
        "  tls_certificate:\n"
        f"    certificate_chain: {{ filename: {tmp_path}/tls.crt }}\n"
        f"    private_key: {{ filename: {tmp_path}/tls.key }}\n",
        encoding="utf-8",
    )
    file = tmp_path / "envoy.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def _check_files(capsys: pytest.CaptureFixture[str], file: str) -> tuple[int, Report]:
    return _check(capsys, "--skip", "network", file)


def test_the_secrets_and_the_certificate_of_a_login_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = _check_files(capsys, _login(tmp_path, '{ inline_string: "the-secret" }'))

    assert code == 0, found
    assert found["secret client-secret"]["level"] == "ok"
    assert "valid until" in found[f"certificate {tmp_path}/tls.crt"]["detail"]
    assert "the-secret" not in json.dumps(found)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (None, "No such file or directory"),
        ('{ inline_string: "the-secret\\n" }', "begins or ends with white space"),
        ("{ inline_bytes: dGhlLXNlY3JldAo= }", "begins or ends with white space"),
        ("{ filename: SECRET_FILE }", "begins or ends with white space"),
        ('{ inline_string: "" }', "it is empty"),
        ("{ filename: /nowhere/secret }", "No such file or directory"),
        ("[", "not YAML"),
    ],
    ids=["missing", "newline", "newline in base64", "newline in a file", "empty", "file missing", "not YAML"],
)
def test_a_client_secret_that_the_provider_would_refuse_is_a_failure_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], secret: str | None, words: str
) -> None:
    (tmp_path / "secret.txt").write_text("the-secret\n", encoding="utf-8")
    secret = secret and secret.replace("SECRET_FILE", str(tmp_path / "secret.txt"))

    code, found = _check_files(capsys, _login(tmp_path, secret))

    failures = [each for each in found.values() if each["level"] == "failure"]
    assert code == 1
    assert any(words in each["detail"] for each in failures)
    assert all(each["file"] and each["line"] and each["fix"] for each in failures)
    assert "the-secret" not in json.dumps(found)


def test_a_secret_of_another_name_and_a_short_cookie_key_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _login(tmp_path, '{ inline_string: "s" }', '{ inline_string: "short" }')
    path = tmp_path / "secrets/client-secret.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("client-secret", "client_secret"), encoding="utf-8")

    code, found = _check_files(capsys, file)

    assert code == 1
    assert "no secret 'client-secret'" in found["secret client-secret"]["detail"]
    assert "it has 5 bytes" in found["secret cookie-key"]["detail"]


def test_a_private_key_of_another_certificate_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _login(tmp_path, '{ inline_string: "s" }')
    (tmp_path / "tls.crt").write_bytes(authority_pem())

    code, found = _check_files(capsys, file)

    assert code == 1
    assert "the private key does not belong to it" in found[f"certificate {tmp_path}/tls.crt"]["detail"]
