"""proxy_pass beyond the plain exchange: rates, stored responses, trailers, hints, addresses, bad bytes, logs."""
import os
import pathlib
import re
import socket
import threading
import time

import pytest

from conftest import Response
from peers import forever, ok


def start(weir, *peers, more="", location="", **options):
    servers = "".join(f"server 127.0.0.1:{p.port};" for p in peers)
    return weir(http=f"upstream u {{ {servers} }} server {{ listen 127.0.0.1:@PORT@; {more} "
                     f"location / {{ proxy_pass http://u; {location} }} }}", **options)


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


# ---- rates, pauses ----

@pytest.mark.parametrize("buffering", ["on", "off"])
def test_limit_rate(weir, peer, buffering):
    s = start(weir, peer(forever(ok(b"x" * 30000, b"X-Rate: 15000"))), more=f"proxy_buffering {buffering};",
              location="proxy_limit_rate $upstream_http_x_rate;")
    begin = time.monotonic()
    assert len(s.get("/").body) == 30000
    assert 0.9 < time.monotonic() - begin < 3
    assert len(s.get("/").body) == 30000       # the connection's timer is that of idle ones again


def test_event_stream_is_not_held_back(weir, peer):
    more = threading.Event()

    def script(conn):
        conn.answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for i in range(3):
            conn.send(b"data: %d\n\n" % i)
            assert more.wait(5)
            more.clear()
    s = start(weir, peer(script), more="gzip on; gzip_types text/plain; gzip_proxied any;")
    with s.connect() as c:
        c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
        data = b""
        for i in range(3):
            while b"data: %d\n\n" % i not in data:
                data += c.recv(4096)
            more.set()


# ---- clients that are slow, or leave ----

def memory(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) << 10


@pytest.mark.skipif("sanitize" in os.environ.get("WEIR", ""), reason="sanitizers have memory of their own")
def test_slow_clients_hold_bounded_memory(weir, peer):
    body = b"x" * (4 << 20)
    s = start(weir, peer(forever(ok(body))), location="proxy_max_temp_file_size 0;")
    clients = []
    s.get("/")
    before = memory(s)
    for _ in range(50):
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect(("127.0.0.1", s.port))
        c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        clients.append(c)
    time.sleep(1)
    grown = memory(s) - before
    for c in clients:
        c.close()
    assert grown < 50 * 100_000, grown         # 8 buffers of 4k, a spare, heads; not 4 MB each


@pytest.mark.parametrize("more", ["", "proxy_buffering off;", "proxy_max_temp_file_size 0;"])
def test_client_that_leaves_frees_the_peer(weir, peer, more):
    def script(conn):
        conn.request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome")
        conn.sock.settimeout(10)
        conn.more()                            # Gone when the server closes
    p = peer(script)
    s = start(weir, p, more=more)
    with s.connect() as c:
        c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        while not c.recv(4096).endswith(b"some"):
            pass
    assert p.closed.wait(3)


# ---- trailers, hints ----

def test_trailers(weir, peer):
    p = peer(forever(CHUNKS + b"2\r\nhi\r\n0\r\nX-Sum: 12\r\nContent-Length: 5\r\nX-Hidden: x\r\n\r\n"))
    s = start(weir, p, more="proxy_pass_trailers on; proxy_hide_header X-Hidden;",
              location="add_trailer X-Seen $upstream_trailer_x_sum;")
    for _ in range(2):
        data = s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert data.endswith(b"\r\n0\r\nX-Sum: 12\r\nX-Seen: 12\r\n\r\n")
    assert p.connections == 1


def test_trailers_stay_unless_wanted(weir, peer):
    s = start(weir, peer(forever(CHUNKS + b"2\r\nhi\r\n0\r\nX-Sum: 12\r\n\r\n")))
    assert s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").endswith(b"\r\n2\r\nhi\r\n0\r\n\r\n")


def test_bad_trailer(weir, peer):
    s = start(weir, peer(forever(CHUNKS + b"0\r\nX Sum: 12\r\n\r\n")))
    assert s.get("/").status == 502


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-Own\r\nX-Own: 1\r\n\r\n"


def test_early_hints(weir, peer):
    s = start(weir, peer(forever(HINTS + ok(b"good"))), more="early_hints $http_sec_fetch_mode $arg_hints;")
    assert s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    data = s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n")
    first, _, rest = data.partition(b"\r\n\r\n")
    assert first == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n") and rest.endswith(b"good")
    assert s.get("/?hints=1", version="1.0").status == 200


