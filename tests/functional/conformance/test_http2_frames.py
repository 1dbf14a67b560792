"""RFC 9113 (HTTP/2), sections 3 to 7: frames, streams, settings, windows.  See musts_http2.tsv."""
import signal
import struct
import time

import pytest

from http2 import *

BIG = bytes(range(256)) * 1200             # 300 KiB
FILES = {"html/a.txt": "A", "html/big": BIG, "html/small": "s" * 100}


@pytest.fixture
def site(weir):
    lines = "".join(f'add_header X-Large-{i} "{"x" * 3900}~";\n' for i in range(6))
    return weir(f"""http2 on; root html; http2_max_concurrent_streams 20;
        location = /say {{ return 200 "$request_method|$host|$request_uri|$http_x"; }}
        location = /large {{ {lines} return 200 large; }}
        location = /slow {{ limit_rate 100; alias html/big; }}
        location = /upload {{ client_max_body_size 1m; proxy_pass http://127.0.0.1:1; }}""",
                files=FILES)


@pytest.fixture
def c(site):
    with Http2(site) as connection:
        yield connection


def slow(c):
    """A stream that stays open: half-closed (remote), with most of its body to come."""
    stream = c.ask("/slow")
    c.expect(HEADERS, stream)
    return stream


def open_stream(c):
    """A stream whose request has not ended."""
    return c.headers(c.fields("/upload", "POST"), end=False)


# ---- 3: beginning ----

def test_settings_come_first(site):
    with Http2(site, hello=False) as c:
        c.write(PREFACE + frame(SETTINGS))
        first = c.read()
        assert first.type == SETTINGS and not first.flags and first.stream == 0


def test_settings_are_acknowledged(site):
    with Http2(site, hello=False) as c:
        c.write(PREFACE + frame(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 100})))
        while not c.acknowledged:
            f = c.read()
        assert f.payload == b"" and f.stream == 0 and f.flags == ACK


@pytest.mark.parametrize("data", [
    PREFACE + frame(PING, payload=b"12345678"),
    PREFACE + frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84"),
    PREFACE[:-1] + b"X" + frame(SETTINGS), PREFACE[:18] + b"AM\r\n\r\n" + frame(SETTINGS),
])
def test_bad_preface(site, data):
    """The GOAWAY may be left out, since the peer might not speak HTTP/2."""
    with Http2(site, hello=False) as c:
        c.write(data)
        try:
            while c.buffer[:5] != b"HTTP/":
                if len(c.buffer) >= 9:
                    c.read()
                else:
                    c.fill()
        except Closed:
            pass
        assert c.buffer.startswith(b"HTTP/1.1 400") or not c.goaway or c.goaway[1] == PROTOCOL_ERROR
        assert not c.answers[1].heads


def test_preface_byte_by_byte(site):
    with Http2(site, hello=False) as c:
        for byte in PREFACE + frame(SETTINGS):
            c.write(bytes([byte]))
            time.sleep(0.001)
        assert c.get("/a.txt").body == b"A"


# ---- 4: frames ----

def test_frames_are_no_larger_than_allowed(site, c):
    assert c.get("/big").body == BIG           # the client looks at each frame's length
    with Http2(site, {MAX_FRAME_SIZE: 1 << 20}) as other:
        other.send(WINDOW_UPDATE, payload=u32(1 << 30))
        assert other.get("/a.txt").body == b"A"


def test_unknown_frames(c):
    for kind in (0xb, 0x42, 0xff):
        for stream in (0, 1, 2, 7):
            c.send(kind, 0xff, stream, b"anything")
    assert c.get("/a.txt").body == b"A"


def test_unused_flags(c):
    stream = c.new_id()
    c.send(HEADERS, END_STREAM | END_HEADERS | 0xd2, stream, c.encode(c.fields("/a.txt")))
    assert c.answer(stream).body == b"A"
    c.send(PING, 0xfe, payload=b"12345678")
    assert c.expect(PING).flags == ACK
    c.send(SETTINGS, 0xfe)
    c.send(WINDOW_UPDATE, 0xff, payload=u32(1))
    c.send(PRIORITY, 0xff, 99, bytes(5))
    assert c.alive()


def test_reserved_bit(c):
    stream = c.new_id()
    c.send(HEADERS, END_STREAM | END_HEADERS, stream | 1 << 31, c.encode(c.fields("/a.txt")))
    assert c.answer(stream).body == b"A"
    c.send(WINDOW_UPDATE, payload=u32(1 | 1 << 31))
    c.send(PING, 0, 1 << 31, b"12345678")
    assert c.alive()


