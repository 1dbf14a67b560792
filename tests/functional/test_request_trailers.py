"""Fields behind a request's body, on their way to the peer (proxy_pass_trailers): HTTP/1.1 and HTTP/2 on
either side."""
import h2.events
import pytest

from conftest import Response
from http2 import DATA, HEADERS, Http2
from peers import Gone
from test_proxy_http2 import H2Conn

TRAILERS = [("x-digest", "abc"), ("server-timing", "a;dur=1")]


def read_chunks(conn):
    """A request as bytes, to the end of its chunks and trailers."""
    while b"\r\n\r\n" not in conn.buffer:
        conn.more()
    head, _, conn.buffer = conn.buffer.partition(b"\r\n\r\n")
    body = b""
    if b"transfer-encoding: chunked" not in head.lower():
        length = int(dict(line.lower().split(b": ") for line in head.split(b"\r\n")[1:]).get(b"content-length", 0))
        while len(conn.buffer) < length:
            conn.more()
        return head, conn.buffer[:length], None
    while True:
        while b"\r\n" not in conn.buffer:
            conn.more()
        line, _, conn.buffer = conn.buffer.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            break
        while len(conn.buffer) < size + 2:
            conn.more()
        assert conn.buffer[size:size + 2] == b"\r\n"
        body, conn.buffer = body + conn.buffer[:size], conn.buffer[size + 2:]
    trailers = []
    while True:
        while b"\r\n" not in conn.buffer:
            conn.more()
        line, _, conn.buffer = conn.buffer.partition(b"\r\n")
        if not line:
            return head, body, trailers
        trailers.append(tuple(line.decode().lower().split(": ")))


def http1(conn):
    conn.peer.requests.append(read_chunks(conn))
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    try:
        conn.more()
    except Gone:
        pass


class Trailed(H2Conn):
    """Notes (head, body, trailers) of requests."""

    def on(self, event):
        if isinstance(event, h2.events.TrailersReceived):
            self.trailers = [(n, v) for n, v in event.headers]
        super().on(event)


def http2(conn):
    def answer(c, stream, head, body):
        conn.peer.requests[-1] = (head, body, c.trailers)
        c.trailers = []
        c.answer(stream, b"ok")
    c = Trailed(conn, answer)
    c.trailers = []
    c.run()


def start(weir, port, version, more="proxy_pass_trailers on;", buffering="off"):
    return weir(http=f"""http2 on; client_max_body_size 10m; server {{ listen 127.0.0.1:@PORT@; location / {{
        proxy_pass http://127.0.0.1:{port}; proxy_http_version {version}; proxy_request_buffering {buffering}; {more} }} }}""")


def ask_http1(server, body, trailers, fields=""):
    pieces = [body[at:at + 10000] for at in range(0, len(body), 10000)]
    data = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
    text = f"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n{fields}\r\n".encode()
    end = "0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in trailers) + "\r\n"
    return Response(server.raw(text + data + end.encode())).status


def ask_http2(server, body, trailers, fields=()):
    with Http2(server) as c:
        stream = c.headers(c.fields(method="POST", more=fields), end=False)
        for at in range(0, len(body), 10000):
            c.send(DATA, 0, stream, body[at:at + 10000])
        c.headers(trailers, stream=stream)
        return c.answer(stream).status


@pytest.mark.parametrize("size", [0, 5, 60000])
@pytest.mark.parametrize("version, script", [("1.1", http1), ("2", http2)])
@pytest.mark.parametrize("ask", [ask_http1, ask_http2])
def test_passed(weir, peer, ask, version, script, size):
    p = peer(script)
    s = start(weir, p.port, version)
    assert ask(s, b"z" * size, TRAILERS) == 200
    assert [r[1:] for r in p.requests] == [(b"z" * size, TRAILERS)]
    assert ask(s, b"z" * size, [*TRAILERS, ("x-b", "c" * 3000)]) == 200
    assert p.requests[1][1:] == (b"z" * size, [*TRAILERS, ("x-b", "c" * 3000)])


@pytest.mark.parametrize("ask", [ask_http1, ask_http2])
def test_read_as_a_whole(weir, peer, ask):
    """Behind a body of known length: HTTP/2 has a place for them, HTTP/1.1 has none."""
    p, q = peer(http2), peer(http1)
    s = start(weir, p.port, "2", buffering="on")
    assert ask(s, b"hello", TRAILERS) == 200
    assert p.requests[0][1:] == (b"hello", TRAILERS)
    assert p.requests[0][0]["content-length"] == "5"
    s.stop()
    s.write_conf((s.dir / "weir.conf").read_text().replace(str(p.port), str(q.port)).replace("version 2", "version 1.1"))
    s.start()
    assert ask(s, b"hello", TRAILERS) == 200
    assert q.requests[0][1:] == (b"hello", None)


@pytest.mark.parametrize("more", ["", "proxy_pass_trailers on; proxy_pass_request_headers off;",
                                  "proxy_pass_trailers on; proxy_set_body other;"])
@pytest.mark.parametrize("version, script", [("1.1", http1), ("2", http2)])
@pytest.mark.parametrize("ask", [ask_http1, ask_http2])
def test_not_passed(weir, peer, ask, version, script, more):
    p = peer(script)
    s = start(weir, p.port, version, more)
    assert ask(s, b"hello", TRAILERS) == 200
    assert not p.requests[0][2]


@pytest.mark.parametrize("version, script", [("1.1", http1), ("2", http2)])
@pytest.mark.parametrize("ask", [ask_http1, ask_http2])
def test_what_may_not_trail(weir, peer, ask, version, script):
    """What would change the request's meaning for a server that takes trailers for fields of the head."""
    names = ["host", "content-length", "content-type", "content-encoding", "content-range", "trailer",
             "expect", "range", "if-match", "authorization", "proxy-authorization", "cookie", "max-forwards",
             "cache-control", "pragma", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "x-own"]
    if ask is ask_http1:
        names += ["transfer-encoding", "connection", "upgrade", "te", "keep-alive", "x_odd"]
    p = peer(script)
    s = start(weir, p.port, version, "proxy_pass_trailers on; proxy_set_header X-Own mine;")
    assert ask(s, b"hello", [(n, "5") for n in names] + TRAILERS) == 200
    assert p.requests[0][1:] == (b"hello", TRAILERS)
    if ask is ask_http1:
        assert ask(s, b"hello", TRAILERS, "Connection: X-Digest\r\n") == 200
        assert p.requests[1][2] == TRAILERS[1:]


def test_pieces_and_a_head_that_waits(weir, peer):
    """Trailers that come much later than the body."""
    p = peer(http1)
    s = start(weir, p.port, "1.1")
    with Http2(s) as c:
        stream = c.headers(c.fields(method="POST"), end=False)
        for _ in range(3):
            c.send(DATA, 0, stream, b"part ")
            assert c.alive()
        c.headers([("x-digest", "abc")], stream=stream)
        c.expect(HEADERS, stream)
        assert c.answer(stream).body == b"ok"
    assert p.requests[0][1:] == (b"part " * 3, [("x-digest", "abc")])
