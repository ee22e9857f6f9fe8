"""One line per event, whatever its fields; a slow reader of the log delays no check."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest

from authz.core.check import decide
from authz.observe import log as module
from authz.observe.log import Log, path_without_query
from tests.fakes.checks import NOW, Rig, access_token, check_request
from tests.fakes.handler import FakeCall
from tests.fakes.keys import rsa_key
from tests.fakes.waiting import until


def lines_of(*calls: tuple[str, tuple[Any, ...]], level: str = "debug", form: str = "json") -> list[str]:
    """The lines written by these calls of a log."""
    stream = io.StringIO()
    log = Log(level, form, stream)  # type: ignore[arg-type]
    for name, arguments in calls:
        getattr(log, name)(*arguments)
    log.close()
    return stream.getvalue().splitlines()


def check_line(token: str | None, policy: str = "reading", **request: str) -> dict[str, Any]:
    rig = Rig()
    decision = decide(rig.rules, check_request(token, policy, **request), NOW, may_wait=False)
    (line,) = lines_of(("check", (decision, 0.000123, FakeCall())))
    said: dict[str, Any] = json.loads(line)
    return said


def test_refusal_says_what_is_known() -> None:
    said = check_line(access_token(scope="x"))

    assert said.pop("time").endswith("Z")
    assert said["level"] == "info"
    assert said["event"] == "check"
    assert (said["decision"], said["reason"], said["policy"], said["issuer"]) == (
        "deny",
        "scope_insufficient",
        "reading",
        "cognito",
    )
    assert (said["kid"], said["subject"], said["method"], said["path"]) == (
        "cognito-1",
        "0a1b2c3d-user",
        "GET",
        "/orders/7",
    )
    assert said["microseconds"] == 123


@pytest.mark.parametrize(
    ("token", "policy", "level"),
    [(access_token(), "reading", "debug"), (None, "reading", "info"), (None, "", "error"), (None, "{x: 1}", "error")],
)
def test_level_follows_the_outcome(token: str | None, policy: str, level: str) -> None:
    assert check_line(token, policy)["level"] == level


def test_event_below_the_level_is_not_written() -> None:
    events: list[tuple[str, tuple[Any, ...]]] = [
        ("event", (level, "e", {})) for level in ("debug", "info", "warning", "error")
    ]

    assert [json.loads(line)["level"] for line in lines_of(*events, level="warning")] == ["warning", "error"]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("text", ["a\r\nb", "a\u2028b\u0085c", "\x1b[31m\0", "\ud800", "é"])
def test_one_event_is_one_line_of_printable_ascii(form: str, text: str) -> None:
    (line,) = lines_of(("event", ("info", "e", {"field": text, "deep": [text, {"x": text}]})), form=form)

    assert line.isascii()
    assert line.isprintable()


def test_value_that_json_does_not_know_is_written_all_the_same() -> None:
    (line,) = lines_of(("event", ("info", "e", {"field": {1}, "error": ValueError("x")})))

    assert json.loads(line)["field"] == "{1}"


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/a?token=x", "/a"), ("/a#x", "/a"), ("/a?b#c?d", "/a"), ("?x", ""), ("/" + "a" * 5000, "/" + "a" * 511)],
)
def test_path_has_no_query_and_is_bounded(path: str, shown: str) -> None:
    assert path_without_query(path) == shown


def test_fields_that_strangers_choose_are_bounded() -> None:
    key = rsa_key(4)
    long_kid = check_line(access_token(key=key, kid="k" * 3000))
    long_subject = check_line(access_token(sub="s" * 3000, scope="x"), x_request_id="r" * 3000)

    assert len(json.dumps(long_kid)) < 1000
    assert len(json.dumps(long_subject)) < 1000


@pytest.mark.parametrize(
    "token",
    [
        access_token(),
        access_token(exp=1),
        access_token(key=rsa_key(4)),
        access_token(kid="unknown"),
        access_token(iss="https://evil.example.com"),
        access_token()[:-5],
        access_token() + ".x",
        "not.a.token",
        f"{access_token()},Bearer {access_token()}",
    ],
)
@pytest.mark.parametrize("policy", ["reading", "deny", "recent", "cognito-only", "identity"])
def test_no_line_holds_a_part_of_the_token(token: str, policy: str) -> None:
    line = json.dumps(check_line(token, policy, cookie="session=SECRETCOOKIE"))

    parts = [part for part in token.replace(",", ".").split(".") if len(part) > 12]
    assert not [part for part in parts if part[:12] in line]
    assert "SECRETCOOKIE" not in line
    assert "earer" not in line


class Stalled(io.StringIO):
    """A reader that takes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def write(self, text: str) -> int:
        self.let.wait(10)
        return super().write(text)


def test_reader_that_stalls_holds_nobody_up_and_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_LINES", 10)
    stream = Stalled()
    log = Log("info", "json", stream)

    for number in range(100):
        log.event("info", "e", {"number": number})

    assert 85 <= log.dropped <= 90
    stream.let.set()
    log.close()
    assert len(stream.getvalue().splitlines()) == 100 - log.dropped


def test_stream_that_is_closed_is_survived() -> None:
    stream = io.StringIO()
    log = Log("info", "json", stream)
    stream.close()

    log.event("info", "e", {})

    until(lambda: log.dropped >= 1)
    log.close()
