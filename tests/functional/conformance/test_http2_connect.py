"""CONNECT over HTTP/2: RFC 9113 section 8.5, and with :protocol RFC 8441.  See musts_http2.tsv."""
import base64
import hashlib
import socket
import struct
import time

import pytest

from h2_streams import Client, echo, open_tunnel, proxy, reset, waited
from http2 import (CANCEL, CONNECT_ERROR, DATA, END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, RST_STREAM, SETTINGS,
                   Http2, settings)

ENABLE_CONNECT_PROTOCOL = 8
BIG = bytes(range(256)) * 20000        # 5 MB


# ---- RFC 9113 section 8.5 ----

def test_end_of_the_client(weir, peer):
    got = []

    def script(conn):
        data = b""
        while piece := conn.sock.recv(65536):
            data += piece
        got.append(data)
        conn.send(b"still here")
        time.sleep(0.3)
        conn.send(b", bye")
    p = peer(script)
    s = proxy(weir)
    with Client(s.connect()) as c:
        t = open_tunnel(c, p)
        t.send(BIG)
        t.end()
        assert t.read_all() == b"still here, bye"
        assert t.ended and t.code is None
    assert got == [BIG]


def test_end_of_the_peer(weir, peer):
    got = []

    def script(conn):
        conn.send(BIG)
        conn.sock.shutdown(socket.SHUT_WR)
        data = b""
        while piece := conn.sock.recv(65536):
            data += piece
        got.append(data)
    p = peer(script)
    s = proxy(weir)
    with Client(s.connect()) as c:
        t = open_tunnel(c, p)
        assert t.read_all() == BIG and t.ended and t.code is None
        t.send(BIG)
        time.sleep(0.3)
        t.send(b"end")
        t.end()
        assert waited(lambda: got)
        assert got == [BIG + b"end"]
        c.step(0.3)
        assert t.code is None


def test_tunnel_reset_by_the_client(weir, peer):
    ends = []

    def script(conn):
        try:
            while conn.sock.recv(65536):
                pass
            ends.append("end")
        except ConnectionResetError:
            ends.append("reset")
    p = peer(script)
    s = proxy(weir)
    with Client(s.connect()) as c:
        t = open_tunnel(c, p)
        t.send(b"x")
        t.reset()
        assert waited(lambda: ends) and ends == ["reset"]
        open_tunnel(c, p)
    assert waited(lambda: len(ends) == 2) and ends == ["reset", "reset"]      # with its connection


def test_tunnel_reset_by_the_peer(weir, peer):
    def script(conn):
        assert conn.sock.recv(1) == b"x"
        reset(conn.sock)
    p = peer(script)
    s = proxy(weir)
    with Client(s.connect()) as c:
        t = open_tunnel(c, p)
        t.send(b"x")
        c.until(lambda: t.over)
        assert t.code == CONNECT_ERROR and not t.ended
        assert open_tunnel(c, p).code is None


@pytest.mark.parametrize("fields, status", [
    ([(":method", "CONNECT"), (":authority", "@")], 200),
    ([(":method", "CONNECT"), (":authority", "@"), ("host", "@")], 200),
    ([(":method", "CONNECT"), (":authority", "@"), ("host", "other:80")], 400),
    ([(":method", "CONNECT"), ("host", "@")], 400),
    ([(":method", "CONNECT"), (":authority", "")], 400),
    ([(":method", "CONNECT"), (":authority", "127.0.0.1")], 400),
    ([(":method", "CONNECT"), (":authority", "127.0.0.1:0")], 400),
    ([(":method", "CONNECT"), (":authority", "127.0.0.1:99999")], 400),
    ([(":method", "CONNECT"), (":authority", "me@127.0.0.1:80")], 400),
    ([(":method", "CONNECT"), (":authority", "@"), (":scheme", "http")], 405),
    ([(":method", "CONNECT"), (":authority", "@"), (":path", "/")], 405),
    ([(":method", "CONNECT"), (":authority", "@"), (":path", "")], 405),
    ([(":method", "CONNECT"), (":authority", "@"), ("content-length", "3")], 400),
    ([(":method", "CONNECT"), (":authority", "@"), ("content-length", "0")], 400),
])
def test_heads_of_connect(weir, peer, fields, status):
    p = peer(echo)
    s = proxy(weir)
    target = f"127.0.0.1:{p.port}"
    with Http2(s) as c:
        stream = c.headers([(n, target if v == "@" else v) for n, v in fields], end=False)
        c.expect(HEADERS, stream)
        assert c.answers[stream].status == status
        assert c.alive()
    if status == 200:
        assert waited(lambda: p.connections == 1)
    else:
        assert p.connections == 0


def test_frames_on_a_tunnel(weir, peer):
    """Section 8.5: anything but DATA and what is about the stream is an error of the stream."""
    p = peer(echo)
    s = proxy(weir)
    with Http2(s) as c:
        stream = c.headers([(":method", "CONNECT"), (":authority", f"127.0.0.1:{p.port}")], end=False)
        c.expect(HEADERS, stream)
        c.send(DATA, 0, stream, b"hello")
        c.expect(DATA, stream)
        c.send(HEADERS, END_HEADERS | END_STREAM, stream, c.encode([("x-a", "b")]))
        assert int.from_bytes(c.expect(RST_STREAM, stream).payload, "big") == PROTOCOL_ERROR
        assert c.alive()
    assert p.closed.wait(5)


