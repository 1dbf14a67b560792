"""HTTP/2: what a head may be, what a server's limits do to streams and connections, and attacks that are
about the meaning of frames rather than their number (those are test_http2.py's)."""
import signal
import ssl
import subprocess
import threading
import time

import pytest

from conftest import BINARY
from http2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS,
                   INITIAL_WINDOW_SIZE, MAX_WINDOW, NO_ERROR, PING, PROTOCOL_ERROR, SETTINGS,
                   WINDOW_UPDATE, Closed, Http2, connection_error, frame, settings, u32)


@pytest.fixture
def h2(weir):
    def start(server="", http="", files=None, **others):
        return weir(http=f"http2 on;\n{http}\nserver {{ listen 127.0.0.1:@PORT@;\n{server}\n}}",
                    files={"html/index.html": "hello", **(files or {})}, main="error_log error.log info;",
                    **others)
    return start


def end_code(c):
    """Of the GOAWAY that comes; the server goes on reading what is on its way."""
    while c.goaway is None:
        c.read()
    return c.goaway[1]


def literal(name, value):
    """A field that leaves no trace in the table, neither in Huffman's code."""
    def text(s):
        length = bytes([len(s)]) if len(s) < 127 else b"\x7f" + varint(len(s) - 127)
        return length + s
    return b"\x00" + text(name) + text(value)


def varint(number):
    data = b""
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])


def ask_block(c, block):
    """A request of that block, in as many frames as it needs."""
    stream = c.new_id()
    pieces = [block[at:at + 16384] for at in range(0, len(block), 16384)]
    for i, piece in enumerate(pieces):
        c.send(CONTINUATION if i else HEADERS, (0 if i else END_STREAM) |
               (END_HEADERS if piece is pieces[-1] else 0), stream, piece)
    return stream


# ---- heads that are too large: the stream alone is refused, and the table is right behind it ----

def is_refused(c, stream, status=431):
    answer = c.answer(stream)
    assert (answer.status, answer.body) == (status, b""), answer
    after = c.get("/", more=[("x-behind", "value")])
    assert (after.status, c.goaway) == (200, None)
    return True


@pytest.mark.parametrize("fields", [
    [("x-large", "v" * 9000)],                                 # one is larger than a buffer
    [("n" * 9000, "v")],
    [(f"x-{i}", "v" * 5000) for i in range(8)],                # all are larger than the buffers
    [("cookie", "v" * 5000) for i in range(8)],
    [("x-large", "v" * 60000)],                                # in CONTINUATION, too
    [("x-new", "kept"), ("x-large", "\0" * 9000), ("x-newer", "kept")],
], ids=["value", "name", "all", "cookies", "continued", "between others"])
def test_too_large(h2, fields):
    server = h2()
    with Http2(server) as c:
        assert is_refused(c, c.ask("/", more=fields))
    server.wait_log("too large")


def test_too_large_with_a_body(h2):
    with Http2(h2("location / { proxy_pass http://127.0.0.1:@PORT2@; } location = / { return 200; }")) as c:
        stream = c.ask("/x", "POST", [("x-large", "v" * 9000)], body=b"body" * 1000)
        assert is_refused(c, stream)


def test_table_after_too_large(h2):
    """What a refused head has put into the table, also in pieces that are dropped, is there."""
    with Http2(h2("return 200 $http_x_new-$http_x_newer;")) as c:
        more = [("x-new", "first"), ("x-large", "v" * 9000), ("x-newer", "second")]
        assert c.answer(c.ask("/", more=more)).status == 431
        assert c.get("/", more=[more[0], more[2]]).body == b"first-second"


def test_long_path(h2):
    server = h2()
    with Http2(server) as c:
        assert c.get("/" + "p" * 9000).status == 414
        assert c.get("/").status == 200
    server.wait_log("client sent too long URI")


def test_too_many_fields(h2):
    """As over HTTP/1: 400."""
    with Http2(h2(http="max_headers 50;")) as c:
        assert c.get("/", more=[("x", "v")] * 50).status == 200
        assert c.get("/", more=[("x", "v")] * 51).status == 400
        assert c.get("/").status == 200