def test_full_frames(c):
    """16,384 bytes of payload are taken, whatever the frame."""
    c.send(0x42, payload=bytes(16384))
    padded = open_stream(c)
    c.send(DATA, END_STREAM | PADDED, padded, bytes([255]) + bytes(16383))
    assert c.answer(padded).status == 502
    c.send(SETTINGS, payload=settings({0x4242: 1}) * 2730)
    stream = c.new_id()
    block = c.encode(c.fields("/say", more=[("x-pad", "~" * 7000)]))
    c.send(HEADERS, END_STREAM, stream, block)
    c.send(CONTINUATION, END_HEADERS, stream)
    assert c.answer(stream).status == 200


@pytest.mark.parametrize("kind, stream", [(DATA, 1), (HEADERS, 1), (SETTINGS, 0), (PING, 0),
                                          (GOAWAY, 0), (0x42, 0)])
def test_too_large_frames(c, kind, stream):
    if kind == DATA:
        open_stream(c)
    c.send(kind, 0, stream, bytes(c.server_settings.get(MAX_FRAME_SIZE, 16384) + 1))
    assert connection_error(c, FRAME_SIZE_ERROR)


def test_large_head_is_contiguous(c):
    """The client would complain of anything between HEADERS and its CONTINUATION."""
    others = [c.ask("/big") for _ in range(3)]
    answer = c.get("/large")
    assert answer.header("x-large-5") == "x" * 3900 + "~" and answer.body == b"large"
    for stream in others:
        assert c.answer(stream).body == BIG


@pytest.mark.parametrize("block", [b"\x82\x84\x86\xff\xff\xff\xff\xff\xff", b"\x82\x86\x84\xfe", b"\x80",
                                   b"\x82\x86\x84\x3f\xe1\x1f", b"\x00\x85a"])
def test_broken_block(c, block):
    c.send(HEADERS, END_STREAM | END_HEADERS, 1, block)
    assert connection_error(c, COMPRESSION_ERROR)


def test_broken_block_in_trailers(c):
    stream = open_stream(c)
    c.send(HEADERS, END_STREAM | END_HEADERS, stream, b"\xfe")
    assert connection_error(c, COMPRESSION_ERROR)


# ---- 5: streams ----

@pytest.mark.parametrize("kind, payload", [
    (DATA, b"x"), (RST_STREAM, u32(CANCEL)), (WINDOW_UPDATE, u32(1)), (CONTINUATION, b""),
    (PUSH_PROMISE, u32(2)),
])
def test_idle_stream(c, kind, payload):
    c.get("/a.txt")
    c.send(kind, END_HEADERS if kind in (CONTINUATION, PUSH_PROMISE) else 0, 9, payload)
    assert connection_error(c, PROTOCOL_ERROR)


def test_idle_stream_of_the_server(c):
    c.send(DATA, 0, 2, b"x")
    assert connection_error(c, PROTOCOL_ERROR)


def test_priority_in_any_state(c):
    for stream in (99, 2, slow(c), open_stream(c), c.ask("/a.txt")):
        c.send(PRIORITY, 0, stream, u32(0) + b"\x10")
    assert c.answer(5).body == b"A" and c.alive()


def test_data_on_half_closed(c):
    stream = slow(c)
    c.send(DATA, 0, stream, b"x")
    if c.alive():
        assert stream_error(c, stream, STREAM_CLOSED)
    else:
        assert c.goaway[1] == STREAM_CLOSED


def test_headers_on_half_closed(c):
    stream = slow(c)
    c.send(HEADERS, END_STREAM | END_HEADERS, stream, c.encode([("x", "y")]))
    if c.alive():
        assert stream_error(c, stream, STREAM_CLOSED)
    else:
        assert c.goaway[1] == STREAM_CLOSED


@pytest.mark.parametrize("kind", [DATA, HEADERS])
def test_closed_stream(c, kind):
    """After END_STREAM both ways: an error of the stream or of the connection."""
    stream = c.ask("/a.txt")
    c.answer(stream)
    c.send(kind, END_STREAM | END_HEADERS, stream, b"" if kind == HEADERS else b"x")
    if c.alive():
        assert stream_error(c, stream, STREAM_CLOSED)
    else:
        assert c.goaway[1] in (STREAM_CLOSED, PROTOCOL_ERROR)


