"""Every time limit of a client's connection, and the pace of responses."""
import socket
import time

import pytest

from http1 import Connection, elapsed

HOST = "Host: localhost\r\n"
FILES = {"html/a.txt": "A", "html/big.bin": b"\0" * (32 << 20), "html/some.bin": b"s" * 40000}


def conf(weir, text, buffer=""):
    return weir(http=f"server {{ listen 127.0.0.1:@PORT@ {buffer}; root html;\n"
                     f"location = /b {{ return 200 bee; }}\n{text}\n}}",
                main="error_log error.log info;", files=FILES)


# Of megabytes in the kernel's hands the last ones may take a client minutes: a window that is smaller
# than loopback's segments opens by timer.
SMALL = "sndbuf=64k"


def stuck(server, path="/big.bin"):
    """A client that asks for more than sockets hold, and takes nothing."""
    return Connection(server).send(f"GET {path} HTTP/1.1\r\n{HOST}\r\n")


def test_nothing_sent(weir):
    s = conf(weir, "client_header_timeout 300ms;")
    start = time.monotonic()
    with Connection(s) as c:
        assert c.closed()
    assert 0.25 < time.monotonic() - start < 8


def test_head_unfinished(weir):
    s = weir(http="log_format f '$status'; access_log access.log f; client_header_timeout 300ms;"
                  "server { listen 127.0.0.1:@PORT@; }", main="error_log error.log info;")
    start = time.monotonic()
    with Connection(s) as c:
        c.send("GET / HTTP/1.1\r\n")
        assert c.closed()
    assert 0.25 < time.monotonic() - start < 8
    s.wait_log("client timed out while sending a request's head")
    assert (s.dir / "access.log").read_text() == "408\n"


def test_head_in_drops(weir):
    """The whole head is bounded, not the pause between its bytes."""
    s = conf(weir, "client_header_timeout 500ms;")
    with Connection(s) as c:
        start = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(400):
                c.send("X")
                time.sleep(0.05)
        assert time.monotonic() - start < 10


def test_head_timeout_does_not_count_for_the_request(weir):
    s = conf(weir, "client_header_timeout 300ms; location = /some.bin { limit_rate 20k; }")
    assert len(s.get("/some.bin").body) == 40000


def test_keepalive_timeout(weir):
    s = conf(weir, "keepalive_timeout 300ms;")
    start = time.monotonic()
    with Connection(s) as c:
        response = c.get("/a.txt")
        assert response.header("connection") == "keep-alive" and not response.header("keep-alive")
        assert c.closed()
    assert 0.25 < time.monotonic() - start < 8


def test_keepalive_timeout_header(weir):
    s = conf(weir, "keepalive_timeout 65s 30s;")
    with Connection(s) as c:
        assert c.get("/a.txt").header("keep-alive") == "timeout=30"


def test_keepalive_timeout_zero(weir):
    s = conf(weir, "keepalive_timeout 0;")
    with Connection(s) as c:
        assert c.get("/a.txt").header("connection") == "close"
        assert c.closed()


def test_keepalive_requests(weir):
    s = conf(weir, "keepalive_requests 3;")
    with Connection(s) as c:
        assert [c.get("/a.txt").header("connection") for _ in range(3)] == [
            "keep-alive", "keep-alive", "close"]
        assert c.closed()


def test_keepalive_time(weir):
    s = conf(weir, "keepalive_time 1s;")
    with Connection(s) as c:
        assert c.get("/a.txt").header("connection") == "keep-alive"
        time.sleep(1.1)
        assert c.get("/a.txt").header("connection") == "close"


def test_keepalive_min_timeout(weir):
    s = conf(weir, "keepalive_min_timeout 1500ms;")
    with Connection(s) as c, Connection(s) as d:
        c.get("/a.txt")
        d.get("/a.txt")
        s.process.send_signal(3)               # SIGQUIT
        time.sleep(0.2)
        response = d.get("/a.txt")
        assert (response.body, response.header("connection")) == (b"A", "close")
        assert 0.1 < elapsed(lambda: c.closed()) < 8


def test_idle_ones_make_room(weir):
    s = weir("keepalive_timeout 60s; location / { return 200 x; }",
             main="worker_rlimit_nofile 1024;", events="worker_connections 32;")
    s.allow("worker_connections are not enough")
    clients = [Connection(s) for _ in range(16)]
    for c in clients:
        c.get()
    for _ in range(100):
        with Connection(s) as c:
            assert c.get().body == b"x"
    more = [Connection(s) for _ in range(40)]
    for c in more[-4:]:
        assert c.get().body == b"x"


def test_send_timeout(weir):
    s = conf(weir, "send_timeout 300ms;", SMALL)
    with stuck(s) as c:
        s.wait_log("client timed out while the response was sent")
        assert not c.reset()


