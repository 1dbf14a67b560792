"""RFC 9113 (HTTP/2), sections 8 and 10: requests and responses in frames.  See musts_http2.tsv."""
import pytest

from http2 import *
from peers import Gone, Peer, ok

FILES = {"html/a.txt": "A", "html/index.html": "index"}


def echo(conn):
    """Answers with the head and the body of the request."""
    while True:
        head, body = conn.request()
        conn.send(ok(head + b"\n\n" + body))


@pytest.fixture
def back_end():
    peer = Peer(echo)
    yield peer
    peer.stop()


@pytest.fixture
def site(weir, back_end):
    return weir(f"""http2 on; root html; large_client_header_buffers 4 8k;
        location = /say {{ return 200 "$request_method|$host|$request_uri|$http_x|$http_cookie"; }}
        location /to {{ return 302 /elsewhere; }} location = /204 {{ return 204; }}
        location /pass {{ proxy_pass http://127.0.0.1:{back_end.port}; }}""", files=FILES)


@pytest.fixture
def c(site):
    with Http2(site) as connection:
        yield connection


def malformed(c, stream):
    """Answered with 400, or reset with PROTOCOL_ERROR; the connection lives."""
    answer = c.answers[stream]
    assert c.alive(), f"the connection has ended: {c.goaway}"
    c.answer(stream)
    assert answer.code == PROTOCOL_ERROR or answer.status == 400, answer
    assert c.get("/a.txt").body == b"A"
    return True


