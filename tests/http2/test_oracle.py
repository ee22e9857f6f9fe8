"""`h2` from PyPI as a second opinion: the same frames, one by one, give the same requests or the same error.

h2 knows no gRPC, so only the layer below it is compared. Once one frame was an error the two are not compared any more:
h2 ends the connection for what RFC 9113 calls an error of a stream, which it may (section 5.4.1).
"""

from __future__ import annotations

from contextlib import suppress

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from authz.http2 import frames, limits
from authz.http2.connection import Connection
from authz.http2.frames import frame, rst_stream, window_update
from authz.http2.limits import Shared
from authz.http2.stream import RECEIVED, Request
from tests.http2.talk import ALL, CALL, END, SETTINGS, SETTINGS_ACK, Talk, block, data, headers, message

STREAM = st.sampled_from([1, 1, 3, 3, 5, 7])
ANY_STREAM = st.sampled_from([0, 1, 2, 3, 5])
TEXT = message(b"x" * 100)
BLOCKS = st.sampled_from(
    [
        block(),
        block(),
        block(content_length="105"),
        block(content_length="5"),
        block(connection="close"),
        block(method=""),
        block(te="gzip"),
        block(Capital="x"),
        block(path=""),
        b"\x20\x80",
        b"\x20\x00\xff",
        b"\x3f\xff\xff\x7f",
    ]
)
SIZES = st.integers(0, 2**31)


def padded(kind: int, flags: int, stream_id: int, payload: bytes, padding: int) -> bytes:
    return frame(kind, flags | frames.PADDED, stream_id, bytes((padding,)) + payload + bytes(padding))


FRAMES = st.one_of(
    st.builds(headers, STREAM, BLOCKS, st.sampled_from([ALL, ALL, ALL | END, 0, END])),
    st.builds(headers, STREAM, st.just(block()), st.just(ALL)),
    st.builds(data, STREAM, st.just(TEXT), st.sampled_from([0, END, END])),
    st.builds(data, STREAM, st.sampled_from([b"", TEXT[:7]]), st.sampled_from([0, END])),
    st.builds(padded, st.just(frames.DATA), st.sampled_from([0, END]), STREAM, st.just(TEXT), st.integers(0, 200)),
    st.builds(padded, st.just(frames.HEADERS), st.just(ALL), STREAM, st.just(block()), st.integers(0, 200)),
    st.builds(lambda stream_id, end: headers(stream_id, b"\x20", ALL | end), STREAM, st.sampled_from([0, END])),
    st.builds(
        lambda flags, stream_id: frame(frames.CONTINUATION, flags, stream_id, b""), st.sampled_from([0, ALL]), STREAM
    ),
    st.builds(rst_stream, ANY_STREAM, st.sampled_from(list(frames.ErrorCode))),
    st.builds(window_update, ANY_STREAM, SIZES.map(lambda size: size % 2**31)),
    st.builds(lambda name, value: frames.settings({name: value}), st.sampled_from([1, 2, 3, 4, 5, 6, 99]), SIZES),
    st.builds(
        lambda kind, stream_id, size: frame(kind, 0, stream_id, bytes(size)),
        st.sampled_from([4, 6]),
        ANY_STREAM,
        st.sampled_from([0, 5, 6, 8]),
    ),
    st.just(SETTINGS_ACK),
)


class Oracle:
    """h2 as a server with our settings."""

    def __init__(self) -> None:
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        codes = h2.settings.SettingCodes
        self._h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                codes.HEADER_TABLE_SIZE: 0,
                codes.MAX_CONCURRENT_STREAMS: limits.MAX_STREAMS_PER_CONNECTION,
                codes.INITIAL_WINDOW_SIZE: limits.STREAM_WINDOW,
                codes.MAX_HEADER_LIST_SIZE: limits.MAX_HEADER_LIST_BYTES,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(limits.CONNECTION_WINDOW - frames.DEFAULT_WINDOW)
        self._bodies: dict[int, bytes] = {}
        self.tell(frames.PREFACE + SETTINGS + SETTINGS_ACK)

    def tell(self, raw: bytes) -> tuple[int | None, dict[int, bytes]]:
        """The code of the error, or the bodies of the requests that have ended with it."""
        self._h2.clear_outbound_data_buffer()
        ended = {}
        try:
            for event in self._h2.receive_data(raw):
                if isinstance(event, h2.events.RequestReceived):
                    self._bodies[event.stream_id or 0] = b""
                elif isinstance(event, h2.events.DataReceived):
                    self._bodies[event.stream_id or 0] += event.data or b""
                elif isinstance(event, h2.events.StreamEnded):
                    ended[event.stream_id or 0] = self._bodies[event.stream_id or 0]
        except h2.exceptions.ProtocolError as error:
            return int(error.error_code), {}
        return _error_in(self._h2.data_to_send()), ended