def test_send_timeout_is_not_put_off_by_sending(weir):
    s = conf(weir, "send_timeout 500ms; client_max_body_size 0;", SMALL)
    with stuck(s) as c:
        start = time.monotonic()
        with pytest.raises(OSError):
            for _ in range(200):
                time.sleep(0.05)
                c.send("GET /a.txt HTTP/1.1\r\n")
        assert time.monotonic() - start < 8
    s.wait_log("client timed out while the response was sent")


def test_send_timeout_counts_from_the_last_byte_taken(weir):
    s = conf(weir, "send_timeout 1500ms; limit_rate 8m;")
    with Connection(s, 20) as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.send(f"GET /big.bin HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
        total = 0
        while True:
            piece = c.socket.recv(1 << 20)
            if not piece:
                break
            total += len(piece)
            time.sleep(0.002)
    assert total > 32 << 20


@pytest.mark.parametrize("on, end", [("on", "reset"), ("off", "closed")])
def test_reset_timedout_connection(weir, on, end):
    s = conf(weir, f"send_timeout 300ms; client_header_timeout 300ms; reset_timedout_connection {on};"
                   "keepalive_timeout 300ms; location = /444 { return 444; }", SMALL)
    with stuck(s) as c:
        s.wait_log("client timed out while the response was sent")
        assert c.reset() == (on == "on")
    with Connection(s) as c:
        c.send("GET /")
        assert getattr(c, end)()
    with Connection(s) as c:
        c.send(f"GET /444 HTTP/1.1\r\n{HOST}\r\n")
        assert getattr(c, end)()
    with Connection(s) as c:                   # idle ones are closed in peace
        c.get("/a.txt")
        assert c.closed()


def test_lingering_timeout_after_the_response(weir):
    """The rest of a body is awaited so long, and then the connection is closed."""
    s = conf(weir, "lingering_timeout 300ms;")
    with Connection(s) as c:
        start = time.monotonic()
        c.send(f"POST /b HTTP/1.1\r\n{HOST}Content-Length: 1000\r\n\r\nxxx")
        assert c.read().body == b"bee"
        assert c.closed()
        assert 0.25 < time.monotonic() - start < 4


def test_lingering_time_after_the_response(weir):
    s = conf(weir, "lingering_timeout 20s; lingering_time 500ms;")
    with Connection(s) as c:
        start = time.monotonic()
        c.send(f"POST /b HTTP/1.1\r\n{HOST}Content-Length: 1000\r\n\r\n")
        assert c.read().body == b"bee"
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(400):
                c.send("x")
                time.sleep(0.05)
        assert 0.4 < time.monotonic() - start < 10


@pytest.mark.parametrize("times", ["lingering_timeout 300ms; lingering_time 20s;",
                                   "lingering_timeout 20s; lingering_time 300ms;"])
def test_lingering_close_ends(weir, times):
    """The server has shut its side; a client that neither sends nor closes is dropped in time."""
    s = conf(weir, times)
    with Connection(s) as c:
        start = time.monotonic()
        c.send("GET / HTTP/1.1\r\nbad\r\n\r\n")
        assert b" 400 " in c.rest()
        while time.monotonic() - start < 15:
            try:
                c.send("x")
                c.socket.send(b"x")
            except OSError:
                break
            time.sleep(0.6)
        assert 0.2 < time.monotonic() - start < 10


def test_lingering_close_always(weir):
    s = conf(weir, "lingering_close always; lingering_timeout 1s;")
    with Connection(s) as c:
        c.get("/a.txt", "Connection: close\r\n")
        assert c.closed()
        c.send("x")                            # is read away: no reset
        time.sleep(0.1)
        c.send("y")


# ---- pace ----

def test_limit_rate(weir):
    s = conf(weir, "location = /some.bin { limit_rate 16k; }")     # 1.4 s
    assert 0.6 < elapsed(lambda: s.get("/some.bin")) < 10


def test_limit_rate_after(weir):
    s = conf(weir, "location = /some.bin { limit_rate 1k; limit_rate_after 100k; }")
    assert elapsed(lambda: s.get("/some.bin")) < 5


def test_limit_rate_of_a_variable(weir):
    s = conf(weir, "location = /some.bin { limit_rate $arg_rate; }")
    assert elapsed(lambda: s.get("/some.bin")) < 5
    assert 0.6 < elapsed(lambda: s.get("/some.bin?rate=16k")) < 10


def test_limit_rate_keeps_the_connection(weir):
    s = conf(weir, "location = /some.bin { limit_rate 30k; }")
    with Connection(s) as c:
        for _ in range(2):
            assert c.get("/some.bin").body == FILES["html/some.bin"]
