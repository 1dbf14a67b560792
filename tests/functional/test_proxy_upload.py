"""proxy_request_buffering off: bodies that go on to the peer as they come."""
import os
import socket
import time

import pytest

from conftest import Response
from peers import ok


def start(weir, *peers, more="", location=""):
    servers = "".join(f"server 127.0.0.1:{p.port};" for p in peers)
    return weir(http=f"upstream u {{ {servers} }} server {{ listen 127.0.0.1:@PORT@; "
                     f"proxy_request_buffering off; {more} location / {{ proxy_pass http://u; {location} }} }}")


def until(conn, text):
    while text not in conn.buffer:
        conn.more()


def post(c, fields, body=b""):
    c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n\r\n" + body)


def read_all(c):
    data = b""
    while True:
        piece = c.recv(65536)
        if not piece:
            return data
        data += piece


def test_piece_by_piece_with_a_length(weir, peer):
    seen = []

    def script(conn):
        for text in b"\r\n\r\n", b"one", b"two":
            until(conn, text)
            seen.append(text)
        conn.send(ok(b"good"))
    p = peer(script)
    with start(weir, p).connect() as c:
        post(c, b"Content-Length: 6\r\nConnection: close")
        for i, piece in enumerate((b"one", b"two")):
            while len(seen) < i + 1:           # the head first, then each piece before the next is sent
                time.sleep(0.01)
            c.sendall(piece)
        assert Response(read_all(c)).body == b"good"


def test_chunks_go_on_as_chunks(weir, peer):
    p = peer(lambda conn: (until(conn, b"0\r\n\r\n"), conn.peer.requests.append(conn.buffer), conn.send(ok(b"")))[0])
    with start(weir, p).connect() as c:
        post(c, b"Transfer-Encoding: chunked\r\nConnection: close", b"3\r\none\r\n")
        time.sleep(0.2)
        c.sendall(b"3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")
        assert Response(read_all(c)).status == 200
    head, _, body = p.requests[0].partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head and b"Content-Length" not in head
    assert body == b"3\r\none\r\n8\r\ntwothree\r\n0\r\n\r\n"


def test_what_has_come_at_once_has_a_length(weir, peer):
    p = peer(lambda conn: conn.answer(ok(b"")))
    with start(weir, p).connect() as c:
        post(c, b"Transfer-Encoding: chunked\r\nConnection: close", b"3\r\none\r\n0\r\n\r\n")
        assert Response(read_all(c)).status == 200
    assert b"Content-Length: 3\r\n" in p.requests[0] and p.requests[0].endswith(b"one")


def test_chunks_are_buffered_for_http_1_0(weir, peer):
    p = peer(lambda conn: conn.answer(ok(b"")))
    with start(weir, p, location="proxy_http_version 1.0;").connect() as c:
        post(c, b"Transfer-Encoding: chunked\r\nConnection: close", b"3\r\none\r\n")
        time.sleep(0.2)
        assert not p.connections
        c.sendall(b"3\r\ntwo\r\n0\r\n\r\n")
        assert Response(read_all(c)).status == 200
    assert b"Content-Length: 6\r\n" in p.requests[0]


def test_expect_is_answered(weir, peer):
    p = peer(lambda conn: conn.answer(ok(b"")))
    with start(weir, p).connect() as c:
        post(c, b"Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close")
        assert c.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        c.sendall(b"one")
        assert Response(read_all(c)).status == 200


def test_large_body_arrives_whole(weir, peer):
    body = os.urandom(3 << 20)
    p = peer(lambda conn: conn.answer(ok(b"")))
    s = start(weir, p, more="client_max_body_size 10m;")
    assert s.get("/", method="POST", body=body).status == 200
    assert p.requests[0].endswith(body)
    assert "temporary file" not in s.log()


def test_peer_that_reads_slowly_holds_the_client(weir, peer):
    """What the server takes of a body that nobody reads is bounded."""
    def script(conn):
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        until(conn, b"\r\n\r\n")
        time.sleep(3)
    p = peer(script)
    s = start(weir, p, more="client_max_body_size 0;")
    with s.connect() as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        post(c, b"Content-Length: 1000000000")
        c.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 100_000_000:
                sent += c.send(b"x" * 65536)
        assert sent < 30_000_000               # the sockets' own buffers


def test_too_large(weir, peer):
    p = peer(lambda conn: until(conn, b"never"))
    s = start(weir, p, more="client_max_body_size 10k;")
    with s.connect() as c:
        post(c, b"Content-Length: 20000")
        assert Response(read_all(c)).status == 413
    assert not p.connections
    with s.connect() as c:
        post(c, b"Transfer-Encoding: chunked", b"5\r\nhello\r\n")
        time.sleep(0.1)
        c.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        assert Response(read_all(c)).status == 413
    assert p.closed.wait(5)


