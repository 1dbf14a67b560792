"""proxy_pass: a real server, peers that behave and peers that do not."""
import os
import socket
import time

import pytest

from conftest import Response, free_port
from peers import Peer, forever, ok


def group(*ports, more=""):
    servers = "".join(f"server 127.0.0.1:{p};\n" for p in ports)
    return (f"upstream u {{ {servers} {more} }}\n"
            "server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://u; %s } }")


def another(server):
    folder = server.dir / "another"
    folder.mkdir()
    return folder


def read_response(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    r = Response(data)
    while len(r.body) < int(r.header("content-length")):
        r.body += sock.recv(65536)
    return r


def test_keepalive_both_sides(weir, peer):
    p = peer(forever(ok(b"x" * 1024)))
    s = weir(http=group(p.port) % "")
    with s.connect() as c:
        for _ in range(20):
            c.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
            assert read_response(c).body == b"x" * 1024
    assert p.connections == 1 and len(p.requests) == 20
    assert p.requests[0] == b"GET /a HTTP/1.1\r\nHost: u\r\n\r\n"


def test_stale_connection_is_no_failure(weir, peer):
    """The peer closes as the next request comes: asked once more over a fresh connection."""
    def script(conn):
        conn.answer(ok(b"first"))
        conn.request()
    p = peer(script)
    s = weir(http=group(p.port) % "")
    for _ in range(5):
        assert s.get("/").status == 200
    assert "disabled" not in s.log()


def test_post_is_not_sent_twice(weir, peer):
    def script(conn):
        conn.answer(ok(b"first"))
        conn.request()
    p = peer(script)
    s = weir(http=group(p.port) % "")
    assert s.get("/").status == 200
    assert s.get("/", method="POST", body=b"pay").status == 502
    assert len(p.requests) == 2


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 99 Low\r\n\r\n",
    b"plain text\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000 + b"\r\n\r\n",
    b"",
])
def test_bad_heads(weir, peer, answer):
    p = peer(lambda conn: conn.answer(answer))
    s = weir(http=group(p.port) % "")
    assert s.get("/").status == 502


def test_head_that_just_fits(weir, peer):
    p = peer(lambda conn: conn.answer(ok(b"ok", b"X: " + b"y" * 4030)))
    s = weir(http=group(p.port) % "")
    assert s.get("/").body == b"ok"


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshortX\r\n0\r\n\r\n",
])
def test_premature_end_is_not_a_whole(weir, peer, answer):
    p = peer(lambda conn: conn.answer(answer))
    s = weir(http=group(p.port) % "")
    data = s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert data.startswith((b"HTTP/1.1 200", b"HTTP/1.1 502")) or not data
    assert not data.endswith(b"0\r\n\r\n")
    if b"Content-Length: 10" in data:
        assert len(data.partition(b"\r\n\r\n")[2]) < 10