def test_error_page_of_too_large(h2):
    """A page for nginx's 494 counts; the built-in one is left out."""
    with Http2(h2("error_page 494 =431 /why; location = /why { return 200 why; }")) as c:
        answer = c.get("/", more=[("x-large", "v" * 9000)])
        assert (answer.status, answer.body) == (431, b"why")
        assert c.get("/").status == 200


def test_log_of_too_large(h2):
    server = h2("access_log @DIR@/l f;", http="log_format f '$request|$status';")
    with Http2(server) as c:
        c.get("/a", more=[("x-large", "v" * 9000)])
    server.stop()
    assert (server.dir / "l").read_text() == "GET /a HTTP/2.0|431\n"


def test_huffman_that_fills_the_buffers(h2):
    """Codes of five bits: the head is 1.6 times its block, and still within the limit."""
    with Http2(h2("return 200 $http_x_0;")) as c:
        more = [(f"x-{i}", "a" * 7900) for i in range(4)]
        assert c.get("/", more=more).body == b"a" * 7900


def test_plain_block_that_fills_the_buffers(h2):
    with Http2(h2("return 200 ok;")) as c:
        head = c.encode(c.fields("/"))
        stream = ask_block(c, head + b"".join(literal(b"x-%d" % i, b"\x80" * 7900) for i in range(4)))
        assert c.answer(stream).body == b"ok"


def test_trailers_too_large(h2):
    """Their stream is reset, and the table is right."""
    with Http2(h2("location / { proxy_pass http://127.0.0.1:@PORT2@; } location = / { return 200 $http_x_new; }")
               ) as c:
        stream = c.headers(c.fields("/x", "POST"), end=False)
        c.headers([("x-new", "value"), ("x-large", "v" * 9000)], stream=stream)
        assert c.answer(stream).code is not None
        assert c.get("/", more=[("x-new", "value")]).body == b"value"


# ---- bombs: what unfolds beyond all limits ends the connection ----

def test_bomb_of_one_entry(h2):
    with Http2(h2()) as c:
        c.get("/", more=[("x-bomb", "b" * 3000)])
        c.ask("/", more=[("x-bomb", "b" * 3000)] * 15)
        assert end_code(c) == ENHANCE_YOUR_CALM


@pytest.mark.parametrize("field", [b"\x82", b"\xa0", literal(b"a", b"")], ids=["pseudo", "static", "literal"])
def test_bomb_of_many_fields(h2, field):
    """Fields that are next to nothing, by the thousand."""
    with Http2(h2()) as c:
        head = c.encode(c.fields("/"))
        ask_block(c, head + field * (15000 // len(field)))
        assert end_code(c) == ENHANCE_YOUR_CALM


def test_more_than_is_read(h2):
    """A block that is larger on the wire than anything that could be answered."""
    with Http2(h2()) as c:
        ask_block(c, c.encode(c.fields("/")) + literal(b"x", b"v" * 200000))
        assert end_code(c) == ENHANCE_YOUR_CALM


# ---- cookies in pieces (RFC 9113 section 8.2.3) ----

@pytest.mark.parametrize("count, size", [(2, 10), (60, 60), (30, 1000), (900, 1)])
def test_cookie_crumbs(h2, count, size):
    with Http2(h2('return 200 $http_cookie;')) as c:
        pieces = [f"c{i}=" + "v" * size for i in range(count)]
        answer = c.get("/", more=[("cookie", piece) for piece in pieces])
        assert answer.body.decode() == "; ".join(pieces)


def test_cookie_crumbs_between_fields(h2):
    with Http2(h2('return 200 "$http_cookie|$cookie_b|$http_x";')) as c:
        more = [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "")]
        assert c.get("/", more=more).body == b"a=1; b=2; |2|y"


# ---- numbers that no good block has are told before the frame is whole ----

@pytest.mark.parametrize("piece", [b"\xff\xff\xff\xff", b"\x42\xff\xff\xff\xff", b"\x82\x00\x01a\x7f\xff\xff\xff",
                                   b"\x3f\xff\xff\xff", b"\x80"],
                         ids=["index", "length", "second field", "size", "index of zero"])
def test_told_before_it_is_whole(h2, piece):
    with Http2(h2(), timeout=5) as c:
        c.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, piece + bytes(1000))[:9 + len(piece)])
        assert end_code(c) == 9