def test_bad_chunk_on_the_way(weir, peer):
    p = peer(lambda conn: until(conn, b"never"))
    with start(weir, p).connect() as c:
        post(c, b"Transfer-Encoding: chunked", b"3\r\none\r\n")
        time.sleep(0.1)
        c.sendall(b"zz\r\n")
        assert Response(read_all(c)).status == 400
    assert p.closed.wait(5)


def test_client_that_leaves_frees_the_peer(weir, peer):
    p = peer(lambda conn: until(conn, b"never"))
    with start(weir, p).connect() as c:
        post(c, b"Content-Length: 100", b"some")
        while not p.connections:
            time.sleep(0.01)
    assert p.closed.wait(5)


def test_silent_client_times_out(weir, peer):
    p = peer(lambda conn: until(conn, b"never"))
    s = start(weir, p, more="client_body_timeout 300ms;")
    with s.connect() as c:
        post(c, b"Content-Length: 100", b"some")
        assert read_all(c) == b""
    assert p.closed.wait(5)


def test_peer_answers_early(weir, peer):
    """The answer comes at once, what is left of the body is read away, and the connection stays."""
    def script(conn):
        until(conn, b"\r\n\r\n")
        conn.send(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
    s = start(weir, peer(script))
    with s.connect() as c:
        post(c, b"Content-Length: 10", b"12345")
        assert c.recv(65536).endswith(b"\r\n\r\nno")
        c.sendall(b"67890")
        post(c, b"Content-Length: 1\r\nConnection: close", b"1")
        assert Response(read_all(c)).status == 403


def test_both_at_once(weir, peer):
    """A peer that answers what it has heard, while the client goes on."""
    def script(conn):
        until(conn, b"\r\n\r\n")
        conn.buffer = conn.buffer.partition(b"\r\n\r\n")[2]
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        for piece in b"one", b"two", b"end":
            until(conn, piece)
            conn.send(piece)
    with start(weir, peer(script)).connect() as c:
        post(c, b"Content-Length: 9\r\nConnection: close", b"one")
        data = b""
        for piece, following in (b"one", b"two"), (b"two", b"end"), (b"end", b""):
            while not data.endswith(piece):
                data += c.recv(65536)
            c.sendall(following)
        assert Response(data).body == b"onetwoend"


def test_another_peer_while_all_is_in_memory(weir, peer):
    bad = peer(lambda conn: conn.more())       # takes some, then closes
    good = peer(lambda conn: conn.answer(ok(b"good")))
    s = start(weir, bad, good, location="proxy_next_upstream error non_idempotent;")
    with s.connect() as c:
        post(c, b"Content-Length: 6\r\nConnection: close", b"one")
        while not good.connections:
            time.sleep(0.01)
        c.sendall(b"two")
        assert Response(read_all(c)).body == b"good"
    assert good.requests[0].endswith(b"\r\n\r\nonetwo")


def test_no_other_peer_for_half_a_body(weir, peer):
    def script(conn):
        until(conn, b"two")
    bad, good = peer(script), peer(lambda conn: conn.answer(ok(b"good")))
    s = start(weir, bad, good, location="proxy_next_upstream error non_idempotent;")
    with s.connect() as c:
        post(c, b"Content-Length: 100\r\nConnection: close", b"one")
        time.sleep(0.2)
        c.sendall(b"two")
        assert Response(read_all(c)).status == 502
    assert not good.connections


def test_next_request_of_the_connection(weir, peer):
    def script(conn):
        while True:
            conn.answer(ok(b"good"))
    s = start(weir, peer(script))
    with s.connect() as c:
        for _ in range(3):
            post(c, b"Content-Length: 3", b"o")
            time.sleep(0.05)
            c.sendall(b"ne")
            assert c.recv(65536).endswith(b"\r\n\r\ngood")


def test_set_body_wins(weir, peer):
    p = peer(lambda conn: conn.answer(ok(b"")))
    assert start(weir, p, location="proxy_set_body other;").get("/", method="POST", body=b"mine").status == 200
    assert p.requests[0].endswith(b"\r\n\r\nother")


def test_half_a_body_is_never_passed_on_as_whole(weir, peer):
    """Neither to the page of an error, nor to what that page includes."""
    def refuses(conn):
        until(conn, b"two")
        conn.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        conn.more()
    page = peer(lambda conn: conn.answer(ok(b'<!--#include virtual="/part" --> end', b"Content-Type: text/html")))
    part = peer(lambda conn: conn.answer(ok(b"part")))
    s = start(weir, peer(refuses), more="proxy_intercept_errors on; error_page 404 /page; ssi on; "
              f"location = /page {{ proxy_pass http://127.0.0.1:{page.port}; proxy_method POST; }} "
              f"location = /part {{ proxy_pass http://127.0.0.1:{part.port}; }}")
    with s.connect() as c:
        post(c, b"Content-Length: 9\r\nConnection: close", b"one")
        time.sleep(0.2)
        c.sendall(b"two")
        r = Response(read_all(c))
    assert (r.status, r.body) == (404, b"part end")
    for p in page, part:
        assert b"one" not in p.requests[0] and b"two" not in p.requests[0]
