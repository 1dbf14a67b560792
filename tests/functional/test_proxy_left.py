"""Clients that leave: what goes on without them (proxy_store, proxy_ignore_client_abort, post_action), and how
that ends."""
import os
import pathlib
import re
import signal
import socket
import struct
import threading
import time

import pytest

from http2 import Http2, RST_STREAM, CANCEL, u32
from peers import Gone, forever, ok

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n"
BODY = bytes(range(250)) * 120


def waited(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(0.01)
    return True


class Held:
    """A peer that sends its answer piece by piece, the next when it is told to."""

    def __init__(self, peer, *pieces):
        self.pieces, self.more = pieces, threading.Semaphore(0)
        self.peer = peer(self.serve)
        self.port = self.peer.port

    def serve(self, conn):
        conn.request()
        for piece in self.pieces:
            while not self.more.acquire(timeout=0.05):
                self.look(conn)
            conn.send(piece)
        if not self.pieces or b"Content-Length" in self.pieces[0]:
            conn.sock.settimeout(20)
            conn.more()                                # until the server closes

    @staticmethod
    def look(conn):
        try:
            if not conn.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise Gone
        except BlockingIOError:
            pass

    def go(self):
        self.more.release()

    def asked(self):
        assert waited(lambda: self.peer.requests)


def start(weir, port, location="", more="", **options):
    return weir(http=f"upstream u {{ server 127.0.0.1:{port}; }} log_format f '$status $body_bytes_sent'; "
                     f"server {{ listen 127.0.0.1:@PORT@; http2 on; access_log @DIR@/access.log f; {more} "
                     f"location / {{ proxy_pass http://u; root @DIR@/kept; {location} }} }}", **options)


def ask(server, path="/a", method="GET", fields=""):
    c = server.connect()
    c.sendall(f"{method} {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n".encode())
    return c


def see_part(sock):
    """Until the first 1000 bytes of the body have come."""
    while not sock.recv(65536).endswith(BODY[990:1000]):
        pass


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def access_log(server):
    path = server.dir / "access.log"
    return path.read_text().splitlines() if path.exists() else []


def kept(server):
    path = server.dir / "kept/a"
    return path.read_bytes() if path.exists() else None


def temporary(server):
    return [f for f in (server.dir / "proxy_temp").rglob("*") if f.is_file()]


# ---- stored whole ----

@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["close", "reset"])
@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize("head", [HEAD, b"HTTP/1.0 200 OK\r\n\r\n"], ids=["length", "end"])
def test_store_goes_on(weir, peer, leave, buffering, head):
    p = Held(peer, head + BODY[:1000], BODY[1000:2000], BODY[2000:])
    s = start(weir, p.port, f"proxy_store on; proxy_buffering {buffering};")
    c = ask(s)
    p.go()
    data = b""
    while BODY[:1000] not in data:
        data += c.recv(65536)
    leave(c)
    time.sleep(0.1)
    p.go()
    time.sleep(0.1)
    assert kept(s) is None
    p.go()
    assert waited(lambda: kept(s) == BODY), s.log()
    assert waited(lambda: access_log(s))
    assert access_log(s)[0].startswith("200 ")
    assert temporary(s) == []


def test_client_that_leaves_before_the_head(weir, peer):
    p = Held(peer, HEAD + BODY)
    s = start(weir, p.port, "proxy_store on;")
    c = ask(s)
    p.asked()
    c.close()
    time.sleep(0.1)
    p.go()
    assert waited(lambda: kept(s) == BODY), s.log()


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("early", [False, True])
def test_stream_that_is_reset(weir, peer, lost, early):
    p = Held(peer, HEAD + BODY[:1000], BODY[1000:])
    s = start(weir, p.port, "proxy_store on;", more="location /other { return 200 other; }")
    with Http2(s) as c:
        stream = c.headers(c.fields("/a"))
        p.asked()
        if not early:
            p.go()
            while len(c.answers[stream].body) < 1000:
                c.read()
        if lost:
            c.socket.close()
        else:
            c.send(RST_STREAM, stream=stream, payload=u32(CANCEL))
            assert c.get("/other").body == b"other"
        time.sleep(0.1)
        if early:
            p.go()
        p.go()
        assert waited(lambda: kept(s) == BODY), s.log()
        if not lost:
            assert c.get("/other").body == b"other"


