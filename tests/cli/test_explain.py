"""`authz explain` as users run it: one sentence for every error, an exit code for every outcome."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from authz.cli.main import main
from tests.fakes.checks import COGNITO_KEY, COGNITO_KID, access_token, partner_token
from tests.fakes.keys import jwk, jwks, rsa_key
from tests.fakes.keyserver import KeyServer, Mode

SHIPPED = Path(__file__).parents[2] / "deploy" / "envoy.yaml"
_AT = ["--at", "1800000000"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, stdin: bytes = b"", config: Path = SHIPPED) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(["explain", "--envoy-config", str(config), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def pinned(tmp_path: Path) -> list[str]:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(jwk(COGNITO_KEY, COGNITO_KID)))
    return ["--jwks", str(file), *_AT]


def test_forwarded_is_0_and_refused_is_1(run: Run, pinned: list[str]) -> None:
    token = access_token().encode()

    assert run("--policy", "orders-read", *pinned, stdin=token)[0] == 0
    assert run("--policy", "orders-write", *pinned, stdin=token)[0] == 1


def test_keys_that_cannot_be_used_are_named_in_the_failing_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(jwk(COGNITO_KEY, COGNITO_KID, use="enc")))

    _code, out, _err = run("--policy", "orders-read", "--jwks", str(file), *_AT, stdin=access_token().encode())

    line = next(line for line in out.splitlines() if line.strip().startswith("FAIL"))
    assert "key " in line
    assert "no usable key set of cognito: --jwks: no usable key: its use is not sig" in line


def test_a_key_that_is_not_used_is_named_with_its_reason(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(jwk(COGNITO_KEY, COGNITO_KID, use="enc"), jwk(rsa_key(7), "other")))

    _code, out, _err = run("--policy", "orders-read", "--jwks", str(file), *_AT, stdin=access_token().encode())

    assert "keys of cognito: other; not used: 'cognito-1': its use is not sig" in out


def test_answer_is_shown_as_the_client_gets_it(run: Run, pinned: list[str]) -> None:
    code, out, _err = run("--policy", "orders-write", *pinned, stdin=access_token().encode())

    assert code == 1
    assert "Refused: scope_insufficient (HTTP 403)" in out
    assert 'error="insufficient_scope"' in out
    assert "Ask cognito for all of: orders/write." in out


def test_request_is_resolved_by_envoys_own_routes(run: Run, pinned: list[str]) -> None:
    curl = f"curl -X POST https://orders.example.com/orders -H 'authorization: Bearer {access_token()}'"

    code, out, _err = run("--output", "json", *pinned, stdin=curl.encode())

    assert code == 1
    assert json.loads(out)["policy"] == "orders-write"
    assert "names orders-write" in json.loads(out)["route"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("GET https://other.example.com/", "Envoy answers 404 itself and asks nobody: no route, route_not_found"),
        ("GET https://orders.example.com/a%2fb", "path_normalization_failed"),
    ],
)
def test_request_that_envoy_answers_itself_is_explained(run: Run, request_: str, said: str) -> None:
    code, out, _err = run("--request", request_)

    assert code == 1
    assert said in out


def test_live_keys_are_fetched_and_their_failure_is_named(run: Run, tmp_path: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    with KeyServer(jwks(jwk(COGNITO_KEY, COGNITO_KID))) as server:
        config = tmp_path / "envoy.yaml"
        config.write_text(
            text.replace("profile: cognito\n", f"profile: cognito\n          jwks_uri: {server.url}\n", 1)
        )

        good = run("--policy", "orders-read", *_AT, stdin=access_token().encode(), config=config)
        server.mode = Mode.ERROR_500
        bad = run("--policy", "orders-read", *_AT, stdin=access_token().encode(), config=config)

    gone = run("--policy", "orders-read", *_AT, stdin=access_token().encode(), config=config)
    assert (good[0], bad[0], gone[0]) == (0, 1, 1)
    assert "keys_unavailable" in bad[1]
    assert "Could not load the keys" in bad[1]
    assert "Could not load the keys" in gone[1]


def test_token_of_another_issuer_makes_nothing_fetch(run: Run) -> None:
    started = time.monotonic()

    code, out, _err = run("--policy", "orders-read", stdin=partner_token().encode())

    assert code == 1
    assert "issuer_unknown" in out
    assert "Could not load" not in out
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        ([], b"", "say --policy NAME"),
        (["--policy", "x", "--at", "tomorrow"], b"", "--at: write a time"),
        (["--policy", "x", "--jwks", "/nowhere"], b"", "/nowhere: cannot be read"),
        (["--policy", "x", "--token-file", "/nowhere"], b"", "/nowhere: cannot be read"),
        (["--policy", "x"], b"\xff\xfe\x00", "not UTF-8"),
        (["--policy", "x"], b"a\nb\n", "more than one line"),
        (["--policy", "x"], b"x" * 5_000_000, "larger than"),
        (["--request", "orders"], b"", "the URL must begin with https"),
        (["--policy", "x", "--curl", "curl"], b"", "has no URL"),
        (["--policy", "order-read"], b"", "--policy: no policy is called 'order-read'. Did you mean `orders-read`?"),
        (["--policy", "zzz"], b"", "no policy is called 'zzz'. Configured policies: authenticated, "),
        (["--policy", "{scpoes: [a]}"], b"", "unknown field 'scpoes'. Did you mean `scopes`?"),
        (["--policy", "[a"], b"", "--policy: "),
        (["--policy", ""], b"", "--policy: "),
    ],
)
def test_invalid_input_is_one_sentence_and_exit_code_2(
    run: Run, arguments: list[str], stdin: bytes, sentence: str
) -> None:
    code, out, err = run(*arguments, stdin=stdin)

    assert (code, out) == (2, "")
    assert err.startswith("authz explain: ")
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b"{", "not YAML"),
        (b"\x00\x01", "not YAML"),
        (b"\xff", "not UTF-8"),
        (b"[1]", "is not a mapping"),
        (b"node: {id: a}", "node.metadata.authz is missing"),
        (b"x" * 5_000_000, "larger than"),
    ],
)
def test_configuration_that_is_none_is_a_sentence_and_2(
    run: Run, tmp_path: Path, content: bytes, sentence: str
) -> None:
    config = tmp_path / "envoy.yaml"
    config.write_bytes(content)

    code, _out, err = run("--policy", "x", config=config)

    assert code == 2
    assert sentence in err


def test_missing_envoy_asks_for_a_policy(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    code, _out, err = run("--request", "GET https://orders.example.com/")

    assert code == 2
    assert "Envoy is not installed" in err
    assert "--policy NAME" in err


def test_json_configuration_is_read_like_yaml(run: Run, tmp_path: Path, pinned: list[str]) -> None:
    import yaml  # noqa: PLC0415 - only to write the same as JSON

    config = tmp_path / "envoy.json"
    config.write_text(json.dumps(yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))))

    assert run("--policy", "orders-read", *pinned, stdin=access_token().encode(), config=config)[0] == 0