def test_frames_behind_a_reset_are_processed(c):
    """The stream is reset by the server while the client goes on: its blocks still change the table, its
    data still counts, and nothing of it is an error."""
    stream = c.headers(c.fields("/upload", "POST", [("content-length", "1")]), end=False)
    c.send(DATA, 0, stream, b"more than one byte")     # malformed: reset, or answered with 400
    while c.answers[stream].code is None and not c.answers[stream].ended:
        c.read()
    c.send(DATA, 0, stream, b"x" * 100)
    c.send(WINDOW_UPDATE, 0, stream, u32(100))
    c.headers([("x-in-the-table", "y" * 50)], stream=stream)
    assert c.alive()
    assert c.get("/say", more=[("x-in-the-table", "y" * 50), ("x", "still")]).body.endswith(b"|still")


@pytest.mark.parametrize("stream", [2, 100])
def test_even_streams(c, stream):
    c.headers(c.fields("/a.txt"), stream=stream)
    assert connection_error(c, PROTOCOL_ERROR)


def test_lower_stream(c):
    """3 was never opened, and is closed by 5."""
    assert c.answer(c.headers(c.fields("/a.txt"), stream=5)).body == b"A"
    c.headers(c.fields("/a.txt"), stream=3)
    assert connection_error(c, PROTOCOL_ERROR, STREAM_CLOSED)


def test_too_many_streams(c):
    assert c.server_settings[MAX_CONCURRENT_STREAMS] == 20
    streams = [slow(c) for _ in range(20)]
    above = c.ask("/a.txt")
    assert stream_error(c, above, REFUSED_STREAM, PROTOCOL_ERROR)
    c.send(RST_STREAM, 0, streams[0], u32(CANCEL))
    assert c.get("/a.txt").body == b"A"


def test_control_frames_are_read_while_streams_are_stalled(site):
    with Http2(site, {INITIAL_WINDOW_SIZE: 0}) as c:
        streams = [c.ask("/big") for _ in range(5)]
        assert c.alive()
        c.send(RST_STREAM, 0, streams[0], u32(CANCEL))
        c.send(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 65535}))
        assert c.answer(streams[-1]).body == BIG


def test_no_reset_for_a_reset(c):
    stream = slow(c)
    c.send(RST_STREAM, 0, stream, u32(CANCEL))
    c.send(RST_STREAM, 0, stream, u32(CANCEL))
    assert c.alive() and c.answers[stream].code is None


def test_reset_ends_a_stream(c):
    stream = c.ask("/big")
    c.expect(DATA, stream)
    c.send(RST_STREAM, 0, stream, u32(CANCEL))
    assert c.alive()
    assert not [f for f in c.frames(0.3) if f.stream == stream]


def test_close_behind_goaway(c):
    c.send(PING, payload=b"short")
    assert c.ends_with() == FRAME_SIZE_ERROR and c.goaway[0] == 0


# ---- 6: frame by frame ----

ON_A_STREAM = [(DATA, b"x"), (HEADERS, b"\x82\x86\x84"), (PRIORITY, bytes(5)), (RST_STREAM, bytes(4)),
               (PUSH_PROMISE, u32(2)), (CONTINUATION, b"")]


@pytest.mark.parametrize("kind, payload", ON_A_STREAM)
def test_stream_zero(c, kind, payload):
    c.send(kind, END_HEADERS if kind != DATA else 0, 0, payload)
    assert connection_error(c, PROTOCOL_ERROR)


ON_THE_CONNECTION = [(SETTINGS, b""), (PING, b"12345678"), (GOAWAY, bytes(8))]


@pytest.mark.parametrize("kind, payload", ON_THE_CONNECTION)
def test_not_stream_zero(c, kind, payload):
    open_stream(c)
    c.send(kind, 0, 1, payload)
    assert connection_error(c, PROTOCOL_ERROR)


@pytest.mark.parametrize("kind", [DATA, HEADERS])
@pytest.mark.parametrize("padding", [3, 255])
def test_padding_too_long(c, kind, padding):
    stream = open_stream(c) if kind == DATA else c.new_id()
    c.send(kind, PADDED | END_HEADERS, stream, bytes([padding]) + b"\x82\x86")
    assert connection_error(c, PROTOCOL_ERROR)


def test_padding(c):
    block = c.encode(c.fields("/say", more=[("x", "padded")]))
    stream = c.new_id()
    c.send(HEADERS, END_STREAM | END_HEADERS | PADDED | PRIORITIZED, stream,
           bytes([9]) + u32(0) + b"\x10" + block + bytes(9))
    assert c.answer(stream).body.endswith(b"|padded")
    stream = open_stream(c)
    c.send(DATA, PADDED, stream, bytes([3]) + bytes(3))          # nothing but padding
    c.send(DATA, PADDED | END_STREAM, stream, bytes([0]))
    assert c.answer(stream).status == 502


