"""Idle connections to peers: which are kept, for whom, and how long."""
import signal
import threading
import time

import pytest

from peers import Peer, forever, ok


@pytest.fixture(name="peer")
def peer_fixture():
    made = []

    def start(script=None):
        made.append(Peer(script or forever(ok(b"ok"))))
        return made[-1]

    yield start
    for p in made:
        p.stop()


def group(p, more=""):
    return (f"upstream u {{ server 127.0.0.1:{p.port}; {more} }}\n"
            "server { listen 127.0.0.1:@PORT@;\n"
            "location /a { proxy_pass http://u; } location /b { proxy_pass http://u; } }")


def ask(server, *paths):
    for path in paths:
        assert server.get(path).status == 200


def test_implied_groups_keep_none(weir, peer):
    p = peer()
    s = weir(f"location / {{ proxy_pass http://127.0.0.1:{p.port}; }}")
    ask(s, *["/"] * 5)
    assert p.connections == 5


@pytest.mark.parametrize("line,connections", [
    ("", 2),                                   # 32 local
    ("keepalive 4 local;", 2),
    ("keepalive 4;", 1),
    ("keepalive 0;", 6),
])
def test_whose_they_are(weir, peer, line, connections):
    p = peer()
    s = weir(http=group(p, line))
    ask(s, *["/a", "/b"] * 3)
    assert p.connections == connections


def test_requests(weir, peer):
    p = peer()
    s = weir(http=group(p, "keepalive 4; keepalive_requests 3;"))
    ask(s, *["/a"] * 7)
    assert p.connections == 3


def test_timeout(weir, peer):
    p = peer()
    s = weir(http=group(p, "keepalive 4; keepalive_timeout 300ms;"))
    ask(s, "/a", "/a")
    assert p.connections == 1
    assert p.closed.wait(2), "the idle connection stays open"
    ask(s, "/a")
    assert p.connections == 2


def test_time(weir, peer):
    """The use that ends beyond it is the last one."""
    p = peer()
    s = weir(http=group(p, "keepalive 4; keepalive_time 300ms;"))
    ask(s, "/a", "/a")
    time.sleep(0.4)
    ask(s, "/a")
    assert p.connections == 1
    ask(s, "/a")
    assert p.connections == 2


def test_no_more_than_said(weir, peer):
    """Four at once, two stay."""
    gate = threading.Barrier(4, timeout=10)

    def script(conn):
        conn.request()
        gate.wait()
        conn.send(ok(b"ok"))
        while True:
            conn.answer(ok(b"ok"))
    p = peer(script)
    s = weir(http=group(p, "keepalive 2;"))
    threads = [threading.Thread(target=ask, args=(s, "/a")) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert p.connections == 4
    assert p.closed.wait(5)
    ask(s, *["/a"] * 4)
    assert p.connections == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_peer_that_closes_an_idle_one(weir, peer, method):
    """What it closed before the request came costs nothing, whatever is asked."""
    p = peer(lambda conn: conn.answer(ok(b"ok")))
    s = weir(http=group(p, "keepalive 4;") + "log_format x '';")
    for _ in range(4):
        r = s.get("/a", method=method, body=b"pay" if method == "POST" else b"")
        assert r.status == 200
        time.sleep(0.1)
    assert p.connections == len(p.requests) == 4
    assert "[error]" not in s.log()


def test_a_retry_over_a_fresh_one_is_no_failure(weir, peer):
    """It closes as the request comes: neither the client nor max_fails gets to know."""
    answered = []

    def script(conn):
        conn.answer(ok(b"ok"))
        conn.request()
        answered.append(conn.number)
    p = peer(script)
    other = peer(forever(ok(b"other")))
    s = weir(http=group(p, f"server 127.0.0.1:{other.port} backup; keepalive 4;"))
    for _ in range(6):
        assert s.get("/a").body == b"ok"
    assert answered and not other.requests


def test_kept_over_a_reload(weir, peer):
    p = peer()
    s = weir(http=group(p, "keepalive 4;"), master="on", main="worker_processes 1;")
    ask(s, "/a", "/a")
    s.process.send_signal(signal.SIGHUP)
    time.sleep(0.7)
    ask(s, "/a", "/a")
    assert p.connections == 1