def test_part_of_what_is_stored(weir, peer):
    """What the client asked for is one thing, what is stored another."""
    s = start(weir, peer(forever(HEAD + BODY)).port, "proxy_store on; proxy_force_ranges on;")
    r = s.get("/a", headers={"Range": "bytes=5-9"})
    assert (r.status, r.body) == (206, BODY[5:10])
    assert waited(lambda: kept(s) == BODY)


def test_next_request_after_a_part(weir, peer):
    """The connection is as good as before for the one who stayed."""
    s = start(weir, peer(forever(HEAD + BODY)).port, "proxy_store on; proxy_force_ranges on;")
    with s.connect() as c:
        for _ in range(3):
            c.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes=-3\r\n\r\n")
            data = b""
            while not data.endswith(BODY[-3:]):
                data += c.recv(65536)


def test_peer_chosen_anew_without_the_client(weir, peer):
    def dies(conn):
        conn.request()
        time.sleep(0.3)
    bad, good = peer(dies), peer(forever(HEAD + BODY))
    s = weir(http=f"upstream u {{ server 127.0.0.1:{bad.port}; server 127.0.0.1:{good.port} backup; }} server {{ "
                  "listen 127.0.0.1:@PORT@; location / { proxy_pass http://u; root @DIR@/kept; proxy_store on; } }")
    c = ask(s)
    assert waited(lambda: bad.requests)
    c.close()
    assert waited(lambda: kept(s) == BODY), s.log()


def test_slow_client_holds_up_nobody(weir, peer):
    """proxy_max_temp_file_size is not for what is stored: the peer is done long before the client."""
    data = BODY * 300
    p = peer(lambda conn: (conn.request(), conn.send(ok(data))))
    s = start(weir, p.port, "proxy_store on; proxy_max_temp_file_size 0;")
    with socket.socket() as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect(("127.0.0.1", s.port))
        c.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert p.closed.wait(10)
        got = bytearray()
        while piece := c.recv(1 << 20):
            got += piece
    assert got.endswith(data) and kept(s) == data


def test_slow_clients_free_their_peers(weir, peer):
    """All that a peer has said is taken, also where no word of it comes after the client is blocked."""
    done = []
    data = BODY * 250
    p = peer(lambda conn: (conn.request(), conn.send(ok(data)), done.append(conn)))
    s = start(weir, p.port)
    slow = []
    for _ in range(40):
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect(("127.0.0.1", s.port))
        c.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        slow.append(c)
    assert waited(lambda: len(done) == 40, 15), len(done)
    for c in slow:
        c.close()


# ---- and what is not ----

@pytest.mark.parametrize("head", [b"HTTP/1.1 404 No\r\nContent-Length: 30000\r\n\r\n", HEAD], ids=["404", "POST"])
def test_what_is_not_stored_frees_the_peer(weir, peer, head):
    p = Held(peer, head + BODY[:1000])
    s = start(weir, p.port, "proxy_store on;")
    c = ask(s, method="GET" if b"404" in head else "POST", fields="" if b"404" in head else "Content-Length: 0\r\n")
    p.go()
    see_part(c)
    c.close()
    assert p.peer.closed.wait(5)
    assert kept(s) is None


def test_silence_ends_it(weir, peer):
    p = Held(peer, HEAD + BODY[:1000])
    s = start(weir, p.port, "proxy_store on; proxy_read_timeout 300ms;")
    c = ask(s)
    p.go()
    see_part(c)
    c.close()
    assert p.peer.closed.wait(5)
    s.wait_log("upstream timed out")
    assert waited(lambda: access_log(s))
    assert kept(s) is None and temporary(s) == []


def test_peer_that_breaks_off(weir, peer):
    p = peer(lambda conn: (conn.request(), conn.send(HEAD + BODY[:1000]), time.sleep(0.3)))
    s = start(weir, p.port, "proxy_store on;")
    c = ask(s)
    see_part(c)
    c.close()
    s.wait_log("upstream prematurely closed connection")
    assert waited(lambda: access_log(s))
    assert kept(s) is None and temporary(s) == []


def test_store_that_fails_frees_the_peer(weir, peer):
    """Nobody wants the response any more once its file is given up."""
    p = Held(peer, HEAD + BODY[:1000], BODY[1000:2000])
    s = start(weir, p.port, "proxy_store on; proxy_temp_path @DIR@/no/such;")
    s.allow("such")
    c = ask(s)
    p.go()
    see_part(c)
    c.close()
    assert p.peer.closed.wait(5)


