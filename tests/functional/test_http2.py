"""HTTP/2 with the rest of the server: directives, variables and logs, priorities, reload and quit, and
the attacks that are cheap for who makes them.  What the RFCs demand is tests/functional/conformance's."""
import signal
import subprocess
import threading
import time

import pytest

from conftest import BINARY
from http2 import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY,
                   HEADERS, INITIAL_WINDOW_SIZE, MAX_WINDOW, NO_ERROR, PING, PRIORITY, PROTOCOL_ERROR,
                   REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, Closed, Http2, frame, settings, u32)

PRIORITY_UPDATE = 16
BIG = bytes(range(256)) * 4096         # a megabyte


@pytest.fixture
def h2(weir):
    def start(server="", http="", files=None, **others):
        files = {"html/index.html": "hello", "html/big": BIG, **(files or {})}
        inside = f"http2 on;\nkeepalive_requests 1000000;\n{http}\nserver {{ listen 127.0.0.1:@PORT@;\n{server}\n}}"
        return weir(http=inside.replace("keepalive_requests 1000000;\n", "") if "keepalive_requests" in http
                    else inside, files=files, main="error_log error.log info;", **others)
    return start


# ---- directives, variables, logs ----

def test_off_by_default(weir):
    server = weir("", files={"html/index.html": "hello"})
    assert b" 400 " in server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS))


def test_http1_beside_it(h2):
    server = h2()
    assert server.get("/").body == b"hello"
    with Http2(server) as c:
        assert c.get("/").body == b"hello"


def test_preface_in_pieces(h2):
    server = h2()
    c = Http2(server, hello=False)
    for piece in (b"P", b"RI * HTT", b"P/2.0\r\n\r\nSM\r\n", b"\r\n"):
        c.write(piece)
        time.sleep(0.05)
    c.write(frame(SETTINGS))
    assert c.get("/").status == 200


def test_listen_http2(weir):
    server = weir(http="server { listen 127.0.0.1:@PORT@ http2; return 200 $http2; }",
                  main="error_log error.log info;")
    with Http2(server) as c:
        assert c.get("/").body == b"h2c"
    assert 'the "listen ... http2" directive is deprecated, use the "http2" directive' in server.texts()


def test_misdirected(weir):
    server = weir(http="server { listen 127.0.0.1:@PORT@; http2 on; return 200 first; }"
                       "server { listen 127.0.0.1:@PORT@; server_name other; return 200 second; }")
    with Http2(server) as c:
        assert c.get("/").body == b"first"
        assert c.get("/", authority="other").status == 421


def test_variables(h2):
    server = h2('location / { return 200 "$http2 $server_protocol $scheme $request_method $host $http_host '
                '$request_uri $args $pipe $connection_requests $request"; }')
    with Http2(server) as c:
        c.get("/first")
        assert c.get("/a?b=c", authority="Example.com:81").body == (
            b"h2c HTTP/2.0 http GET example.com Example.com:81 /a?b=c b=c . 2 GET /a?b=c HTTP/2.0")
    assert server.get("/").body.startswith(b" HTTP/1.1")


def test_log(h2):
    server = h2("access_log @DIR@/l f; location /p { client_max_body_size 1m; proxy_pass http://127.0.0.1:"
                "@PORT@/; }", http="log_format f '$request|$status|$body_bytes_sent|$bytes_sent|"
                                   "$request_length|$request_completion';")
    with Http2(server) as c:
        head = c.encode(c.fields("/"))
        c.send(HEADERS, END_HEADERS | END_STREAM, c.new_id(), head)
        frames = [c.read()]
        while not frames[-1].flags & END_STREAM:
            frames.append(c.read())
        frames = [f for f in frames if f.stream]
    sent = sum(9 + len(f.payload) for f in frames)
    server.stop()
    assert (server.dir / "l").read_text() == f"GET / HTTP/2.0|200|5|{sent}|{len(head)}|OK\n"


def test_keepalive_requests(h2):
    """The end is announced, so that nothing that is on its way is lost."""
    server = h2(http="keepalive_requests 3;")
    with Http2(server) as c:
        streams = [c.ask("/") for _ in range(5)]
        assert [c.answer(s).status for s in streams] == [200] * 5
        assert c.ends_with() == NO_ERROR and c.goaway[0] == streams[-1]


