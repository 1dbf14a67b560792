"""Which peer of a group is asked: balancers, sticky, queue, slow start, peers that die."""
import concurrent.futures
import hashlib
import re
import subprocess
import threading
import time
import zlib

import pytest

from conftest import BINARY, Response, free_port
from peers import Peer, forever, ok


@pytest.fixture
def peers():
    made = []

    def start(*scripts):
        made.extend(Peer(script) for script in scripts)
        return made[-len(scripts):]

    yield start
    for p in made:
        p.stop()


@pytest.fixture
def named(peers):
    """Back ends that answer with a letter each: a, b, c..."""
    def start(count, *fields):
        return peers(*(forever(ok(bytes([ord("a") + i]), *fields)) for i in range(count)))
    return start


def held(name):
    """Answers a path with "hold" in it when it is let go."""
    def script(conn):
        while True:
            head, _ = conn.request()
            if b"hold" in head.split(b"\r\n")[0]:
                conn.peer.go.wait(20)
            conn.send(ok(name))
    return script


@pytest.fixture
def holding(peers):
    def start(count):
        made = peers(*(held(bytes([ord("a") + i])) for i in range(count)))
        for p in made:
            p.go = threading.Event()
        return made
    return start


def conf(servers, more="", location="", http=""):
    lines = "".join(f"server {s};\n" for s in servers)
    return (f"{http} upstream u {{ {more}\n {lines} }}\n"
            "server { listen 127.0.0.1:@PORT@; set_real_ip_from 127.0.0.1;\n"
            f"location / {{ proxy_pass http://u; add_header X-Addr $upstream_addr always; {location} }} }}")


def at(peer, parameters=""):
    return f"127.0.0.1:{peer if isinstance(peer, int) else peer.port} {parameters}"


def names(server, count, path="/", **more):
    return "".join(server.get(path, **more).body.decode() for _ in range(count))


def begin(server, path="/hold"):
    c = server.connect()
    c.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    return c


def end(c):
    data = b""
    with c:
        while piece := c.recv(65536):
            data += piece
    return Response(data)


def until(condition, seconds=10):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_conf(tmp_path, text, code=1):
    """Not a test: what weir -t says of a configuration."""
    (tmp_path / "t.conf").write_text(text)
    done = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", "t.conf", "-e", "error.log"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


test_conf.__test__ = False


# ---- turns and weights ----

def test_weights(weir, named):
    a, b, c = named(3)
    s = weir(http=conf([at(a, "weight=5"), at(b), at(c)]))
    assert names(s, 14) == "aabacaaaabacaa"


def test_least_conn(weir, holding):
    a, b = holding(2)
    s = weir(http=conf([at(a), at(b, "weight=2")], "least_conn;"))
    busy = [begin(s) for _ in range(3)]
    until(lambda: len(a.requests) + len(b.requests) == 3)
    assert (len(a.requests), len(b.requests)) == (1, 2)
    a.go.set()
    until(lambda: len(a.requests) == 1)
    time.sleep(0.2)
    assert names(s, 4) == "aaaa"
    b.go.set()
    assert {end(c).status for c in busy} == {200}


def test_random_two_takes_the_less_busy(weir, holding):
    a, b = holding(2)
    s = weir(http=conf([at(a), at(b)], "random two least_conn;"))
    busy = begin(s)
    until(lambda: a.requests or b.requests)
    other = "b" if a.requests else "a"
    assert names(s, 12) == other * 12
    a.go.set()
    b.go.set()
    end(busy)


def test_random_is_even(weir, named):
    s = weir(http=conf([at(p, f"weight={w}") for p, w in zip(named(2), (1, 3))], "random;"))
    share = names(s, 400).count("b")
    assert 260 < share < 340


# ---- keys: nginx's formulas ----

def hash_plain(key, weights, usable):
    total, value = sum(weights), 0
    for attempt in range(21):
        text = (str(attempt) if attempt else "") + key
        value += zlib.crc32(text.encode()) >> 16 & 0x7fff
        number = value % total
        for i, w in enumerate(weights):
            if number < w:
                break
            number -= w
        if i in usable:
            return i
    return None