INTERLEAVED = [(DATA, 1, b"x"), (HEADERS, 1, b""), (HEADERS, 3, b"\x82"), (PRIORITY, 1, bytes(5)),
               (RST_STREAM, 1, bytes(4)), (SETTINGS, 0, b""), (PING, 0, bytes(8)), (GOAWAY, 0, bytes(8)),
               (WINDOW_UPDATE, 0, u32(1)), (CONTINUATION, 3, b""), (0x42, 1, b""), (0x42, 0, b"")]


@pytest.mark.parametrize("kind, stream, payload", INTERLEAVED)
def test_interleaved_frames(c, kind, stream, payload):
    c.send(HEADERS, END_STREAM, 1, b"\x82\x86")
    c.send(kind, 0, stream, payload)
    assert connection_error(c, PROTOCOL_ERROR)


def test_continuation(c):
    block = c.encode(c.fields("/say", more=[("x", "in pieces")]))
    stream = c.new_id()
    c.send(HEADERS, END_STREAM, stream)
    for i in range(len(block)):
        c.send(CONTINUATION, END_HEADERS if i == len(block) - 1 else 0, stream, block[i:i + 1])
    assert c.answer(stream).body.endswith(b"|in pieces")


def test_continuation_without_headers(c):
    stream = slow(c)
    c.send(CONTINUATION, END_HEADERS, stream, b"\x82")
    assert connection_error(c, PROTOCOL_ERROR)


def test_continuation_behind_the_end(c):
    stream = open_stream(c)
    c.send(CONTINUATION, END_HEADERS, stream, b"\x82")
    assert connection_error(c, PROTOCOL_ERROR)


@pytest.mark.parametrize("kind, length", [(RST_STREAM, 3), (RST_STREAM, 5), (WINDOW_UPDATE, 3),
                                          (WINDOW_UPDATE, 5), (WINDOW_UPDATE, 0)])
def test_frame_sizes_on_a_stream(c, kind, length):
    open_stream(c)
    c.send(kind, 0, 1, bytes(length))
    assert connection_error(c, FRAME_SIZE_ERROR)


@pytest.mark.parametrize("kind, flags, length", [
    (PING, 0, 0), (PING, 0, 7), (PING, 0, 9), (PING, ACK, 7), (WINDOW_UPDATE, 0, 3), (SETTINGS, 0, 5),
    (SETTINGS, 0, 7), (SETTINGS, ACK, 6), (GOAWAY, 0, 7),
])
def test_frame_sizes(c, kind, flags, length):
    c.send(kind, flags, 0, bytes(length))
    assert connection_error(c, FRAME_SIZE_ERROR)


@pytest.mark.parametrize("flags, payload", [(PRIORITIZED, b"1234"), (PADDED, b""),
                                            (PADDED | PRIORITIZED, b"\x0012")])
def test_headers_too_short(c, flags, payload):
    c.send(HEADERS, flags | END_HEADERS, 1, payload)
    assert connection_error(c, FRAME_SIZE_ERROR, PROTOCOL_ERROR)


@pytest.mark.parametrize("length", [0, 4, 6])
def test_priority_size(c, length):
    stream = slow(c)
    c.send(PRIORITY, 0, stream, bytes(length))
    if c.alive():
        assert stream_error(c, stream, FRAME_SIZE_ERROR)
    else:
        assert c.goaway[1] == FRAME_SIZE_ERROR


def test_server_settings(c):
    assert c.server_settings.get(ENABLE_PUSH, 0) == 0
    assert 16384 <= c.server_settings.get(MAX_FRAME_SIZE, 16384) <= (1 << 24) - 1
    assert c.server_settings.get(INITIAL_WINDOW_SIZE, 0) <= MAX_WINDOW


@pytest.mark.parametrize("name, value, code", [
    (ENABLE_PUSH, 2, PROTOCOL_ERROR), (INITIAL_WINDOW_SIZE, 1 << 31, FLOW_CONTROL_ERROR),
    (INITIAL_WINDOW_SIZE, (1 << 32) - 1, FLOW_CONTROL_ERROR), (MAX_FRAME_SIZE, 16383, PROTOCOL_ERROR),
    (MAX_FRAME_SIZE, 1 << 24, PROTOCOL_ERROR), (MAX_FRAME_SIZE, 0, PROTOCOL_ERROR),
])
def test_bad_settings(c, name, value, code):
    c.send(SETTINGS, payload=settings({name: value}))
    assert connection_error(c, code)