def test_keepalive_timeout(h2):
    server = h2(http="keepalive_timeout 300ms;")
    with Http2(server) as c:
        assert c.get("/").status == 200
        begin = time.monotonic()
        assert c.ends_with() == NO_ERROR
        assert 0.2 < time.monotonic() - begin < 5


def test_late_head(h2):
    """Its stream is refused, the connection lives, and the table of fields is right."""
    server = h2(http="client_header_timeout 300ms;")
    with Http2(server) as c:
        block = c.encode(c.fields("/", more=[("x-new", "value")]))
        data = frame(HEADERS, END_HEADERS | END_STREAM, c.new_id(), block)
        c.write(data[:15])
        assert c.expect(RST_STREAM).payload == u32(PROTOCOL_ERROR)
        c.write(data[15:])
        assert c.get("/", more=[("x-new", "value")]).status == 200


def test_late_body(h2):
    server = h2("location / { client_body_timeout 300ms; proxy_pass http://127.0.0.1:@PORT2@; }")
    with Http2(server) as c:
        stream = c.headers(c.fields("/", "POST"), end=False)
        c.send(DATA, 0, stream, b"some")
        assert c.answer(stream).code == PROTOCOL_ERROR
        assert c.alive()


def test_chunk_size(h2):
    server = h2(http="http2_chunk_size 3;", server="return 200 abcdefgh;")
    with Http2(server) as c:
        c.ask("/")
        pieces = []
        while not pieces or not pieces[-1].flags & END_STREAM:
            pieces.append(c.expect(DATA))
        assert [f.payload for f in pieces] == [b"abc", b"def", b"gh"]


def test_settings_by_directives(h2):
    server = h2(http="http2_max_concurrent_streams 7; http2_body_preread_size 1000;")
    with Http2(server) as c:
        assert c.server_settings[3] == 7 and c.server_settings[4] == 1000


@pytest.mark.parametrize("line, text", [
    ("http2_chunk_size 0;", "cannot be zero"),
    ("http2_body_preread_size 4g;", "http2_body_preread_size"),
    ("http2_max_concurrent_streams 0;", "http2_max_concurrent_streams"),
    ("http2_idle_timeout 1m;", "keepalive_timeout"),
    ("http2_push on;", "pushed"),
])
def test_directives_say_what_is_wrong(tmp_path, line, text):
    (tmp_path / "c").write_text(f"events {{}} http {{ {line} server {{ listen 127.0.0.1:8000; }} }}")
    done = subprocess.run([BINARY, "-t", "-p", tmp_path, "-c", "c", "-e", "stderr"], capture_output=True,
                          text=True)
    assert text in done.stderr


# ---- bodies ----

def test_large_download(h2):
    with Http2(h2()) as c:
        assert c.get("/big").body == BIG


def test_ranges(h2):
    with Http2(h2()) as c:
        answer = c.get("/big", more=[("range", "bytes=5-9,100-104")])
        assert answer.status == 206 and BIG[5:10] in answer.body and BIG[100:105] in answer.body


def test_limit_rate(h2):
    server = h2("limit_rate 200k;")
    with Http2(server) as c:
        begin = time.monotonic()
        stream = c.ask("/big", more=[("range", "bytes=0-399999")])
        assert c.alive() and len(c.answer(stream).body) == 400000
        assert 0.8 < time.monotonic() - begin < 10


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_upload_and_back(h2, buffering):
    """A megabyte up to a back end and back again, in both manners."""
    server = h2(f"location /echo {{ client_max_body_size 8m; proxy_request_buffering {buffering};"
                f" proxy_http_version 1.1; proxy_pass http://127.0.0.1:@PORT2@; }}",
                http="server { listen 127.0.0.1:@PORT2@; client_max_body_size 8m;"
                     " location / { proxy_pass http://127.0.0.1:@PORT3@; proxy_set_body $request_length; } }"
                     "server { listen 127.0.0.1:@PORT3@; return 200 got; }")
    with Http2(server) as c:
        stream = c.headers(c.fields("/echo", "POST"), end=False)
        window, left = c.server_settings[INITIAL_WINDOW_SIZE], BIG
        while left:
            piece = left[:min(16384, window, c.window)]
            if piece:
                left = left[len(piece):]
                window -= len(piece)
                c.window -= len(piece)
                c.send(DATA, 0 if left else END_STREAM, stream, piece)
            else:
                f = c.read()
                if f.type == WINDOW_UPDATE and f.stream == stream:
                    window += int.from_bytes(f.payload, "big")
        answer = c.answer(stream)
        assert (answer.status, answer.body) == (200, b"got")