def hash_ring(key, servers, weights, usable):
    ring = {}
    for i, (server, weight) in enumerate(zip(servers, weights)):
        host, _, port = server.partition(":")
        base, value = zlib.crc32(port.encode(), zlib.crc32(host.encode() + b"\0")), 0
        for _ in range(weight * 160):
            value = zlib.crc32(value.to_bytes(4, "little"), base)
            ring.setdefault(value, i)
    points = sorted(ring.items())
    want = zlib.crc32(key.encode())
    start = next((n for n, (h, _) in enumerate(points) if h >= want), 0)
    for n in range(21):
        i = points[(start + n) % len(points)][1]
        if i in usable:
            return i
    return None


@pytest.mark.parametrize("zone", ["", "zone z 1m;"])
@pytest.mark.parametrize("down", [(), (1,)])
def test_hash_as_nginx(weir, named, zone, down):
    ps, weights = named(4), [1, 3, 1, 2]
    servers = [f"127.0.0.1:{p.port}" for p in ps]
    lines = [f"{x} weight={w} {'down' if i in down else ''}"
             for i, (x, w) in enumerate(zip(servers, weights))]
    usable = [i for i in range(4) if i not in down]
    s = weir(http=conf(lines, zone + "hash $arg_k;"))
    for k in (f"key{n}" for n in range(60)):
        want = hash_plain(k, weights, usable)
        if want is not None:
            assert s.get(f"/?k={k}").body.decode() == "abcd"[want], k


@pytest.mark.parametrize("zone", ["", "zone z 1m;"])
@pytest.mark.parametrize("down", [(), (1,)])
def test_hash_consistent_as_nginx(weir, named, zone, down):
    ps, weights = named(4), [1, 3, 1, 2]
    servers = [f"127.0.0.1:{p.port}" for p in ps]
    lines = [f"{x} weight={w} {'down' if i in down else ''}"
             for i, (x, w) in enumerate(zip(servers, weights))]
    usable = [i for i in range(4) if i not in down]
    s = weir(http=conf(lines, zone + "hash $arg_k consistent;"))
    for k in (f"key{n}" for n in range(60)):
        want = hash_ring(k, servers, weights, usable)
        if want is not None:
            assert s.get(f"/?k={k}").body.decode() == "abcd"[want], k


def ip_hash(ip, weights, usable):
    value = 89
    for _ in range(21):
        for part in ip.split(".")[:3]:
            value = (value * 113 + int(part)) % 6271
        number = value % sum(weights)
        for i, w in enumerate(weights):
            if number < w:
                break
            number -= w
        if i in usable:
            return i
    return None


@pytest.mark.parametrize("down", [(), (0,)])
def test_ip_hash_as_nginx(weir, named, down):
    ps, weights = named(3), [1, 2, 1]
    lines = [at(p, f"weight={w} {'down' if i in down else ''}")
             for i, (p, w) in enumerate(zip(ps, weights))]
    s = weir(http=conf(lines, "ip_hash;"))
    usable = [i for i in range(3) if i not in down]
    for ip in (f"10.{n}.{n * 7 % 256}.9" for n in range(40)):
        got = s.get("/", headers={"X-Real-IP": ip}).body.decode()
        assert got == "abc"[ip_hash(ip, weights, usable)], ip


# ---- dead, full and many ----

def test_one_dies_under_load(weir, named):
    ps = named(3)
    s = weir(http=conf([at(p, "fail_timeout=1s") for p in ps]))
    stop = threading.Event()
    seen = []

    def load():
        while not stop.is_set():
            seen.append(s.get("/").status)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(load)
        time.sleep(0.3)
        ps[1].stop()
        time.sleep(1)
        stop.set()
    assert len(seen) > 50 and set(seen) == {200}