# ---- bounds ----

def memory(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) << 10


@pytest.mark.skipif("asan" in os.environ.get("WEIR", "") or "sanitize" in os.environ.get("WEIR", ""),
                    reason="sanitizers have memory of their own")
def test_memory_is_bounded(weir, peer):
    size, piece = 200 << 20, os.urandom(1 << 20)

    def script(conn):
        conn.request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 20):
            conn.send(piece)
        conn.more()
    s = start(weir, peer(script).port, "proxy_store on;")
    before = memory(s)
    c = ask(s)
    c.recv(1000)
    c.close()
    most = 0

    def stored():
        nonlocal most
        most = max(most, memory(s))
        return (s.dir / "kept/a").exists()
    assert waited(stored, 30)
    assert (s.dir / "kept/a").stat().st_size == size
    assert most - before < 4 << 20, most - before


def test_quit_waits_for_it(weir, peer):
    p = Held(peer, HEAD + BODY[:1000], BODY[1000:])
    s = start(weir, p.port, "proxy_store on;", master="on")
    c = ask(s)
    p.go()
    c.recv(100)
    c.close()
    time.sleep(0.1)
    s.process.send_signal(signal.SIGQUIT)
    time.sleep(0.3)
    assert s.process.poll() is None
    p.go()
    assert s.process.wait(10) == 0
    assert kept(s) == BODY


def test_shutdown_timeout_bounds_it(weir, peer):
    p = Held(peer, HEAD + BODY[:1000])
    s = start(weir, p.port, "proxy_store on;", master="on", main="worker_shutdown_timeout 500ms;")
    c = ask(s)
    p.go()
    c.recv(100)
    c.close()
    time.sleep(0.1)
    s.process.send_signal(signal.SIGQUIT)
    assert s.process.wait(10) == 0
    assert kept(s) is None and temporary(s) == []


def test_reload_leaves_it_be(weir, peer):
    p = Held(peer, HEAD + BODY[:1000], BODY[1000:])
    s = start(weir, p.port, "proxy_store on;", master="on")
    c = ask(s)
    p.go()
    c.recv(100)
    c.close()
    s.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    p.go()
    assert waited(lambda: kept(s) == BODY), s.log()


# ---- proxy_ignore_client_abort ----

@pytest.mark.parametrize("ignore", ["on", "off"])
def test_ignore_client_abort(weir, peer, ignore):
    p = Held(peer, HEAD + BODY)
    s = start(weir, p.port, f"proxy_ignore_client_abort {ignore};")
    c = ask(s)
    p.asked()
    c.close()
    assert p.peer.closed.wait(0.5) == (ignore == "off")
    p.go()
    assert waited(lambda: access_log(s))
    assert access_log(s)[0].split()[0] == ("499" if ignore == "off" else "200")
    assert p.peer.closed.wait(5) or ignore == "on"


def test_ignore_client_abort_of_a_stream(weir, peer):
    p = Held(peer, HEAD + BODY)
    s = start(weir, p.port, "proxy_ignore_client_abort on;")
    with Http2(s) as c:
        stream = c.headers(c.fields("/a"))
        p.asked()
        c.send(RST_STREAM, stream=stream, payload=u32(CANCEL))
        assert not p.peer.closed.wait(0.5)
        p.go()
        assert waited(lambda: access_log(s))


def test_half_closed_client_gets_its_answer(weir, peer):
    p = Held(peer, HEAD + BODY)
    s = start(weir, p.port, "proxy_ignore_client_abort on;")
    c = ask(s, fields="Connection: close\r\n")
    p.asked()
    c.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    p.go()
    data = b""
    while piece := c.recv(65536):
        data += piece
    assert data.endswith(BODY)


def test_ignore_while_peers_are_tried(weir, peer):
    """Connect, silence, another peer: all without the client."""
    silent, good = Held(peer), peer(forever(ok(b"good")))
    s = weir(http=f"upstream u {{ server 127.0.0.1:{silent.port}; server 127.0.0.1:{good.port} backup; }} server {{ "
                  "listen 127.0.0.1:@PORT@; location / { proxy_pass http://u; proxy_read_timeout 500ms; "
                  "proxy_ignore_client_abort on; } }")
    c = ask(s)
    silent.asked()
    c.close()
    assert waited(lambda: good.requests)


# ---- post_action ----