def test_refused_upload(h2):
    """The answer comes at once, the stream is closed behind it, and others go on."""
    server = h2("client_max_body_size 10;")
    with Http2(server) as c:
        stream = c.headers(c.fields("/", "POST", [("content-length", "1000")]), end=False)
        assert c.answer(stream).status == 413
        assert c.expect(RST_STREAM, stream).payload == u32(NO_ERROR)
        c.send(DATA, 0, stream, bytes(500))    # was on its way
        assert c.get("/").status == 200


def test_client_cancels(h2):
    """Its upstream is let go."""
    server = h2("access_log @DIR@/l f; location / { proxy_pass http://127.0.0.1:@PORT2@; }",
                http="log_format f '$status'; server { listen 127.0.0.1:@PORT2@; limit_rate 10k; }")
    with Http2(server) as c:
        stream = c.ask("/big")
        c.expect(DATA, stream)
        c.send(RST_STREAM, 0, stream, u32(CANCEL))
        assert c.alive()
    server.wait_log("canceled stream")
    server.stop()
    assert (server.dir / "l").read_text() == "200\n"


def test_client_leaves(h2):
    server = h2("location / { proxy_pass http://127.0.0.1:@PORT2@; }")
    with Http2(server) as c:
        for _ in range(5):
            c.headers(c.fields("/", "POST"), end=False)
        c.ask("/")
        c.alive()
    with Http2(server) as c:
        assert c.alive()


# ---- priorities (RFC 9218) ----

def order(c, streams):
    """The streams in the order of their ends."""
    ends = []
    while len(ends) < len(streams):
        f = c.read()
        if f.type == DATA and f.flags & END_STREAM:
            ends.append(f.stream)
    return ends


def ask_stalled(c, requests):
    """Requests that wait for the connection's window, which is then opened: their order is ours to see."""
    streams = [c.ask("/big", more=[("priority", p)] if p is not None else []) for p in requests]
    assert c.alive()
    return streams


@pytest.fixture
def stalled(h2):
    c = Http2(h2(), {INITIAL_WINDOW_SIZE: MAX_WINDOW})
    c.open_windows = False
    first = c.ask("/big", more=[("priority", "u=0")])    # uses the connection's window up
    c.alive()
    c.send(RST_STREAM, 0, first, u32(CANCEL))
    assert c.alive()
    yield c
    c.socket.close()


def test_urgency(stalled):
    streams = ask_stalled(stalled, ["u=5", "u=3", "u=1", "u=7"])
    stalled.send(WINDOW_UPDATE, 0, 0, u32(1 << 30))
    assert order(stalled, streams) == [streams[2], streams[1], streams[0], streams[3]]


def test_one_after_the_other(stalled):
    """Without `i`, streams of an urgency are served in their order."""
    streams = ask_stalled(stalled, ["u=3", "u=3", "u=3"])
    stalled.send(WINDOW_UPDATE, 0, 0, u32(1 << 30))
    seen, last = [], None
    while last is None or last.stream != streams[-1] or not last.flags & END_STREAM:
        last = f = stalled.read()
        if f.type == DATA and (not seen or seen[-1] != f.stream):
            seen.append(f.stream)
    assert seen == streams


@pytest.mark.parametrize("priority", ["i", "u=3, i", None])
def test_side_by_side(stalled, priority):
    """Incremental ones, and those of clients that say nothing, share."""
    streams = ask_stalled(stalled, [priority] * 3)
    stalled.send(WINDOW_UPDATE, 0, 0, u32(1 << 30))
    turns = []
    while len(turns) < 9:
        f = stalled.read()
        if f.type == DATA and (not turns or turns[-1] != f.stream):
            turns.append(f.stream)
    assert turns == streams * 3


def test_priority_update(stalled):
    streams = ask_stalled(stalled, ["u=3", "u=3"])
    stalled.send(PRIORITY_UPDATE, 0, 0, u32(streams[1]) + b"u=0")
    stalled.send(WINDOW_UPDATE, 0, 0, u32(1 << 30))
    assert order(stalled, streams) == [streams[1], streams[0]]


# ---- reload and quit ----