@pytest.mark.parametrize("more", ["", "least_conn;", "hash $arg_k consistent;", "random two;",
                                  "least_time header;", "sticky cookie s;"])
def test_killed_and_revived(weir, named, more):
    """While one good peer remains nobody sees an error."""
    ps = named(3)
    ports = [p.port for p in ps]
    s = weir(http=conf([at(p, "fail_timeout=1s") for p in ps], more))
    stop = threading.Event()
    seen = []

    def load(number):
        while not stop.is_set():
            seen.append(s.get(f"/?k={number}{len(seen)}").status)

    try:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for i in range(3):
                pool.submit(load, i)
            for turn in range(6):
                victim = turn % 3
                time.sleep(0.15)
                ps[victim].stop()
                time.sleep(0.15)
                ps[victim] = Peer(forever(ok(b"x")), ports[victim])
            stop.set()
    finally:
        stop.set()
        for p in ps:
            p.stop()
    assert len(seen) > 50 and set(seen) == {200}


def test_more_than_64_peers(weir, named):
    good = named(1)[0]
    dead = free_port()
    s = weir(http=conf([at(dead, "max_fails=0")] * 70 + [at(good)]))
    r = s.get("/")
    assert r.body == b"a"
    assert r.header("x-addr").count(",") == 70
    assert s.get("/").status == 200


def test_max_conns_counts_only_those_in_use(weir, named):
    a = named(1)[0]
    s = weir(http=conf([at(a, "max_conns=1")]))
    assert names(s, 10) == "a" * 10
    assert a.connections == 1


def test_backups_only_when_all_are_gone(weir, named):
    a, b = named(2)
    dead = free_port()
    s = weir(http=conf([at(dead), at(a, "max_fails=1"), at(b, "backup")]))
    assert names(s, 6) == "aaaaaa"
    a.stop()
    s2 = weir(http=conf([at(dead), at(dead), at(b, "backup")]), folder=s.dir / "..")
    assert names(s2, 6) == "bbbbbb"


# ---- least_time ----

def slow(name, seconds):
    def script(conn):
        while True:
            conn.request()
            time.sleep(seconds)
            conn.send(ok(name))
    return script


@pytest.mark.parametrize("method", ["least_time header", "least_time last_byte",
                                    "least_time header inflight", "random two least_time=header",
                                    "random two least_time=last_byte"])
def test_least_time_takes_the_quicker(weir, peers, method):
    a, b = peers(slow(b"a", 0.15), slow(b"b", 0))
    s = weir(http=conf([at(a), at(b)], method + ";"))
    names(s, 8)
    if "random" in method:
        for _ in range(10):
            if a.requests:
                break
            names(s, 4)
    before = len(a.requests)
    assert before >= 1
    assert names(s, 20) == "b" * 20


def test_least_time_header_and_last_byte_differ(weir, peers):
    def late_body(conn):
        while True:
            conn.request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
            time.sleep(0.15)
            conn.send(b"a")
    for method, want in (("last_byte", "b" * 10), ("header", None)):
        a, b = peers(late_body, slow(b"b", 0))
        s = weir(http=conf([at(a), at(b)], f"least_time {method};"),
                 folder=None if method == "last_byte" else None)
        names(s, 4)
        got = names(s, 10)
        s.stop()
        assert got == want if want else 4 <= got.count("a") <= 6


# ---- sticky ----

def sid(peer):
    return hashlib.md5(f"127.0.0.1:{peer.port}".encode()).hexdigest()


def test_sticky_cookie(weir, named):
    a, b = named(2)
    s = weir(http=conf([at(a), at(b)], "sticky cookie srv;"))
    first = s.get("/")
    assert first.header("set-cookie") == f"srv={sid(a)}"
    for p, letter in ((a, "a"), (b, "b")):
        for _ in range(5):
            r = s.get("/", headers={"Cookie": f"x=1; srv={sid(p)}"})
            assert (r.body.decode(), r.header("set-cookie")) == (letter, None)
    r = s.get("/", headers={"Cookie": "srv=nobody"})
    assert r.header("set-cookie") == f"srv={sid(a if r.body == b'a' else b)}"