def test_good_pieces_of_a_head(h2):
    """A head that comes byte by byte is taken."""
    with Http2(h2()) as c:
        data = frame(HEADERS, END_HEADERS | END_STREAM, 1, c.encode(c.fields("/", more=[("x", "y" * 200)])))
        for byte in data:
            c.write(bytes([byte]))
        c.next_id = 3
        assert c.answer(1).status == 200


# ---- limits of a server ----

@pytest.mark.parametrize("line, instead", [
    ("http2_idle_timeout 1m;", "keepalive_timeout"), ("http2_recv_timeout 1m;", "client_header_timeout"),
    ("http2_max_requests 5;", "keepalive_requests"),
    ("http2_max_field_size 1k;", "large_client_header_buffers"),
    ("http2_max_header_size 1k;", "large_client_header_buffers"),
    ("http2_max_concurrent_pushes 5;", "pushed"), ("http2_push /style.css;", "pushed"),
    ("http2_push_preload on;", "pushed"),
])
def test_obsolete_directives(tmp_path, line, instead):
    """They are taken, with a word about what counts now."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "c").write_text(f"events {{}} http {{ {line} server {{ listen 127.0.0.1:8000; {line} }} }}")
    done = subprocess.run([BINARY, "-t", "-p", tmp_path, "-c", "c", "-e", "stderr"], capture_output=True,
                          text=True, timeout=20)
    warnings = [w for w in done.stderr.splitlines() if f'the "{line.split()[0]}" directive' in w]
    assert done.returncode == 0 and len(warnings) == 2
    assert all("[warn]" in w and instead in w for w in warnings)


def test_keepalive_time(h2):
    """An old connection takes what is on its way, and ends."""
    with Http2(h2(http="keepalive_time 300ms;")) as c:
        assert c.get("/").status == 200 and c.goaway is None
        time.sleep(0.4)
        last, ping = c.ask("/"), c.expect(PING)
        assert c.goaway == (MAX_WINDOW, NO_ERROR)
        late = c.ask("/")
        c.send(PING, ACK, 0, ping.payload)
        assert [c.answer(s).status for s in (last, late)] == [200, 200]
        assert c.ends_with() == NO_ERROR and c.goaway == (late, NO_ERROR)


def test_end_without_an_answer_to_ping(h2):
    """Who does not answer to the announced end has a second."""
    with Http2(h2(http="keepalive_requests 1;")) as c:
        begin = time.monotonic()
        assert c.get("/").status == 200
        assert c.ends_with() == NO_ERROR
        assert 0.8 < time.monotonic() - begin < 5


def test_keepalive_timeout_of_none(h2):
    with Http2(h2(http="keepalive_timeout 0;")) as c:
        streams = [c.ask("/") for _ in range(3)]
        assert [c.answer(s).status for s in streams] == [200] * 3
        assert c.ends_with() == NO_ERROR


def test_client_header_timeout_before_settings(h2):
    c = Http2(h2(http="client_header_timeout 300ms;"), hello=False)
    begin = time.monotonic()
    c.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    c.ends_with()
    assert time.monotonic() - begin < 5


def test_on_and_off_behind_one_listen(weir):
    """In clear the default server says what may begin; a server without HTTP/2 sends its clients elsewhere."""
    server = weir(http="""server { listen 127.0.0.1:@PORT@; server_name a; http2 on; return 200 a; }
                          server { listen 127.0.0.1:@PORT@; server_name b; return 200 b; }
                          server { listen 127.0.0.1:@PORT@; server_name c; http2 on; return 200 c; }""")
    with Http2(server) as c:
        assert [c.get("/", authority=name).status for name in "abc"] == [200, 421, 200]
        assert c.get("/", authority="c").body == b"c"
    assert server.get("/", host="b").body == b"b"


def test_on_and_off_by_sni(weir, tmp_path):
    """Over TLS it is the server of that name that ALPN speaks for."""
    if b"http_ssl_module" not in subprocess.run([BINARY, "-V"], capture_output=True).stderr:
        pytest.skip("this build has no TLS")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-subj", "/CN=a"],
                   check=True, capture_output=True)
    server = weir(http=f"""ssl_certificate {tmp_path}/cert.pem; ssl_certificate_key {tmp_path}/key.pem;
        server {{ listen 127.0.0.1:@PORT@ ssl; server_name a; return 200 a; }}
        server {{ listen 127.0.0.1:@PORT@ ssl; server_name b; http2 on; return 200 b; }}""")
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2", "http/1.1"])

    def connect(name):
        return context.wrap_socket(server.connect(), server_hostname=name)

    with connect("a") as a:
        assert a.selected_alpn_protocol() == "http/1.1"
    b = connect("b")
    assert b.selected_alpn_protocol() == "h2"
    with Http2(stream=b) as c:
        assert c.get("/", authority="b").body == b"b"
        assert c.get("/", authority="a").status == 421


def test_upgrade_to_h2c_is_left_alone(h2):
    """RFC 9113 has done away with it: the request is answered, over HTTP/1.1."""
    server = h2()
    answer = server.get("/", {"Connection": "close, Upgrade, HTTP2-Settings", "Upgrade": "h2c",
                              "HTTP2-Settings": "AAMAAABkAAQAAP__"})
    assert (answer.line, answer.body, answer.header("upgrade")) == ("HTTP/1.1 200 OK", b"hello", None)


# ---- no stream is lost ----

class Busy(threading.Thread):
    """A client that asks on and on, until the server says that it will end; then it takes what it asked for."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.asked, self.good, self.failed = server, 0, 0, None

    def run(self):
        try:
            with Http2(self.server, timeout=20) as c:
                open_streams = [c.ask("/file") for _ in range(20)]
                self.asked = len(open_streams)
                while open_streams:
                    f = c.read()
                    if f.type == PING and not f.flags & ACK:
                        c.send(PING, ACK, 0, f.payload)
                    if f.stream in open_streams and f.flags & END_STREAM:
                        assert c.answers[f.stream].status == 200 and len(c.answers[f.stream].body) == 30000
                        open_streams.remove(f.stream)
                        self.good += 1
                        if c.goaway is None:
                            open_streams.append(c.ask("/file"))
                            self.asked += 1
                c.ends_with()
                assert c.goaway[1] == NO_ERROR
        except (Closed, AssertionError, OSError) as error:
            self.failed = repr(error)