def test_bytes_behind_a_response_spoil_the_connection(weir, peer):
    p = peer(forever(ok(b"one") + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nWRONG"))
    s = weir(http=group(p.port) % "")
    for _ in range(4):
        assert s.get("/").body == b"one"
    assert p.connections == 4


def test_bodies_of_all_framings(weir, peer):
    data = os.urandom(300_000)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in
                      (data[i:i + 7777] for i in range(0, len(data), 7777)))

    def script(conn):
        while True:
            head, _ = conn.request()
            if b"/chunked" in head:
                conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
            elif b"/length" in head:
                conn.send(ok(data))
            else:
                conn.send(b"HTTP/1.1 200 OK\r\n\r\n" + data)
                return
    p = peer(script)
    s = weir(http=group(p.port) % "")
    for path in ("/chunked", "/length", "/close"):
        assert s.get(path).body == data, path
    unbuffered = weir(http=group(p.port) % "proxy_buffering off;", folder=another(s))
    for path in ("/chunked", "/length", "/close"):
        assert unbuffered.get(path).body == data, path


def test_fields_of_the_connection_end_here(weir, peer):
    p = peer(forever(ok(b"ok", b"Connection: X-Mine", b"X-Mine: 1", b"Keep-Alive: timeout=5", b"X-Kept: 1")))
    s = weir(http=group(p.port) % "")
    r = s.get("/", headers={"Connection": "close, X-Secret", "X-Secret": "1", "TE": "trailers",
                            "Keep-Alive": "300", "Upgrade": "h2c", "X-Kept": "2"})
    assert r.header("x-mine") is None and r.header("keep-alive") is None and r.header("x-kept") == "1"
    sent = p.requests[0].lower()
    for name in (b"connection", b"x-secret", b"te", b"keep-alive", b"upgrade"):
        assert b"\r\n" + name + b":" not in sent
    assert b"x-kept: 2" in sent


def test_slow_client_frees_the_peer(weir, peer):
    """What the client does not take yet goes to a file; the peer is done long before."""
    data = os.urandom(8 << 20)

    def script(conn):
        conn.request()
        conn.send(ok(data))
        conn.peer.done = time.monotonic()
    p = peer(script)
    s = weir(http=group(p.port) % "")
    with socket.socket() as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect(("127.0.0.1", s.port))
        c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert p.closed.wait(10), "the peer waits for a client that does not read"
        got = b""
        while piece := c.recv(1 << 20):
            got += piece
    body = Response(got).body
    assert len(body) == len(data)
    assert body == data


def test_back_pressure_without_a_file(weir, peer):
    data = os.urandom(16 << 20)
    p = peer(lambda conn: conn.answer(ok(data)))
    s = weir(http=group(p.port) % "proxy_max_temp_file_size 0;")
    with socket.socket() as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect(("127.0.0.1", s.port))
        c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert not p.closed.wait(1)
        got = bytearray()
        while piece := c.recv(1 << 20):
            got += piece
    assert Response(bytes(got)).body == data


def test_client_leaves(weir, peer):
    p = peer(lambda conn: (conn.request(), conn.more()))
    s = weir(http=group(p.port) % "")
    c = s.connect()
    c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    while not p.requests:
        time.sleep(0.01)
    c.close()
    assert p.closed.wait(5)


def test_next_upstream(weir, peer):
    bad = peer(lambda conn: conn.answer(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
    good = peer(forever(ok(b"good")))
    s = weir(http=group(free_port(), bad.port, good.port) % "proxy_next_upstream error http_503; "
             'add_header X-Tries "$upstream_addr|$upstream_status" always;')
    tries = s.get("/").header("x-tries")
    assert tries.endswith("|502, 503, 200"), tries
    for _ in range(10):
        assert s.get("/").body == b"good"


def test_timeouts(weir, peer):
    p = peer(lambda conn: (conn.request(), conn.more()))
    s = weir(http=group(p.port) % "proxy_read_timeout 200ms;")
    assert s.get("/").status == 504
    late = peer(lambda conn: (conn.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nearly"), conn.more()))
    s = weir(http=group(late.port) % "proxy_read_timeout 200ms;", folder=another(s))
    assert s.raw(b"GET / HTTP/1.0\r\n\r\n").endswith(b"early")


def test_request_bodies(weir, peer):
    p = peer(forever(ok(b"ok")))
    s = weir(http=group(p.port) % "client_body_buffer_size 1k;")
    for size in (1, 1000, 100_000, 1_000_000):
        data = os.urandom(size)
        assert s.get("/", method="PUT", body=data).status == 200
        assert p.requests[-1].partition(b"\r\n\r\n")[2] == data
    s.raw(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
          b"3\r\nabc\r\n0\r\n\r\n")
    head, _, body = p.requests[-1].partition(b"\r\n\r\n")
    assert body == b"abc" and b"Content-Length: 3" in head and b"chunked" not in head


def test_uris(weir, peer):
    p = peer(forever(ok(b"ok")))
    s = weir("""
        location / { proxy_pass http://127.0.0.1:%(p)d; }
        location /a/ { proxy_pass http://127.0.0.1:%(p)d/b/; }
        location /exact { proxy_pass http://127.0.0.1:%(p)d/to; }
        location /query { proxy_pass http://127.0.0.1:%(p)d?x=; }
        location /break { rewrite ^/break/(.*) /done/$1 break; proxy_pass http://127.0.0.1:%(p)d/no/; }
        location /var/ { proxy_pass http://127.0.0.1:%(p)d/v$arg_x; }
        location ~ /regex { proxy_pass http://127.0.0.1:%(p)d; }
    """ % {"p": p.port})
    for asked, sent in (("/x%2Fy?q", "/x%2Fy?q"), ("/a/c%20d?q", "/b/c%20d?q"),
                        ("/a/%0d%0aX:y", "/b/%0D%0AX:y"), ("/exact/more", "/to/more"), ("/exact", "/to"),
                        ("/break/z?q", "/done/z?q"), ("/var/y?x=7", "/v7"), ("/regex//z", "/regex//z")):
        s.get(asked)
        line = p.requests[-1].split(b"\r\n")[0].decode()
        assert line.lower() == f"get {sent} http/1.1".lower(), (asked, line)
    assert s.get("/a").header("location") == f"http://localhost:{s.port}/a/"


def test_upgrade(weir, peer):
    def script(conn):
        conn.request()
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello")
        while True:
            conn.buffer = b""
            conn.more()
            conn.send(conn.buffer.upper())
    p = peer(script)
    s = weir(http=group(p.port) % 'proxy_set_header Upgrade $http_upgrade; '
             'proxy_set_header Connection "upgrade";')
    with s.connect() as c:
        c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nfirst")
        got = b""
        while not got.endswith(b"helloFIRST"):
            got += c.recv(65536)
        assert got.startswith(b"HTTP/1.1 101 ") and b"Upgrade: echo" in got
        for text in (b"a" * 10, b"b" * 200_000, b"c"):
            c.sendall(text)
            back = b""
            while len(back) < len(text):
                back += c.recv(65536)
            assert back == text.upper()
    assert p.closed.wait(5)


def test_unknown_name_is_a_warning(weir, peer):
    p = peer(forever(ok(b"ok")))
    s = weir(f"location / {{ proxy_pass http://no-such-host.invalid; }}\n"
             f"location /ok {{ proxy_pass http://127.0.0.1:{p.port}; }}")
    assert s.get("/").status == 502
    assert s.get("/ok").body == b"ok"
    assert 'host not found in upstream "no-such-host.invalid"' in s.texts()