def test_sticky_cookie_words(weir, named):
    a, = named(1)
    s = weir(http=conf([at(a, "route=one")],
                       "sticky cookie srv expires=1h domain=.$host httponly samesite=$arg_s secure path=/x;"))
    text = s.get("/?s=lax").header("set-cookie")
    assert re.fullmatch(r"srv=one; expires=\w{3}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT; max-age=3600; "
                        r"domain=\.localhost; httponly; samesite=lax; secure; path=/x", text), text
    assert "samesite" not in s.get("/").header("set-cookie")
    assert "evil" not in s.get("/?s=lax;evil").header("set-cookie")


def test_sticky_cookie_when_the_peer_is_gone(weir, named):
    a, b = named(2)
    s = weir(http=conf([at(a), at(b)], "sticky cookie srv expires=max;"))
    a.stop()
    r = s.get("/", headers={"Cookie": f"srv={sid(a)}"})
    if r.body == b"a":                         # the connection was still being accepted
        r = s.get("/", headers={"Cookie": f"srv={sid(a)}"})
    assert (r.status, r.body) == (200, b"b")
    assert r.header("set-cookie") == (f"srv={sid(b)}; expires=Thu, 31-Dec-37 23:55:55 GMT; "
                                      "max-age=315360000")


def test_sticky_route(weir, named):
    a, b = named(2)
    s = weir(http=conf([at(a, "route=r1"), at(b)], "sticky route $cookie_route $arg_route;"))
    assert names(s, 4, "/?route=r1") == "aaaa"
    assert names(s, 4, f"/?route={sid(b)}") == "bbbb"
    assert names(s, 4, "/?route=r1", headers={"Cookie": f"route={sid(b)}"}) == "bbbb"
    assert sorted(names(s, 4, "/?route=r9")) == list("aabb")


def test_drain(weir, named):
    a, b = named(2)
    s = weir(http=conf([at(a, "route=r1 drain"), at(b, "route=r2")], "sticky route $arg_route;"))
    assert names(s, 4) == "bbbb"
    assert names(s, 4, "/?route=r1") == "aaaa"


def test_sticky_learn_over_workers_and_reload(weir, named):
    a, b = named(2, b"Set-Cookie: sid=S; path=/")
    s = weir(http=conf([at(a), at(b)], "sticky learn create=$upstream_cookie_sid lookup=$cookie_sid "
                                       "zone=s:1m header;"), master="on", main="worker_processes 2;")
    bound = s.get("/").body.decode()
    assert names(s, 8, headers={"Cookie": "sid=S"}) == bound * 8
    s.process.send_signal(1)
    time.sleep(0.7)
    assert names(s, 8, headers={"Cookie": "sid=S"}) == bound * 8


# ---- queue ----

def test_queue_in_order(weir, holding):
    a, = holding(1)
    s = weir(http=conf([at(a, "max_conns=1")], "queue 3 timeout=10s;",
                       'add_header X-Queue "$upstream_queue_time";'))
    first = begin(s)
    until(lambda: len(a.requests) == 1)
    waiting = []
    for i in range(3):
        waiting.append(begin(s, f"/w{i}"))
        time.sleep(0.1)
    assert s.get("/full").status == 502
    a.go.set()
    end(first)
    answers = [end(c) for c in waiting]
    assert [r.status for r in answers] == [200, 200, 200]
    assert float(answers[0].header("x-queue")) >= 0.25
    assert [r.split(b" ")[1] for r in a.requests] == [b"/hold", b"/w0", b"/w1", b"/w2"]


def test_queue_timeout(weir, holding):
    a, = holding(1)
    s = weir(http=conf([at(a, "max_conns=1")], "queue 3 timeout=300ms;"))
    first = begin(s)
    until(lambda: len(a.requests) == 1)
    start = time.monotonic()
    assert s.get("/late").status == 502
    assert 0.25 < time.monotonic() - start < 2
    a.go.set()
    assert end(first).status == 200
    assert s.get("/").status == 200