@pytest.mark.parametrize("how", ["quit", "requests"])
def test_no_stream_is_lost(h2, how):
    """At `-s quit`, and where keepalive_requests are used up, all that was asked before is answered."""
    server = h2(http="keepalive_requests 500;" if how == "requests" else "keepalive_requests 1000000;",
                files={"html/file": "f" * 30000}, master="on")
    clients = [Busy(server) for _ in range(6)]
    for client in clients:
        client.start()
    if how == "quit":
        time.sleep(0.7)
        server.process.send_signal(signal.SIGQUIT)
    for client in clients:
        client.join(30)
    assert [client.failed for client in clients] == [None] * 6
    assert all(client.asked == client.good > 50 for client in clients), [(x.asked, x.good) for x in clients]
    if how == "quit":
        assert server.process.wait(20) == 0


# ---- attacks by what frames mean ----

def is_thrown_out(c, data, times=1):
    """That ends with ENHANCE_YOUR_CALM."""
    for _ in range(times):
        c.write(data)
    return end_code(c) == ENHANCE_YOUR_CALM


def test_settings_by_the_thousand_in_one_frame(h2):
    """Each counts for all streams that are open, so each is paid for."""
    with Http2(h2(files={"html/big": bytes(1 << 20)}), {INITIAL_WINDOW_SIZE: 0}) as c:
        for _ in range(100):
            c.ask("/big")
        assert c.alive()
        values = settings({INITIAL_WINDOW_SIZE: 1}) + settings({INITIAL_WINDOW_SIZE: 0})
        assert is_thrown_out(c, frame(SETTINGS, payload=values * 5400), 2)