POST_ACTION = """post_action @after; } location @after { proxy_pass http://v; proxy_set_header X-Status $status; }
    location /other { return 200 other;"""


def after(weir, peer, p, more="", **options):
    """With where post_action goes to."""
    v = peer(forever(ok(b"counted")))
    s = weir(http=f"upstream u {{ server 127.0.0.1:{p.port}; }} upstream v {{ server 127.0.0.1:{v.port}; }} "
                  "log_format f '$status $body_bytes_sent'; server { listen 127.0.0.1:@PORT@; http2 on; "
                  f"access_log @DIR@/access.log f; root @DIR@/kept; location / {{ proxy_pass http://u; {more} "
                  f"{POST_ACTION} }} }}", **options)
    return s, v


@pytest.mark.parametrize("sending", [False, True])
def test_post_action_of_who_has_left(weir, peer, sending):
    p = Held(peer, HEAD + BODY[:1000])
    s, v = after(weir, peer, p)
    c = ask(s)
    p.asked()
    if sending:
        p.go()
        see_part(c)
    c.close()
    assert p.peer.closed.wait(5)
    assert waited(lambda: v.requests), s.log()
    assert waited(lambda: access_log(s))
    time.sleep(0.1)
    assert len(v.requests) == 1 and access_log(s)[0].startswith("200 " if sending else "499 ")


def test_post_action_of_a_stream(weir, peer):
    p = Held(peer, HEAD + BODY[:1000])
    s, v = after(weir, peer, p)
    with Http2(s) as c:
        stream = c.headers(c.fields("/a"))
        p.asked()
        c.send(RST_STREAM, stream=stream, payload=u32(CANCEL))
        assert waited(lambda: v.requests), s.log()
        assert c.get("/other").body == b"other"
    assert p.peer.closed.wait(5)


def test_post_action_behind_what_is_stored(weir, peer):
    p = Held(peer, HEAD + BODY[:1000], BODY[1000:])
    s, v = after(weir, peer, p, "proxy_store on;")
    c = ask(s)
    p.go()
    c.recv(100)
    c.close()
    time.sleep(0.2)
    p.go()
    assert waited(lambda: kept(s) == BODY), s.log()
    assert waited(lambda: v.requests), s.log()


def test_broken_body_is_not_held_open(weir, peer):
    """The client sees the end of what is broken at once, not when post_action's is done."""
    p = peer(lambda conn: (conn.request(), conn.send(HEAD + BODY[:1000])))
    v = Held(peer, ok(b"counted"))
    s = weir(http=f"upstream u {{ server 127.0.0.1:{p.port}; }} upstream v {{ server 127.0.0.1:{v.port}; }} "
                  "server { listen 127.0.0.1:@PORT@; http2 on; location / { proxy_pass http://u; "
                  f"{POST_ACTION} }} }}")
    c = ask(s)
    c.settimeout(5)
    data = b""
    while piece := c.recv(65536):
        data += piece
    assert data.endswith(BODY[990:1000])
    v.asked()
    with Http2(s) as h:
        answer = h.answers[h.headers(h.fields("/b"))]
        while answer.code is None:
            h.read()
        assert not answer.ended
    v.go()


def test_post_action_of_a_client_that_reads_nothing(weir, peer):
    p = peer(forever(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20) + bytes(64 << 20)))
    s, v = after(weir, peer, p, "send_timeout 300ms; proxy_max_temp_file_size 0;")
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.connect(("127.0.0.1", s.port))
    c.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    assert waited(lambda: v.requests), s.log()
    c.close()


def test_no_post_action_without_an_answer(weir, peer):
    s, v = after(weir, peer, peer(forever(ok(b""))), "return 444;")
    ask(s).recv(100)
    time.sleep(0.3)
    assert not v.requests


def test_mirror_outlives_a_whole_response(weir, peer):
    m = Held(peer, ok(b"mirrored"))
    p = peer(forever(ok(b"good")))
    s = weir(http=f"server {{ listen 127.0.0.1:@PORT@; location / {{ proxy_pass http://127.0.0.1:{p.port}; "
                  f"mirror /m; }} location /m {{ internal; proxy_pass http://127.0.0.1:{m.port}; }} }}")
    c = ask(s)
    while not c.recv(1000).endswith(b"good"):
        pass
    m.asked()
    c.close()
    assert not m.peer.closed.wait(0.5)
    m.go()