def test_queue_client_leaves(weir, holding):
    a, = holding(1)
    s = weir(http=conf([at(a, "max_conns=1")], "queue 1 timeout=10s;"))
    first = begin(s)
    until(lambda: len(a.requests) == 1)
    begin(s, "/gone").close()
    time.sleep(0.3)
    second = begin(s, "/second")
    time.sleep(0.2)
    a.go.set()
    assert end(first).status == 200
    assert end(second).status == 200
    assert [r.split(b" ")[1] for r in a.requests] == [b"/hold", b"/second"]


def test_queue_over_workers(weir, holding):
    """A peer that another worker frees is seen, too."""
    a, = holding(1)
    s = weir(http=conf([at(a, "max_conns=1")], "zone z 256k; queue 5 timeout=10s;"), master="on",
             main="worker_processes 2;")
    first = begin(s)
    until(lambda: len(a.requests) == 1)
    waiting = [begin(s, f"/w{i}") for i in range(4)]
    time.sleep(0.5)
    assert len(a.requests) == 1
    a.go.set()
    assert {end(c).status for c in [first, *waiting]} == {200}


# ---- slow start ----

def test_slow_start(weir, named):
    a, b = named(2)
    port = a.port
    a.stop()
    s = weir(http=conf([at(port, "slow_start=4s fail_timeout=1s"), at(b)]))
    assert names(s, 4) == "bbbb"
    time.sleep(2.1)
    back = Peer(forever(ok(b"a")), port)
    try:
        until(lambda: "a" in names(s, 2))
        early = names(s, 40).count("a")
        time.sleep(4.5)
        late = names(s, 40).count("a")
        assert early < 8 and 19 <= late <= 21, (early, late)
    finally:
        back.stop()


# ---- mistakes ----

@pytest.mark.parametrize("lines,text", [
    ("hash $uri; server 127.0.0.1:1 slow_start=5s;", 'does not support parameter "slow_start"'),
    ("random; server 127.0.0.1:1 slow_start=5s;", 'does not support parameter "slow_start"'),
    ("ip_hash; server 127.0.0.1:1 backup;", 'does not support parameter "backup"'),
    ("server 127.0.0.1:1 weight=0;", 'invalid parameter "weight=0"'),
    ("server 127.0.0.1:1 weight=4294967297;", "invalid parameter"),
    ("server 127.0.0.1:1 max_conns=x;", "invalid parameter"),
    ("server 127.0.0.1:1; queue 0;", "invalid value"),
    ("server 127.0.0.1:1; queue 5 timeout=x;", "invalid parameter"),
    ("least_time first; server 127.0.0.1:1;", 'invalid parameter "first"'),
    ("random two least_time=x; server 127.0.0.1:1;", "invalid parameter"),
    ("least_conn; least_time header; server 127.0.0.1:1;", "load balancing method redefined"),
    ("server 127.0.0.1:1; sticky cookies x;", "unknown sticky method"),
    ("server 127.0.0.1:1; sticky cookie;", "invalid number of arguments"),
    ("server 127.0.0.1:1; sticky cookie x bad;", 'invalid parameter "bad"'),
    ("server 127.0.0.1:1; sticky cookie x samesite=y;", "invalid parameter"),
    ("server 127.0.0.1:1; sticky route arg;", "invalid variable name"),
    ("server 127.0.0.1:1; sticky learn zone=z:1m lookup=$cookie_a;", 'must have "create" parameter'),
    ("server 127.0.0.1:1; sticky learn zone=z:1m lookup=$cookie_a create=$cookie_a sync;", '"sync"'),
])
def test_mistakes(tmp_path, lines, text):
    assert text in test_conf(tmp_path, f"events {{ }} http {{ upstream u {{ {lines} }} }}")
