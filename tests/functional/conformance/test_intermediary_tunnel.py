"""RFC 9110 section 9.3.6, CONNECT: see musts_intermediary.tsv."""
import re

import pytest

from conftest import Response
from peers import Peer


@pytest.fixture
def proxy(weir):
    """proxy(script, directives): a server with tunnel_pass, and what is behind it."""
    peers = []

    def start(script, more="", files=None):
        p = Peer(script)
        peers.append(p)
        return weir(f"tunnel_pass; {more}", files=files), p

    yield start
    for p in peers:
        p.stop()


def connect(server, target, fields=""):
    """The connection, and the head of the answer."""
    c = server.connect()
    c.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{fields}\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        piece = c.recv(65536)
        if not piece:
            break
        data += piece
    return c, data


def everything(conn):
    """A script: all that comes until the end."""
    conn.peer.got = b""
    while piece := conn.sock.recv(65536):
        conn.peer.got += piece


def test_tunnel_delivers_what_is_left(proxy):
    """Each side sends a lot and closes at once: the other gets it all, and the end."""
    data = bytes(range(256)) * 8000
    s, p = proxy(everything)
    c, _ = connect(s, f"127.0.0.1:{p.port}")
    c.sendall(data)
    c.close()
    assert p.closed.wait(10)
    assert p.got == data
    s.stop()
    s, p = proxy(lambda conn: conn.send(data))
    c, got = connect(s, f"127.0.0.1:{p.port}")
    got = got.partition(b"\r\n\r\n")[2]
    while piece := c.recv(65536):
        got += piece
    assert got == data


def test_tunnel_has_no_framing(proxy):
    s, p = proxy(lambda conn: (conn.more(), conn.send(b"0\r\n\r\n" + conn.buffer)))
    c, head = connect(s, f"127.0.0.1:{p.port}")
    r = Response(head)
    assert r.line == "HTTP/1.1 200 OK"
    assert [r.header(n) for n in ("content-length", "transfer-encoding", "content-type", "connection")] == [None] * 4
    c.sendall(b"5\r\nhello")
    got = b""
    while piece := c.recv(65536):
        got += piece
    assert got == b"0\r\n\r\n5\r\nhello"


@pytest.mark.parametrize("target", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", ":80",
                                    ":", "/", "*", "http://127.0.0.1:80", "http://127.0.0.1:80/", "a@127.0.0.1:80",
                                    "127.0.0.1:80/", "127.0.0.1:80?", "127.0.0.1:80#", "[::1:80", "::1:80", "a b:80"])
def test_tunnel_targets(proxy, target):
    s, _ = proxy(everything)
    answer = s.raw(f"CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    assert Response(answer).status == 400 and answer.count(b"HTTP/1.1 ") == 1


def test_tunnel_asks_for_credentials(proxy):
    s, p = proxy(everything, 'auth_basic "the proxy"; auth_basic_user_file users;',
                 files={"users": "me:{PLAIN}secret\n"})
    target = f"127.0.0.1:{p.port}"
    for fields in ("", "Authorization: Basic bWU6c2VjcmV0\r\n", "Proxy-Authorization: Basic bWU6d3Jvbmc=\r\n"):
        _, head = connect(s, target, fields)
        r = Response(head)
        assert r.status == 407 and r.header("proxy-authenticate") == 'Basic realm="the proxy"'
        assert r.header("www-authenticate") is None
    assert p.connections == 0
    _, head = connect(s, target, "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n")
    assert re.match(rb"HTTP/1.1 200 ", head) and b"uthenticate" not in head