def test_heads_of_streams_that_were_reset(h2):
    """They are read for the sake of the table alone, which is work, too."""
    with Http2(h2()) as c:
        stream = c.new_id()                    # in one write: it ends before it is answered
        c.write(frame(HEADERS, END_HEADERS, stream, c.encode(c.fields("/", "POST")))
                + frame(WINDOW_UPDATE, 0, stream, u32(0)))
        assert c.answer(stream).code == PROTOCOL_ERROR
        assert is_thrown_out(c, frame(HEADERS, END_HEADERS, stream, b"\x82" * 100) * 3000)


def test_heads_behind_the_last_goaway(h2):
    with Http2(h2(files={"html/big": bytes(1 << 20)}, http="keepalive_requests 1;"), {INITIAL_WINDOW_SIZE: 0}) as c:
        c.ask("/big")
        c.send(PING, ACK, 0, c.expect(PING).payload)
        while c.goaway is None or c.goaway[0] == MAX_WINDOW:
            c.read()
        head = c.encode(c.fields("/"))
        c.write(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, head) for i in range(1, 3000)))
        while c.goaway[1] != ENHANCE_YOUR_CALM:
            c.read()


def dribble(c, stream, total):
    """Takes `total` bytes one by one; how many came before the server had enough."""
    got = 0
    try:
        while got < total:
            c.send(WINDOW_UPDATE, 0, stream, u32(1))
            f = c.expect(DATA, stream)
            assert len(f.payload) == 1
            got += 1
            c.answers[stream].body = b""
    except Closed:
        pass
    return got


def test_windows_that_open_byte_by_byte(h2):
    """CVE-2019-9511: a frame of one byte is no service that a client could pay with."""
    with Http2(h2(files={"html/big": bytes(1 << 20)}), {INITIAL_WINDOW_SIZE: 0}) as c:
        c.open_windows = False
        got = dribble(c, c.ask("/big"), 40000)
        assert 5000 < got < 40000 and c.goaway[1] == ENHANCE_YOUR_CALM


def test_small_frames_are_no_attack(h2):
    """A response that comes in small frames because it is made so; the client opens windows for each."""
    with Http2(h2("return 200 " + "x" * 200 + "; http2_chunk_size 10;", http="keepalive_requests 1000000;")) as c:
        for _ in range(1000):
            assert len(c.get("/").body) == 200
        assert c.goaway is None


def test_last_number_of_a_stream(h2):
    """It is served; then the connection is used up, and numbers that go back are a mistake."""
    with Http2(h2()) as c:
        c.ask("/", )
        assert c.answer(c.headers(c.fields("/"), stream=MAX_WINDOW)).status == 200
        c.send(PING, payload=bytes(8))
        assert c.alive()
        c.headers(c.fields("/"), stream=MAX_WINDOW - 2)
        connection_error(c, PROTOCOL_ERROR)


def test_table_that_is_resized_in_every_block(h2):
    """The most updates a block may have, each emptying what the last one filled."""
    with Http2(h2(http="keepalive_requests 1000000;")) as c:
        block = (b"\x20\x3f\xe1\x1f" + c.encode(c.fields("/"))
                 + b"".join(b"\x40\x03%03d\x01v" % i for i in range(100)))
        begin = time.monotonic()
        for i in range(2000):
            c.send(HEADERS, END_HEADERS | END_STREAM, c.new_id(), block)
            assert c.answer(c.next_id - 2).status == 200
        assert time.monotonic() - begin < 20


def test_late_head_that_dribbles(h2):
    """After its stream was refused, a head that goes on byte by byte does not hold the connection for ever."""
    with Http2(h2(http="client_header_timeout 200ms; keepalive_timeout 500ms;"), timeout=5) as c:
        c.get("/")
        data = frame(HEADERS, END_STREAM, c.new_id(), b"\x00\x01a\x7f\xff\x7e" + b"v" * 16000)
        c.write(data[:100])
        begin, at = time.monotonic(), 100
        c.socket.settimeout(0.2)
        with pytest.raises(Closed):
            while time.monotonic() - begin < 8:
                c.write(data[at:at + 1])
                at += 1
                try:
                    c.read()
                except TimeoutError:
                    pass
        assert time.monotonic() - begin < 8