def test_unknown_settings(c):
    c.send(SETTINGS, payload=settings({0: 5, 7: 7, 0xffff: 0xffffffff, MAX_CONCURRENT_STREAMS: 0,
                                       MAX_HEADER_LIST_SIZE: 1 << 20, ENABLE_PUSH: 1}))
    assert c.get("/a.txt").body == b"A"


def test_settings_in_order(site):
    """The last value of two counts, and none in between is ever used."""
    with Http2(site, hello=False) as c:
        c.open_windows = False
        c.write(PREFACE + frame(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 50000}) +
                                settings({INITIAL_WINDOW_SIZE: 10})))
        stream = c.ask("/small")
        while len(c.answers[stream].body) < 10:
            c.read()
        assert c.alive() and c.answers[stream].body == b"s" * 10


def test_no_push(site):
    for value in (0, 1):
        with Http2(site, {ENABLE_PUSH: value}) as c:
            c.get("/a.txt", more=[("link", "</small>; rel=preload")])
            assert c.alive() and all(stream % 2 for stream in c.answers if stream)


def test_push_from_a_client(c):
    stream = open_stream(c)
    c.send(PUSH_PROMISE, END_HEADERS, stream, u32(2) + b"\x82\x86\x84")
    assert connection_error(c, PROTOCOL_ERROR)


def test_ping(c):
    c.send(PING, payload=b"\x00\xffpayloa")
    f = c.expect(PING)
    assert f.flags == ACK and f.payload == b"\x00\xffpayloa" and f.stream == 0
    c.send(PING, ACK, payload=b"12345678")
    assert not [f for f in c.frames(0.3) if f.type == PING]


def test_goaway_of_the_client(c):
    """What is open goes on to its end."""
    stream = c.ask("/big")
    c.send(GOAWAY, payload=u32(0) + u32(NO_ERROR) + b"bye")
    assert c.answer(stream).body == BIG
    assert c.alive() or c.goaway is None or c.goaway[1] == NO_ERROR


def test_unknown_error_codes(c):
    stream = slow(c)
    c.send(RST_STREAM, 0, stream, u32(0xdeadbeef))
    assert c.get("/a.txt").body == b"A"
    c.send(GOAWAY, payload=u32(0) + u32(0xdeadbeef))
    assert c.alive() or c.goaway is None or c.goaway[1] == NO_ERROR


def test_goaway_on_quit(site):
    """Streams that were begun end well; last stream identifiers never go up."""
    with Http2(site) as c:
        c.open_windows = False
        stream = c.ask("/big")
        c.expect(DATA, stream)
        site.process.send_signal(signal.SIGQUIT)
        first = struct.unpack(">II", c.expect(GOAWAY).payload[:8])
        assert first[0] >= stream and first[1] == NO_ERROR
        c.open_windows = True
        c.write(frame(WINDOW_UPDATE, 0, 0, u32(1 << 20)) + frame(WINDOW_UPDATE, 0, stream, u32(1 << 20)))
        assert c.answer(stream).body == BIG
        assert c.ends_with() == NO_ERROR
        assert stream <= c.goaway[0] <= first[0]


def test_streams_behind_goaway(site):
    """Those that come after the last one are dropped, but read: table and window stay right."""
    with Http2(site) as c:
        stream = slow(c)
        site.process.send_signal(signal.SIGQUIT)
        while not c.goaway or c.goaway[0] > stream:
            c.read()
        late = c.headers(c.fields("/upload", "POST", [("x-table", "y" * 30)]), end=False)
        c.send(DATA, END_STREAM, late, bytes(1000))
        assert c.alive() and not c.answers[late].heads
        c.send(RST_STREAM, 0, stream, u32(CANCEL))
        assert c.ends_with() == NO_ERROR


# ---- 6.9: windows ----

def stall(c, stream):
    """Reads until nothing more comes; the bytes of the body so far."""
    assert c.alive()
    c.frames(0.2)
    return len(c.answers[stream].body)


def test_window_of_a_stream(site):
    with Http2(site, {INITIAL_WINDOW_SIZE: 1000}) as c:
        c.open_windows = False
        stream = c.ask("/big")
        assert stall(c, stream) == 1000
        c.send(WINDOW_UPDATE, 0, stream, u32(1))
        assert stall(c, stream) == 1001
        c.send(WINDOW_UPDATE, 0, stream, u32(20000))
        assert stall(c, stream) == 21001
        assert c.get("/a.txt").body == b"A"