def with_fields(*more):
    return [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/pass"), *more]


# ---- 8.1: messages ----

def test_request_and_response(c):
    answer = c.get("/a.txt")
    assert (answer.status, answer.body, answer.ended) == (200, b"A", True)
    assert c.get("/none").status == 404 and c.get("/204").status == 204


def test_trailers_are_taken(c, back_end):
    stream = c.headers(c.fields("/pass", "POST"), end=False)
    c.send(DATA, 0, stream, b"body")
    c.headers([("x-trailer", "1")], stream=stream)
    assert c.answer(stream).body.endswith(b"\n\nbody")


def test_pseudo_field_in_trailers(c, back_end):
    for name in (":path", ":status", ":x"):
        stream = c.headers(c.fields("/pass", "POST"), end=False)
        c.send(DATA, 0, stream, b"body")
        c.headers([(name, "/")], stream=stream)
        assert malformed(c, stream)
    assert not back_end.requests


def test_trailers_without_the_end(c, back_end):
    stream = c.headers(c.fields("/pass", "POST"), end=False)
    c.headers([("x-trailer", "1")], stream=stream, end=False)
    assert malformed(c, stream)
    assert not back_end.requests


@pytest.mark.parametrize("length, body", [("5", b"four"), ("3", b"four"), ("0", b"four"), ("1", b"")])
def test_length_that_is_wrong(c, back_end, length, body):
    stream = c.new_id()                # in one piece: what is complete by its length may be answered
    c.write(frame(HEADERS, END_HEADERS, stream,
                  c.encode(c.fields("/pass", "POST", [("content-length", length)]))) +
            frame(DATA, END_STREAM, stream, body))
    assert malformed(c, stream)
    assert not [r for r in back_end.requests if r.endswith(b"\r\n\r\n" + body)]


def test_length_without_body(c, back_end):
    stream = c.headers(c.fields("/pass", "POST", [("content-length", "5")]), end=True)
    assert malformed(c, stream)
    assert not back_end.requests


@pytest.mark.parametrize("value", ["x", "-1", "+1", "1,1", "18446744073709551617", ""])
def test_length_that_is_none(c, back_end, value):
    stream = c.headers(c.fields("/pass", "POST", [("content-length", value)]), end=False)
    c.send(DATA, END_STREAM, stream, b"x")
    assert malformed(c, stream)
    assert not back_end.requests


def test_bodies(c, back_end):
    for size in (0, 1, 16384, 60000):
        stream = c.headers(c.fields("/pass", "POST"), end=False)
        for at in range(0, size, 16384):
            c.send(DATA, 0, stream, b"b" * min(16384, size - at))
        c.send(DATA, END_STREAM, stream)
        assert c.answer(stream).body.endswith(b"\n\n" + b"b" * size)
        c.window -= size
        while c.window < 60000:
            c.expect(WINDOW_UPDATE, 0)


def test_body_after_the_answer(c):
    """The answer is whole before the request is: it is not lost, and the client may stop."""
    stream = c.headers(c.fields("/to", "POST"), end=False)
    answer = c.answer(stream)
    assert answer.status == 302 and answer.ended
    c.send(DATA, END_STREAM, stream, b"late")
    assert c.get("/a.txt").body == b"A"
    assert answer.code in (None, NO_ERROR)


# ---- 8.2: fields ----

def test_names_are_lower_case(site, c):
    for answer in (c.get("/a.txt"), c.get("/to"), c.get("/none"), c.get("/pass"),
                   c.get("/a.txt", more=[("range", "bytes=0-0")])):
        assert all(name == name.lower() for name, _ in answer.fields), answer


BAD_NAMES = ["X-Upper", "xY", "a b", "", "a\x00", "a\x7f", "a\x80", "a:b", "a:", "a\n", "\tx"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(c, back_end, name):
    assert malformed(c, c.headers(with_fields((name.encode("latin-1"), b"v"))))
    assert not back_end.requests


BAD_VALUES = ["a\x00b", "a\nb", "a\rb", "\n", "a\r\nx: y", " a", "a ", "\ta", "a\t", " "]


@pytest.mark.parametrize("value", BAD_VALUES)
def test_bad_values(c, back_end, value):
    assert malformed(c, c.headers(with_fields((b"x", value.encode("latin-1")))))
    assert not back_end.requests


@pytest.mark.parametrize("name", [":path", ":authority", ":method", ":scheme"])
@pytest.mark.parametrize("value", [b"/\r\nx: y", b"/\x00", b"/pass "])
def test_bad_pseudo_values(c, back_end, name, value):
    fields = [(n, v) for n, v in with_fields() if n != name]
    assert malformed(c, c.headers([(name, value), *fields]))
    assert not back_end.requests


def test_bad_fields_in_trailers(c, back_end):
    for name, value in ((b"X-Upper", b"v"), (b"x", b"a\nb"), (b"connection", b"close")):
        stream = c.headers(c.fields("/pass", "POST"), end=False)
        c.headers([(name, value)], stream=stream)
        assert malformed(c, stream)
    assert not back_end.requests


def test_bad_field_from_the_table(c, back_end):
    """The second time, the field is only an index."""
    for _ in range(2):
        assert malformed(c, c.headers(with_fields((b"x-bad", b"a\nb"))))
    assert not back_end.requests


@pytest.mark.parametrize("name, value", [
    ("connection", "close"), ("connection", "keep-alive"), ("keep-alive", "timeout=1"),
    ("proxy-connection", "keep-alive"), ("transfer-encoding", "chunked"), ("upgrade", "websocket"),
    ("te", "gzip"), ("te", "trailers, gzip"), ("te", ""),
])
def test_connection_fields(c, back_end, name, value):
    assert malformed(c, c.headers(with_fields((name, value))))
    assert not back_end.requests


def test_te_trailers(c):
    assert c.get("/a.txt", more=[("te", "trailers")]).body == b"A"


def test_no_connection_fields_are_sent(weir):
    def script(conn):
        while True:
            conn.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, x-hop\r\n"
                        b"Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nX-Hop: 1\r\n"
                        b"Upgrade: h2c\r\n\r\nok")

    peer = Peer(script)
    site = weir(f"""http2 on; root html; location /pass {{ proxy_http_version 1.1;
                proxy_pass http://127.0.0.1:{peer.port}; }}""", files=FILES)
    with Http2(site) as c:
        for answer in (c.get("/pass"), c.get("/a.txt"), c.get("/none")):
            assert answer.status in (200, 404)
            for name in ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"):
                assert answer.header(name) is None, answer
    peer.stop()


def test_chunked_of_a_back_end(weir):
    """Its framing is undone, and its trailers and interim responses do no harm."""
    def script(conn):
        while True:
            conn.answer(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n")

    peer = Peer(script)
    site = weir(f"""http2 on; location / {{ proxy_http_version 1.1;
                proxy_pass http://127.0.0.1:{peer.port}; }}""")
    with Http2(site) as c:
        answer = c.get("/")
        assert (answer.status, answer.body, answer.header("transfer-encoding")) == (200, b"ok", None)
        assert all(head[0][0] == ":status" for head in answer.heads)
    peer.stop()


def test_cookies_are_joined(c, back_end):
    more = [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")]
    assert c.get("/say", more=more).body.endswith(b"|a=1; b=2; c=3")
    assert c.get("/pass", more=more).status == 200
    assert back_end.requests[-1].lower().count(b"cookie:") == 1
    assert b"cookie: a=1; b=2; c=3\r\n" in back_end.requests[-1].lower().replace(b"\r\n\r\n", b"\r\n")


# ---- 8.3: control data ----

GOOD = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/pass")]


@pytest.mark.parametrize("fields", [
    GOOD + [(":status", "200")], [(":status", "200")] + GOOD, GOOD + [(":unknown", "x")],
    GOOD + [(":protocol", "x")], [("x", "y")] + GOOD, GOOD[:3] + [("x", "y")] + GOOD[3:],
    GOOD + [(":path", "/pass")], GOOD + [(":method", "GET")], GOOD + [(":scheme", "http")],
    GOOD + [(":authority", "localhost")], GOOD + [(":", "x")],
    GOOD[1:], GOOD[:1] + GOOD[2:], GOOD[:3], [("x", "y")],
    GOOD[:3] + [(":path", "")], [(":method", "")] + GOOD[1:], GOOD[:3] + [(":path", "no-slash")],
    GOOD[:3] + [(":path", "*")], [(":method", "G ET")] + GOOD[1:], [(":method", "GET\t")] + GOOD[1:],
    GOOD[:3] + [(":path", "/a b")],
], ids=lambda fields: " ".join(f"{n}={v}" for n, v in fields))
def test_pseudo_fields(c, back_end, fields):
    assert malformed(c, c.headers(fields))
    assert not back_end.requests


def test_empty_head(c):
    assert malformed(c, c.headers([]))


def test_status_is_always_sent(c):
    """Also in an interim response."""
    for path in ("/a.txt", "/none", "/to", "/204", "/pass"):
        answer = c.get(path)
        for head in answer.heads:
            assert head[0][0] == ":status" and head[0][1].isdigit()
            assert not any(name.startswith(":") for name, _ in head[1:])
    stream = c.headers(c.fields("/pass", "POST", [("expect", "100-continue")]), end=False)
    c.expect(HEADERS, stream)
    c.send(DATA, END_STREAM, stream, b"body")
    answer = c.answer(stream)
    assert answer.heads[0][0] == (":status", "100") and answer.body.endswith(b"\n\nbody")


def test_authority_counts(c, back_end):
    fields = [(":method", "GET"), (":scheme", "http"), (":authority", "right"), (":path", "/say"),
              ("host", "right")]
    assert c.answer(c.headers(fields)).body.startswith(b"GET|right|/say")
    stream = c.headers([(n, "other" if n == "host" else v) for n, v in fields])
    answer = c.answer(stream)                  # may be refused, but never served for "other"
    assert answer.code or answer.status == 400 or answer.body.startswith(b"GET|right|")


def test_host_without_authority(c):
    fields = [(":method", "GET"), (":scheme", "http"), (":path", "/say"), ("host", "named")]
    assert c.answer(c.headers(fields)).body.startswith(b"GET|named|/say")


@pytest.mark.parametrize("fields", [[], [("host", "a"), ("host", "b")]])
def test_no_authority(c, back_end, fields):
    stream = c.headers([(":method", "GET"), (":scheme", "http"), (":path", "/pass"), *fields])
    assert malformed(c, stream)
    assert not back_end.requests


@pytest.mark.parametrize("authority", ["user@localhost", "user:secret@localhost", "", "a b", "a/b"])
def test_bad_authority(c, back_end, authority):
    stream = c.headers(c.fields("/pass", authority=authority))
    assert malformed(c, stream)
    assert not back_end.requests


def test_host_to_the_back_end(weir, back_end):
    site = weir(f"""http2 on; location / {{ proxy_set_header Host $http_host;
                proxy_pass http://127.0.0.1:{back_end.port}; }}""")
    with Http2(site) as c:
        assert c.get("/x", authority="named:81").status == 200
    assert b"\r\nhost: named:81\r\n" in back_end.requests[0].lower()
    assert b"authority" not in back_end.requests[0]


def test_options_of_the_server(c):
    assert c.get("*", method="OPTIONS").status in (200, 204, 400, 405)
    assert c.alive()


@pytest.mark.parametrize("fields", [
    [(":method", "CONNECT"), (":authority", "a:80")],
    [(":method", "CONNECT"), (":authority", "a:80"), (":scheme", "http"), (":path", "/")],
    [(":method", "CONNECT")],
])
def test_connect(c, back_end, fields):
    """Weir is no such proxy: never a 2xx, and the connection lives."""
    stream = c.headers(fields, end=False)
    assert c.alive()
    answer = c.answer(stream)
    assert answer.code is not None or answer.status in (400, 405, 501)
    assert c.get("/a.txt").body == b"A"


# ---- what goes to HTTP/1 ----

@pytest.mark.parametrize("path", ["/pass HTTP/1.1\r\nX: y", "/pass\r\n\r\nGET /x HTTP/1.1", "/pass\x00",
                                  "/pass\tx"])
def test_no_smuggling_by_path(c, back_end, path):
    assert malformed(c, c.headers([(":method", "GET"), (":scheme", "http"), (":authority", "a"),
                                   (":path", path)]))
    assert not back_end.requests


@pytest.mark.parametrize("method", ["GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "GET\r\n", "G\x00ET", "G:T", ""])
def test_no_smuggling_by_method(c, back_end, method):
    assert malformed(c, c.headers([(":method", method), (":scheme", "http"), (":authority", "a"),
                                   (":path", "/pass")]))
    assert not back_end.requests


@pytest.mark.parametrize("scheme", ["http://a/x", "ht tp", "1http", ""])
def test_bad_scheme(c, back_end, scheme):
    assert malformed(c, c.headers([(":method", "GET"), (":scheme", scheme), (":authority", "a"),
                                   (":path", "/pass")]))
    assert not back_end.requests


# ---- 10.5.1: heads that are too large ----

def test_large_head_leaves_the_table(c):
    """A field is refused, and those around it are in the table all the same; or the connection ends."""
    before, behind = ("x-before", "b" * 20), ("x", "known")
    stream = c.headers(c.fields("/say", more=[before, ("x-large", "~" * 40000), behind]))
    if not c.alive():
        assert c.goaway[1] == ENHANCE_YOUR_CALM
        return
    assert c.answer(stream).status in (400, 431)
    assert c.get("/say", more=[before, behind]).body == b"GET|localhost|/say|known|"


def test_many_fields(c):
    answer = c.get("/say", more=[(f"x{i}", "") for i in range(1500)])
    assert answer.status in (400, 431), answer
    assert c.get("/a.txt").body == b"A"
