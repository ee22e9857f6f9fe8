"""The messages between supervisor and workers: encoded and decoded without loss, and decoded strictly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from authz.core.keyset import DroppedKey
from authz.server.messages import (
    Configure,
    Drain,
    MalformedMessage,
    Message,
    WorkerOptions,
    WorkerStart,
    decode,
    encode,
)
from authz.sources.fetch_result import FetchResult
from authz.sources.source_status import KeyInUse, KeyStatus, RevocationsStatus, UserinfoStatus
from tests.fakes.status import worker_status

_KEYS = KeyStatus(
    alias="cognito",
    keys=(KeyInUse("a", ("RS256", "RS512"), 50.5),),
    dropped=(DroppedKey("b", "too short"),),
    last_success=50.5,
    last_result=FetchResult.OK,
    fetches=dict.fromkeys(FetchResult, 2),
    unknown_kids=3,
    stale=False,
)
_STATUS = worker_status(
    keys={"cognito": _KEYS, "partner": replace(_KEYS, alias="partner", keys=(), last_success=None, last_result=None)},
    userinfo={"cognito": UserinfoStatus({"ok": 1})},
    revocations=RevocationsStatus(read=True, entries=2, last_success=1.0, loads={FetchResult.OK: 1}),
)
_STATUS = replace(_STATUS, counts=replace(_STATUS.counts, checks=(("ok", "reading", "cognito", 4),)))
_MESSAGES: list[Message] = [
    WorkerStart("unix:/run/authz/a.sock", 7, 8, 4711, WorkerOptions("auto", "info", "json", 20.0)),
    Configure({"issuers": {}, "policies": {"a": [1, None, "x"]}}, "orders"),
    Drain(2.5),
    _STATUS,
    worker_status(),
]


@pytest.mark.parametrize("message", _MESSAGES, ids=lambda message: type(message).__name__)
def test_message_survives_encoding_and_decoding(message: Message) -> None:
    line = encode(message)

    assert line.count(b"\n") == 1
    assert decode(line) == message


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON document."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, item in below for found in _places(item, (*place, key)))]


def _replaced(line: bytes, place: tuple[Any, ...], value: object) -> bytes:
    document = json.loads(line)
    parent = document
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("place", _places(json.loads(encode(_STATUS)))[1:], ids=str)
def test_value_of_another_type_is_refused_wherever_it_is(place: tuple[Any, ...]) -> None:
    class_instance = {"no": {"such": "object"}}

    with pytest.raises(MalformedMessage):
        decode(_replaced(encode(_STATUS), place, class_instance))


@pytest.mark.parametrize("change", [lambda fields: fields.popitem(), lambda fields: fields.update(extra=1)])
def test_missing_and_unknown_fields_are_refused(change: Any) -> None:
    document = json.loads(encode(_STATUS))
    change(document["WorkerStatus"])

    with pytest.raises(MalformedMessage, match="WorkerStatus"):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"{}", b'{"Drain": 1}', b'{"Unknown": {}}', b'{"Drain": {"seconds": true}}']
)
def test_line_that_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(line)


def test_refusal_names_the_field_and_not_its_value() -> None:
    line = _replaced(encode(Configure({}, "orders")), ("Configure", "realm"), ["a secret"])

    with pytest.raises(MalformedMessage, match=r"^Configure\.realm$"):
        decode(line)