def test_window_of_the_connection(site):
    with Http2(site, {INITIAL_WINDOW_SIZE: MAX_WINDOW}) as c:
        c.open_windows = False
        streams = [c.ask("/big") for _ in range(3)]
        assert c.alive()
        c.frames(0.3)
        assert sum(len(c.answers[s].body) for s in streams) == 65535
        c.send(WINDOW_UPDATE, payload=u32(100000))
        assert c.alive()
        c.frames(0.3)
        assert sum(len(c.answers[s].body) for s in streams) == 165535


def test_empty_body_needs_no_window(site):
    with Http2(site, {INITIAL_WINDOW_SIZE: 0}) as c:
        assert c.answer(c.ask("/a.txt", "HEAD")).status == 200
        assert c.get("/none", method="HEAD").status == 404


def test_negative_window(site):
    with Http2(site, {INITIAL_WINDOW_SIZE: 20000}) as c:
        c.open_windows = False
        stream = c.ask("/big")
        assert stall(c, stream) == 20000
        c.send(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 5000}))       # 15000 below zero
        c.send(WINDOW_UPDATE, 0, stream, u32(15000))
        assert stall(c, stream) == 20000
        c.send(WINDOW_UPDATE, 0, stream, u32(7))
        assert stall(c, stream) == 20007
        c.send(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 5100}))
        assert stall(c, stream) == 20107


def test_settings_do_not_change_the_connections_window(site):
    with Http2(site, {INITIAL_WINDOW_SIZE: MAX_WINDOW}) as c:
        c.open_windows = False
        stream = c.ask("/big")
        assert stall(c, stream) == 65535
        c.send(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 70000}))
        assert stall(c, stream) == 65535


def test_window_update_of_zero(c):
    stream = slow(c)
    c.send(WINDOW_UPDATE, 0, stream, u32(0))
    assert stream_error(c, stream, PROTOCOL_ERROR)
    c.send(WINDOW_UPDATE, 0, 0, u32(0))
    assert connection_error(c, PROTOCOL_ERROR)


def test_window_update_on_a_closed_stream(c):
    stream = c.ask("/a.txt")
    c.answer(stream)
    c.send(WINDOW_UPDATE, 0, stream, u32(100))
    other = slow(c)
    c.send(WINDOW_UPDATE, 0, other, u32(100))
    assert c.alive() and c.answers[other].code is None


def test_window_overflow(c):
    stream = slow(c)
    c.send(WINDOW_UPDATE, 0, stream, u32(MAX_WINDOW))
    assert stream_error(c, stream, FLOW_CONTROL_ERROR)
    c.send(WINDOW_UPDATE, 0, 0, u32(MAX_WINDOW))
    assert connection_error(c, FLOW_CONTROL_ERROR)


def test_window_overflow_by_settings(c):
    stream = slow(c)
    c.send(WINDOW_UPDATE, 0, stream, u32(MAX_WINDOW - 65535))
    c.send(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: MAX_WINDOW}))
    assert connection_error(c, FLOW_CONTROL_ERROR)


def test_our_window_holds(c):
    """A client that sends more than it may, to a stream whose body nobody reads."""
    stream = c.headers(c.fields("/upload", "POST", [("content-length", "1000000")]), end=False)
    for _ in range(1 + c.server_settings.get(INITIAL_WINDOW_SIZE, 65535) // 16384 + (1 << 20) // 16384):
        c.send(DATA, 0, stream, bytes(16384))
    while c.answers[stream].code is None and not c.answers[stream].ended:
        try:
            c.read()
        except Closed:
            assert c.goaway[1] in (FLOW_CONTROL_ERROR, ENHANCE_YOUR_CALM)
            return
    assert c.answers[stream].code in (FLOW_CONTROL_ERROR, NO_ERROR, None)


def test_dropped_data_is_accounted(c):
    """Bodies that are not wanted must not eat up the connection's window."""
    for _ in range(30):
        stream = c.headers(c.fields("/a.txt", "POST"), end=False)
        c.send(DATA, 0, stream, bytes(8000))
        c.send(DATA, END_STREAM, stream, bytes(8000))
        c.window -= 16000
        assert c.answer(stream).status == 405 or c.answers[stream].code is not None
        while c.window < 16000:
            c.expect(WINDOW_UPDATE, 0)