# ---- RFC 8441 ----

EXTENDED = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/chat"),
            (":authority", "localhost:81")]


def gateway(weir, port):
    return weir(http=f"""http2 on; server {{ listen 127.0.0.1:@PORT@; location / {{
        proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }} }}""")


def test_setting_is_announced(weir):
    with Http2(weir("http2 on;")) as c:
        assert c.server_settings[ENABLE_CONNECT_PROTOCOL] == 1
        for value in (0, 1):                   # what a client says of it means nothing
            c.send(SETTINGS, payload=settings({ENABLE_CONNECT_PROTOCOL: value}))
            assert c.alive()
        assert c.server_settings[ENABLE_CONNECT_PROTOCOL] == 1


@pytest.mark.parametrize("fields", [
    [f for f in EXTENDED if f[0] != ":scheme"],
    [f for f in EXTENDED if f[0] != ":path"],
    [f for f in EXTENDED if f[0] != ":authority"],
    [(n, "" if n == ":path" else v) for n, v in EXTENDED],
    [(n, "chat" if n == ":path" else v) for n, v in EXTENDED],
    [(n, "GET" if n == ":method" else v) for n, v in EXTENDED],
    [(n, "" if n == ":method" else v) for n, v in EXTENDED],
    [*EXTENDED, (":protocol", "websocket")],
    [*EXTENDED, ("host", "other")],
    [*EXTENDED, ("upgrade", "websocket")],
    [*EXTENDED, ("connection", "upgrade")],
    [*EXTENDED, ("content-length", "5")],
    [EXTENDED[0], *EXTENDED[2:], ("x-a", "b"), EXTENDED[1]],
])
def test_heads_of_extended_connect(weir, peer, fields):
    p = peer(echo)
    with Http2(gateway(weir, p.port)) as c:
        stream = c.headers(fields, end=False)
        c.expect(HEADERS, stream)
        assert c.answers[stream].status == 400
        assert c.alive()
    assert not p.connections


def test_protocol_in_trailers(weir, peer):
    p = peer(echo)
    with Http2(gateway(weir, p.port)) as c:
        stream = c.headers(c.fields(method="POST"), end=False)
        c.headers([(":protocol", "websocket")], stream=stream)
        assert c.answer(stream).code == PROTOCOL_ERROR
        assert c.alive()
    assert not p.connections


def test_extended_connect_is_no_proxy(weir, peer):
    """The authority is whom the request is for, not where a tunnel leads."""
    p = peer(echo)
    s = proxy(weir)
    with Client(s.connect()) as c:
        assert c.open("/", "websocket", authority=f"127.0.0.1:{p.port}").answer() == 405
        assert not p.connections
        assert open_tunnel(c, p)


def test_unknown_protocol(weir, peer):
    p = peer(echo)
    with Client(gateway(weir, p.port).connect()) as c:
        assert c.open("/", "connect-ip").answer() == 501
    assert not p.connections


def websocket(conn):
    """A 101 to what asked for it; then what comes goes back, and an end is answered by one."""
    head, _ = conn.request()
    fields = {n.lower(): v for n, v in (line.split(b": ", 1) for line in head.split(b"\r\n")[1:])}
    assert fields[b"upgrade"] == b"websocket" and fields[b"host"] == b"localhost:81"
    conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Accept: " + proof_of(fields[b"sec-websocket-key"]) + b"\r\n\r\n")
    try:
        echo(conn)
        conn.peer.ends = "end"
    except ConnectionResetError:
        conn.peer.ends = "reset"


def proof_of(key):
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def open_websocket(client):
    s = client.open("/chat", "websocket", authority="localhost:81")
    assert s.answer() == 200
    return s


def test_websocket(weir, peer):
    """The stream is the connection of the WebSocket; nothing of keys is seen."""
    p = peer(websocket)
    with Client(gateway(weir, p.port).connect()) as c:
        s = open_websocket(c)
        assert not {"upgrade", "connection", "sec-websocket-accept"} & set(s.fields)
        s.send(BIG[:40000])
        assert s.read(40000) == BIG[:40000]
        s.end()
        assert s.read_all() == b"" and s.ended and s.code is None
        assert p.ends == "end"


def test_websocket_resets(weir, peer):
    p = peer(websocket)
    with Client(gateway(weir, p.port).connect()) as c:
        s = open_websocket(c)
        s.reset()
        assert waited(lambda: hasattr(p, "ends")) and p.ends == "reset"
        s = open_websocket(c)
        reset_all(p)
        s.send(b"x")
        c.until(lambda: s.over)
        assert s.code == CANCEL


def reset_all(peer):
    for sock in peer.open:
        if sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.shutdown(socket.SHUT_RD)      # wakes who reads: the socket is closed