def test_hints_without_end(weir, peer):
    s = start(weir, peer(forever(HINTS * 200 + ok(b"good"))))
    assert s.get("/").status == 502


# ---- stored responses ----

def test_store(weir, peer):
    p = peer(forever(ok(b"x" * 100_000, b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT")))
    s = start(weir, p, location="proxy_store on; proxy_store_access user:rw group:rw all:r; root @DIR@/kept;")
    assert len(s.get("/a/b/c.html?x").body) == 100_000
    file = s.dir / "kept/a/b/c.html"
    assert file.read_bytes() == b"x" * 100_000
    assert file.stat().st_mode & 0o777 == 0o664 and int(file.stat().st_mtime) == 784111777
    assert file.parent.stat().st_mode & 0o755 == 0o755
    s.get("/d", method="HEAD")
    s.get("/e", method="POST", body=b"x")
    assert sorted(f.name for f in (s.dir / "kept").iterdir()) == ["a"]


def test_store_at_a_path(weir, peer):
    s = start(weir, peer(forever(ok(b"good"))), location="proxy_store @DIR@/kept/$arg_n.txt;")
    assert s.get("/x?n=one").body == b"good"
    assert (s.dir / "kept/one.txt").read_bytes() == b"good"


def test_what_is_not_whole_is_not_stored(weir, peer):
    s = start(weir, peer(lambda c: c.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome")),
              location="proxy_store on; root @DIR@/kept;")
    s.raw(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    assert not (s.dir / "kept/a").exists()


def test_store_that_fails_hurts_nobody(weir, peer):
    s = start(weir, peer(forever(ok(b"good"))), location="proxy_store /dev/null/no/$uri;")
    s.allow("the response is not stored")
    assert s.get("/a").body == b"good"


# ---- which peers, from which address ----

def test_allow_upstream(weir, peer):
    first, second = peer(forever(ok(b"1"))), peer(forever(ok(b"2")))
    s = start(weir, first, second, location="proxy_allow_upstream $arg_ok $allowed; "
              "proxy_next_upstream denied; add_header X-Status $upstream_status always;",
              more="set $allowed 0; if ($arg_all) { set $allowed 1; } error_log error.log warn;")
    assert s.get("/?ok=1&all=1").status == 200
    r = s.get("/?ok=1")
    assert (r.status, r.header("x-status")) == (403, "403, 403")
    assert first.connections + second.connections == 1
    s.wait_log("access to upstream denied")
    s.wait_log("upstream server temporarily disabled")  # it counts as a failure


def test_allow_by_address(weir, peer):
    first, second = peer(forever(ok(b"1"))), peer(forever(ok(b"2")))
    s = weir(http=f"""upstream u {{ server 127.0.0.1:{first.port}; server 127.0.0.1:{second.port}; }}
        map $upstream_last_addr $good {{ volatile; 127.0.0.1:{second.port} 1; }}
        server {{ listen 127.0.0.1:@PORT@; location / {{ proxy_pass http://u; proxy_next_upstream denied;
        proxy_allow_upstream $good; }} }}""")
    for _ in range(4):
        assert s.get("/").body == b"2"
    assert first.connections == 0


def test_last_server_name(weir, peer):
    p = peer(forever(ok(b"")))
    s = weir(http=f"""upstream u {{ server localhost:{p.port}; }} server {{ listen 127.0.0.1:@PORT@;
        location / {{ proxy_pass http://u; proxy_set_header Host $upstream_last_server_name; }} }}""")
    s.get("/")
    assert b"Host: localhost\r\n" in p.requests[0]


def remote(conn):
    conn.request()
    conn.send(ok(conn.sock.getpeername()[0].encode()))


def test_bind(weir, peer):
    s = start(weir, peer(remote), location="proxy_bind $arg_a; proxy_bind_dynamic on;")
    assert s.get("/?a=127.0.0.7").body == b"127.0.0.7"
    assert s.get("/?a=127.0.0.8").body == b"127.0.0.8"
    assert s.get("/").body == b"127.0.0.1"


def test_connections_stay_with_their_address(weir, peer):
    """A connection that comes from one client's address serves no other."""
    def script(conn):
        while True:
            remote(conn)
    p = peer(script)
    s = start(weir, p, location="proxy_bind $arg_a;")
    for a in "127.0.0.7", "127.0.0.8", "127.0.0.7":
        assert s.get(f"/?a={a}").body == a.encode()
    assert p.connections == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may use foreign addresses")
def test_bind_transparent(weir, peer):
    """The connect goes out from a foreign address, and nobody answers there."""
    conf = "proxy_connect_timeout 300ms; proxy_bind 192.0.2.1 %s;"
    s = start(weir, peer(remote), location=conf % "transparent", main="user nobody nogroup;", master="on")
    status = s.get("/").status
    if "Operation not permitted" in s.log() or "could not be kept" in s.log():
        s.allow("could not be kept")
        pytest.skip("this container has no right to")
    assert status == 504


# ---- bytes that are no HTTP ----

@pytest.mark.parametrize("answer, message", [
    (CHUNKS + b"zz\r\n", "invalid chunked body"),
    (CHUNKS + b"5\r\nhello?", "invalid chunked body"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "at the same time"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "duplicate header line"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", "invalid \"Content-Length\""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi", "invalid \"Content-Length\""),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\nhi", "an upgrade that was not asked for"),
    (b"hello\r\n\r\n", "no valid HTTP/1.0 header"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "too big header: more than the 4096 bytes of proxy_buffer_size"),
], ids=range(9))
def test_bad_answers(weir, peer, answer, message):
    s = start(weir, peer(lambda conn: conn.answer(answer)))
    assert s.get("/").status == 502
    s.wait_log(message)
    line = next(text for text in s.log().splitlines() if message in text)
    assert "while reading response header from upstream, client: 127.0.0.1" in line
    assert re.search(r', upstream: "http://127\.0\.0\.1:\d+/", host: "localhost"', line)


def test_log_says_what_size_a_head_needs(weir, peer):
    """As far as it has come when the buffer is full."""
    s = start(weir, peer(lambda conn: conn.answer(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 5000 + b"\r\n\r\n")))
    for _ in range(20):
        assert s.get("/").status == 502
        if "a buffer of 5024 bytes would hold it, proxy_buffer_size is 4096 while reading" in s.log():
            return
    raise AssertionError(s.log())


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", CHUNKS + b"a\r\nshort",
    CHUNKS + b"5\r\nshort\r\n", CHUNKS + b"5\r\nshort\r\n0\r\n",
])
def test_ends_too_early(weir, peer, answer):
    s = start(weir, peer(lambda conn: conn.answer(answer)))
    data = s.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"short" in data and not data.endswith(b"0\r\n\r\n")
    s.wait_log("upstream prematurely closed connection")
    assert "while reading upstream, client:" in s.log()


def test_bytes_behind_a_response_spoil_the_connection(weir, peer):
    p = peer(forever(ok(b"good") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    s = start(weir, p)
    for _ in range(3):
        assert s.get("/").body == b"good"
    assert p.connections == 3


# ---- what the log says ----

def test_log_of_a_connect_that_fails(weir, peer):
    p = peer(forever(ok(b"")))
    p.stop()
    s = start(weir, p)
    assert s.get("/a?b").status == 502
    s.wait_log("connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1")
    assert re.search(r'request: "GET /a\?b HTTP/1\.1", upstream: "http://127\.0\.0\.1:\d+/a\?b", host:', s.log())


def test_log_of_silence(weir, peer):
    s = start(weir, peer(lambda conn: (conn.request(), time.sleep(2))), location="proxy_read_timeout 200ms;")
    assert s.get("/").status == 504
    s.wait_log("upstream timed out (110: Connection timed out) while reading response header from upstream")


# ---- elsewhere ----

def test_type_of_an_accelerated_file(weir, peer):
    s = start(weir, peer(forever(ok(b"", b"X-Accel-Redirect: /kept/a.html", b"Content-Type: text/x-own"))),
              more="location /kept { internal; root @DIR@; }", files={"kept/a.html": "file"})
    r = s.get("/")
    assert (r.body, r.header("content-type")) == (b"file", "text/x-own")


def test_post_action(weir, peer):
    p = peer(forever(ok(b"counted")))
    s = start(weir, p, more="location /file { root @DIR@; post_action /count; } "
              "location /named { root @DIR@; post_action @count; } "
              "location = /count { internal; proxy_pass http://u/done?$request_uri; } "
              "location @count { proxy_pass http://u; }", files={"file": "good", "named": "good"})
    assert s.get("/file?1").body == b"good" and s.get("/named").body == b"good"
    end = time.monotonic() + 5
    while len(p.requests) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert [r.split(b" ")[1] for r in p.requests] == [b"/done?/file?1", b"/named"]