def test_reload_keeps_the_connection(h2):
    server = h2("location / { return 200 one; } location /big { root html; }", master="on")
    with Http2(server, {INITIAL_WINDOW_SIZE: 1000}) as c:
        c.open_windows = False
        old = c.ask("/big")
        assert c.get("/x").body == b"one"
        conf = (server.dir / "weir.conf").read_text()
        (server.dir / "weir.conf").write_text(conf.replace("200 one", "200 two"))
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while c.get("/x").body != b"two":
            assert time.monotonic() < end
            time.sleep(0.05)
        c.send(WINDOW_UPDATE, 0, 0, u32(1 << 24))
        c.send(WINDOW_UPDATE, 0, old, u32(1 << 24))
        assert c.answer(old).body == BIG and c.goaway is None


def test_quit_finishes(h2):
    """The first GOAWAY lets what is on its way come; the last names the last stream; all are served."""
    server = h2()
    with Http2(server, {INITIAL_WINDOW_SIZE: 1000}) as c:
        c.open_windows = False
        first = c.ask("/big")
        c.alive()
        server.process.send_signal(signal.SIGQUIT)
        c.expect(GOAWAY)
        assert c.goaway == (MAX_WINDOW, NO_ERROR)
        second = c.ask("/")
        ping = c.expect(PING)
        assert c.answer(second).status == 200
        c.send(PING, ACK, 0, ping.payload)
        c.expect(GOAWAY)
        assert c.goaway == (second, NO_ERROR)
        c.ask("/")                             # is not served
        c.send(WINDOW_UPDATE, 0, 0, u32(1 << 24))
        c.send(WINDOW_UPDATE, 0, first, u32(1 << 24))
        assert c.answer(first).body == BIG
        c.ends_with()
        assert not c.answers[second + 2].heads
    assert server.process.wait(20) == 0


def test_quit_while_idle(h2):
    server = h2()
    with Http2(server) as c:
        c.get("/")
        server.process.send_signal(signal.SIGQUIT)
        assert c.ends_with() == NO_ERROR
    assert server.process.wait(20) == 0


# ---- attacks: over the budget, the connection ends; others do not notice ----

class Latency:
    """How long another connection's requests take meanwhile."""

    def __init__(self, server):
        self.server, self.worst, self.stop = server, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with Http2(self.server) as c:
            while not self.stop.is_set():
                begin = time.monotonic()
                assert c.get("/").status == 200
                self.worst = max(self.worst, time.monotonic() - begin)

    def __enter__(self):
        self.thread.start()
        time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        assert self.worst < 1.0


def end_code(c):
    """Of the GOAWAY that comes; the server goes on reading what is on its way."""
    while c.goaway is None:
        c.read()
    return c.goaway[1]


def flood(server, data):
    """Sends more than the server will have; gives the code of its GOAWAY."""
    with Latency(server), Http2(server) as c:
        if callable(data):
            data = data(c)
        for _ in range(5):
            c.write(data)
        return end_code(c)


FLOODS = {
    "ping": frame(PING, payload=bytes(8)) * 1000,
    "settings": frame(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 100})) * 1000,
    "empty settings": frame(SETTINGS) * 1000,
    "priority": frame(PRIORITY, 0, 1, bytes(4) + b"\1") * 5000,
    "priority update": frame(PRIORITY_UPDATE, 0, 0, u32(1) + b"u=1") * 5000,
    "window update": frame(WINDOW_UPDATE, 0, 0, u32(1)) * 5000,
    "unknown": frame(0xbb, 0, 0, b"") * 5000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods(h2, name):
    server = h2()
    assert flood(server, FLOODS[name]) == ENHANCE_YOUR_CALM
    server.wait_log("too many frames of little use")


def test_rapid_reset(h2):
    """CVE-2023-44487."""
    def data(c):
        head = c.encode(c.fields("/big"))
        return b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, head) +
                        frame(RST_STREAM, 0, 2 * i + 1, u32(CANCEL)) for i in range(20000))
    assert flood(h2(), data) == ENHANCE_YOUR_CALM


def test_made_you_reset(h2):
    """CVE-2025-8671: streams that the server resets for the client's mistakes."""
    def data(c):
        head = c.encode(c.fields("/big"))
        return b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, head) +
                        frame(WINDOW_UPDATE, 0, 2 * i + 1, u32(0)) for i in range(20000))
    assert flood(h2(), data) == ENHANCE_YOUR_CALM