def _error_in(raw: bytes) -> int | None:
    at = 0
    while at < len(raw):
        word, _flags, _stream = frames.HEAD.unpack_from(raw, at)
        if word & 0xFF == frames.RST_STREAM:
            return int.from_bytes(raw[at + 9 : at + 13], "big")
        at += 9 + (word >> 8)
    return None


class Ours:
    def __init__(self) -> None:
        self._talk = Talk()

    def tell(self, raw: bytes) -> tuple[int | None, dict[int, bytes]]:
        requests: list[Request] = self._talk.send(raw)
        codes = [one.code for one in self._talk.said() if one.kind in {frames.RST_STREAM, frames.GOAWAY}]
        return (int(codes[0]) if codes else None), {
            request.stream_id: message(request.message) for request in requests if request.state == RECEIVED
        }


def is_known(raw: bytes, ours: int | None, theirs: int | None) -> bool:
    """Cases in which h2 differs from RFC 9113 and the engine does not."""
    kind, flags = raw[3], raw[4]
    p, c, s = frames.ErrorCode.PROTOCOL_ERROR, frames.ErrorCode.COMPRESSION_ERROR, frames.ErrorCode.STREAM_CLOSED
    known: set[tuple[int | None, int | None]] = {
        (c, p),  # section 4.3
        (frames.ErrorCode.NO_ERROR, None),  # section 8.1: a second message is answered early; h2 knows of no messages
    }
    if kind == frames.CONTINUATION:
        known.add((p, s))  # section 6.10: it continues nothing, whatever the state of its stream
    if kind == frames.RST_STREAM:
        known.add((p, None))  # section 6.4: the stream is idle, as every stream of even number is
    if kind == frames.HEADERS and flags & END:
        known.add((p, None))  # section 8.1.1: content-length of a request that ends with its headers
    return (ours, theirs) in known


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAMES, min_size=1, max_size=12))
def test_h2_and_we_agree_on_every_frame_until_the_first_error(sequence: list[bytes]) -> None:
    ours, oracle = Ours(), Oracle()
    for raw in sequence:
        (our_error, our_requests), (error, requests) = ours.tell(raw), oracle.tell(raw)

        if our_error != error and is_known(raw, our_error, error):
            return
        assert our_error == error, raw
        whole = {stream_id: body for stream_id, body in requests.items() if body == TEXT}
        assert our_requests == whole
        if error is not None:
            return


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.binary(max_size=3000), min_size=1, max_size=8),
    st.integers(0, 3000),
    st.sampled_from([16_384, 20_000]),
)
def test_h2_as_a_client_gets_every_answer_through_whatever_window_it_grants(
    texts: list[bytes], window: int, frame_size: int
) -> None:
    codes = h2.settings.SettingCodes
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    client.local_settings = h2.settings.Settings(
        client=True, initial_values={codes.INITIAL_WINDOW_SIZE: window, codes.MAX_FRAME_SIZE: frame_size}
    )
    client.initiate_connection()
    server = Connection(Shared(), {}, 0.0)
    bodies: dict[int, bytes] = {}
    trailers: dict[int, dict[bytes, bytes]] = {}
    client.receive_data(server.data_to_send())
    for number, text in enumerate(texts):
        client.send_headers(2 * number + 1, list(CALL))
        client.send_data(2 * number + 1, message(text), end_stream=True)
    for _ in range(200):
        for request in server.receive_data(client.data_to_send(), 0.0):
            server.send_message(request, request.message[::-1])
        for event in client.receive_data(server.data_to_send()):
            if isinstance(event, h2.events.DataReceived | h2.events.ResponseReceived) and event.stream_id:
                more = event.data if isinstance(event, h2.events.DataReceived) else b""
                bodies[event.stream_id] = bodies.get(event.stream_id, b"") + (more or b"")
                with suppress(h2.exceptions.StreamClosedError):
                    client.increment_flow_control_window(1000, event.stream_id)
            elif isinstance(event, h2.events.TrailersReceived) and event.stream_id:
                trailers[event.stream_id] = dict(event.headers or ())
        if len(trailers) == len(texts):
            break

    assert bodies == {2 * number + 1: message(text[::-1]) for number, text in enumerate(texts)}
    assert all(fields == {b"grpc-status": b"0"} for fields in trailers.values())
    assert server.is_idle