def test_empty_data(h2):
    """CVE-2019-9518."""
    def data(c):
        stream = c.headers(c.fields("/", "POST"), end=False)
        return frame(DATA, 0, stream) * 2000
    server = h2("location / { proxy_pass http://127.0.0.1:@PORT2@; }")
    with Http2(server) as c:
        c.write(data(c))
        assert end_code(c) == ENHANCE_YOUR_CALM


@pytest.mark.parametrize("piece", [b"", b"\x00\x01a\x01b"])
def test_continuations(h2, piece):
    """CVE-2024-27316: a head without end."""
    def data(c):
        c.send(HEADERS, END_STREAM, c.new_id(), c.encode(c.fields("/")))
        return frame(CONTINUATION, 0, 1, piece) * 5000
    assert flood(h2(), data) == ENHANCE_YOUR_CALM


def test_header_bomb(h2):
    """A small block that stands for a large head: the table's one large field, again and again."""
    with Http2(h2()) as c:
        c.get("/", more=[("x-bomb", "b" * 3000)])
        c.ask("/", more=[("x-bomb", "b" * 3000)] * 50)
        assert end_code(c) == ENHANCE_YOUR_CALM


def test_more_streams_than_allowed(h2):
    server = h2(http="http2_max_concurrent_streams 4;")
    with Http2(server) as c:
        c.open_windows = False
        streams = [c.ask("/big") for _ in range(6)]
        assert c.alive()
        assert [c.answers[s].code for s in streams] == [None] * 4 + [REFUSED_STREAM] * 2
        head = c.encode(c.fields("/"))
        c.write(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, head)
                         for i in range(6, 3000)))
        assert end_code(c) == ENHANCE_YOUR_CALM


@pytest.mark.parametrize("window", [0, 1])
def test_window_that_stays_shut(h2, window):
    """Each stream is given up after send_timeout, and what it held is free again."""
    server = h2("send_timeout 300ms;")
    with Http2(server, {INITIAL_WINDOW_SIZE: window}) as c:
        c.open_windows = False
        streams = [c.ask("/big") for _ in range(20)]
        for stream in streams:
            assert c.answer(stream).code is not None
        assert c.alive()
    server.wait_log("timed out")


def test_client_that_does_not_read(h2):
    """Its connection is closed after send_timeout; others are served all the time."""
    server = h2("send_timeout 500ms;")
    with Latency(server), Http2(server, {INITIAL_WINDOW_SIZE: MAX_WINDOW}) as c:
        c.send(WINDOW_UPDATE, 0, 0, u32(1 << 30))
        for _ in range(50):
            c.ask("/big")
        time.sleep(1.5)
        with pytest.raises(Closed):
            while True:
                c.read()
    server.wait_log("timed out")


def test_many_requests_are_no_attack(h2):
    """Ten thousand requests, each answered, with windows opened frame by frame."""
    server = h2(http="keepalive_requests 100000;")
    with Http2(server) as c:
        for _ in range(100):
            streams = [c.ask("/") for _ in range(100)]
            assert all(c.answer(s).status == 200 for s in streams)
        assert c.goaway is None


def test_descriptions_of_many_files(h2):
    """What describes a file is encoded once and remembered: it must be that file's, and of its present state."""
    sizes = [n * 37 % 1000 for n in range(300)]
    server = h2(files={f"html/f{n}": "x" * size for n, size in enumerate(sizes)})

    def described(answer):
        return [answer.header(name) for name in ("content-length", "last-modified", "etag")]

    with Http2(server) as c, Http2(server) as other:
        for n in [*range(300), *range(300)]:
            path = f"/f{n}"
            first = described(c.get(path))
            assert first == described(other.get(path)) and int(first[0]) == sizes[n]
            if n % 30 == 0:
                assert first == described(server.get(path, method="HEAD"))
        changed = server.dir / "html/f1"
        changed.write_text("other")
        assert described(c.get("/f1"))[0] == "5"
        changed.write_text("OTHER")
        assert described(c.get("/f1")) == described(server.get("/f1", method="HEAD"))
        assert c.get("/f1", more=[("if-none-match", described(c.get("/f1"))[2])]).status == 304
        assert c.get("/f1", more=[("range", "bytes=1-2")]).header("content-length") == "2"
