"""Whatever goes wrong at a peer, in every combination: proxy_next_upstream as nginx documents it, and responses
that end too early, which must never look whole."""
import socket
import struct
import time

import pytest

from conftest import Response, free_port
from http2 import Http2, Closed
from peers import forever, ok


def reset(conn):
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.sock.close()


# ---- proxy_next_upstream ----

def says(answer, then=None):
    def script(conn):
        conn.request()
        time.sleep(conn.peer.delay)
        conn.send(answer)
        if then:
            then(conn)
    return script


def silence(conn):
    time.sleep(1.5)


def status(code):
    return says(b"HTTP/1.1 %d X\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad" % code)


# What a peer does, the word of proxy_next_upstream for it, what the client gets where no other is asked, and
# whether the peer has had the request by then.
WRONGS = {
    "refuses": (None, "error", 502, False),
    "closes": (says(b""), "error", 502, True),
    "resets": (says(b"", reset), "error", 502, True),
    "half a head": (says(b"HTTP/1.1 200 OK\r\nConte"), "error", 502, True),
    "silent": (says(b"", silence), "timeout", 504, True),
    "half a head, silent": (says(b"HTTP/1.1 200 OK\r\nConte", silence), "timeout", 504, True),
    "garbage": (says(b"SSH-2.0-Open\r\n\r\n"), "invalid_header", 502, True),
    "giant head": (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000 + b"\r\n\r\n"), "invalid_header", 502, True),
    "two lengths": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"), "invalid_header", 502,
                    True),
    "denied": (status(200), "denied", 403, False),
    **{str(code): (status(code), f"http_{code}", code, True) for code in (500, 502, 503, 504, 403, 404, 429)},
}
WORDS = sorted({w[1] for w in WRONGS.values()})


def ask(server, path, method="GET"):
    return server.get(path, method=method, body=b"body" if method != "GET" else b"").status


@pytest.mark.parametrize("wrong", WRONGS)
def test_next_upstream(weir, peer, wrong):
    script, word, code, sent = WRONGS[wrong]
    bad = peer(script) if script else None
    if bad:
        bad.delay = 0
    port = bad.port if bad else free_port()
    good = peer(forever(ok(b"good")))
    others = " ".join(w for w in WORDS if w != word)
    allow = "proxy_allow_upstream $allowed;" if word == "denied" else ""
    group = f"server 127.0.0.1:{port} %s; server 127.0.0.1:{good.port} backup %s;"
    s = weir(http=f"""
        map $upstream_last_addr $allowed {{ volatile; 127.0.0.1:{port} 0; default 1; }}
        upstream u {{ {group % ("max_fails=0", "max_fails=0")} }}
        upstream off {{ {group % ("", "")} }} upstream on {{ {group % ("", "")} }}
        server {{ listen 127.0.0.1:@PORT@; proxy_read_timeout 200ms; {allow}
            location /on {{ proxy_pass http://u; proxy_next_upstream {word}; }}
            location /all {{ proxy_pass http://u; proxy_next_upstream {word} non_idempotent; }}
            location /off {{ proxy_pass http://u; proxy_next_upstream off; }}
            location /others {{ proxy_pass http://u; proxy_next_upstream {others} non_idempotent; }}
            location /once {{ proxy_pass http://u; proxy_next_upstream {word} non_idempotent;
                              proxy_next_upstream_tries 1; }}
            location /twice {{ proxy_pass http://u; proxy_next_upstream {word}; proxy_next_upstream_tries 2; }}
            location /soon {{ proxy_pass http://u; proxy_next_upstream {word}; proxy_next_upstream_timeout 100ms; }}
            location /late {{ proxy_pass http://u; proxy_next_upstream {word}; proxy_next_upstream_timeout 5s; }}
            location /fails/off {{ proxy_pass http://off; proxy_next_upstream off; }}
            location /fails/on {{ proxy_pass http://on; proxy_next_upstream {word}; }}
        }}""")
    for path in "/on", "/twice", "/late", "/all":
        assert ask(s, path) == 200, path
    assert ask(s, "/all", "POST") == 200
    for method in "POST", "PATCH", "LOCK":
        assert ask(s, "/on", method) == (code if sent else 200), method
    for method in "PUT", "DELETE", "PROPFIND":
        assert ask(s, "/on", method) == 200, method
    asked = len(good.requests)
    for path in "/off", "/others", "/once":
        assert ask(s, path) == code, path
    assert len(good.requests) == asked
    # What counts as a failure of the peer: then it is not asked again.
    before = bad.connections if bad else 0
    first, second = ask(s, "/fails/off"), ask(s, "/fails/off")
    counts = word in ("error", "timeout", "invalid_header", "denied")
    assert (first, second) == (code, 200 if counts else code)
    first, second = ask(s, "/fails/on"), ask(s, "/fails/on")
    assert (first, second) == (200, 200)
    if bad and word != "denied":
        counts = 1 if counts else 2, 2 if word in ("http_403", "http_404") else 1
        assert bad.connections - before == sum(counts)
    if sent and bad:
        bad.delay = 0.15
        assert ask(s, "/soon") == code
        assert ask(s, "/late") == 200


def part(conn):
    """Takes a part of the body, and closes."""
    while b"\r\n\r\n" not in conn.buffer:
        conn.more()
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    time.sleep(0.1)
    reset(conn)


@pytest.mark.parametrize("body", ["memory", "file"])
def test_body_sent_partly(weir, peer, body):
    """The whole body once more for another peer, where its method allows that."""
    data = bytes(range(256)) * 32768                   # 8 MB: more than sockets take
    bad, good = peer(part), peer(forever(ok(b"good")))
    space = "16m" if body == "memory" else "16k"
    s = weir(http=f"""upstream u {{ server 127.0.0.1:{bad.port} max_fails=0; server 127.0.0.1:{good.port} backup; }}
        server {{ listen 127.0.0.1:@PORT@; client_max_body_size 16m; client_body_buffer_size {space};
        location / {{ proxy_pass http://u; }}
        location /all {{ proxy_pass http://u; proxy_next_upstream error non_idempotent; }} }}""")
    assert s.get("/", method="PUT", body=data).status == 200
    assert good.requests[-1].endswith(data[-1000:]) and len(good.requests[-1]) > len(data)
    assert s.get("/", method="POST", body=data).status == 502
    assert s.get("/all", method="POST", body=data).status == 200
    assert len(good.requests) == 2 and len(good.requests[-1]) > len(data)


def test_body_that_has_gone(weir, peer):
    """proxy_request_buffering off: nobody has what the first peer took."""
    data = bytes(range(256)) * 32768
    bad, good = peer(part), peer(forever(ok(b"good")))
    s = weir(http=f"""upstream u {{ server 127.0.0.1:{bad.port} max_fails=0; server 127.0.0.1:{good.port} backup; }}
        server {{ listen 127.0.0.1:@PORT@; client_max_body_size 16m; proxy_request_buffering off;
        location / {{ proxy_pass http://u; proxy_next_upstream error non_idempotent; }} }}""")
    with s.connect() as c:
        c.sendall(b"PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(data))
        try:
            c.sendall(data)
        except OSError:
            pass
        try:
            answer = c.recv(65536)
        except ConnectionResetError:
            answer = b"HTTP/1.1 502"
    assert answer.startswith(b"HTTP/1.1 502") and not good.requests


@pytest.mark.parametrize("method, more, code", [
    ("GET", "", 200), ("PUT", "", 200), ("POST", "", 502), ("PATCH", "", 502), ("PURGE", "", 502),
    ("POST", "proxy_next_upstream error non_idempotent;", 200), ("GET", "proxy_next_upstream_tries 1;", 200),
    ("GET", "proxy_next_upstream off;", 200), ("POST", "proxy_next_upstream off;", 502),
])
@pytest.mark.parametrize("how", ["closes", "resets"])
def test_kept_connection_that_closes(weir, peer, method, more, code, how):
    """The peer's right (RFC 9112 section 9.6): once more over a fresh one, where nothing is done twice, and
    no failure of the peer."""
    def script(conn):
        conn.answer(ok(b"good"))
        conn.request()
        if conn.number % 2 == 0 or len(conn.peer.requests) > 2:
            conn.send(ok(b"good"))
        elif how == "resets":
            reset(conn)
    p, other = peer(script), peer(forever(ok(b"other")))
    s = weir(http=f"""upstream u {{ server 127.0.0.1:{p.port}; server 127.0.0.1:{other.port} backup; }}
        server {{ listen 127.0.0.1:@PORT@; location / {{ proxy_pass http://u; {more} }} }}""")
    assert s.get("/").body == b"good"
    r = s.get("/", method=method, body=b"x" if method != "GET" else b"")
    assert (r.status, other.connections) == (code, 0)
    assert s.get("/").body == b"good"
    assert "disabled" not in s.log()


def test_limits_count_peers_not_connections(weir, peer):
    """tries=2 of four: two that fail are all that are asked."""
    bad = [peer(says(b"")) for _ in range(4)]
    for p in bad:
        p.delay = 0
    servers = "".join(f"server 127.0.0.1:{p.port};" for p in bad)
    s = weir(http=f"""upstream u {{ {servers} }} server {{ listen 127.0.0.1:@PORT@; location / {{ proxy_pass http://u;
        proxy_next_upstream_tries 2; add_header X-S $upstream_status always; }} }}""")
    assert s.get("/").header("x-s") == "502, 502"
    assert sum(p.connections for p in bad) == 2


# ---- responses that end too early ----

SIZE = 1_000_000
CHUNK = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
BUFFERING = {
    "off": "proxy_buffering off;", "on": "", "no file": "proxy_max_temp_file_size 0;",
    "small file": "proxy_max_temp_file_size 64k; proxy_temp_file_write_size 8k;",
    "stored": "proxy_store @DIR@/kept;",
}


def breaks(framing, size, how):
    def script(conn):
        conn.request()
        if framing == "chunked":
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK * (size // 1000))
        elif framing == "length":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + b"x" * size)
        else:
            conn.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * size)
        if how == "silent":
            time.sleep(2)
        elif how == "reset" or framing == "end":
            time.sleep(0.2)
            reset(conn)
        elif how == "bad chunk":
            conn.send(b"zz\r\n")
    return script


def looks_whole(data):
    """What a client of HTTP/1 takes for a complete response."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if b"transfer-encoding" in fields:
        return body.endswith(b"\r\n0\r\n\r\n") or body == b"0\r\n\r\n"
    if b"content-length" in fields:
        return len(body) >= int(fields[b"content-length"])
    return True                                        # its end is the connection's


def read_all(server, version, slow, peer):
    """What comes, and whether it ended by a reset."""
    with socket.socket() as c:
        if slow:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.settimeout(10)
        c.connect(("127.0.0.1", server.port))
        c.sendall(b"GET /a HTTP/%s\r\nHost: h\r\nConnection: close\r\n\r\n" % version)
        if slow:
            peer.closed.wait(0.6)
        data = b""
        try:
            while piece := c.recv(65536):
                data += piece
        except ConnectionResetError:
            return data, True
        return data, False


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("size", [0, 1000, 700_000], ids=["at once", "early", "late"])
@pytest.mark.parametrize("framing, how", [
    ("length", "closes"), ("length", "reset"), ("length", "silent"), ("chunked", "closes"), ("chunked", "reset"),
    ("chunked", "bad chunk"), ("end", "reset"),
])
def test_ends_too_early(weir, peer, framing, how, size, buffering):
    p = peer(breaks(framing, size, how))
    s = weir(http=f"""server {{ listen 127.0.0.1:@PORT@; http2 on; proxy_read_timeout 500ms;
        location / {{ proxy_pass http://127.0.0.1:{p.port}; {BUFFERING[buffering]} }} }}""")
    s.allow("temporary")
    for version in b"1.1", b"1.0":
        for slow in False, True:
            data, was_reset = read_all(s, version, slow, p)
            status = data[:12].decode().partition(" ")[2]
            assert status in ("", "200", "502", "504"), data[:100]
            assert status != "200" or was_reset or not looks_whole(data), (version, slow, data[-50:])
    with Http2(s) as c:
        answer = c.answers[c.headers(c.fields("/a"))]
        try:
            while not answer.ended and answer.code is None:
                c.read()
        except Closed:
            pass
        assert answer.status != 200 or not answer.ended
    assert not (s.dir / "kept").exists()


@pytest.mark.parametrize("buffering", BUFFERING)
@pytest.mark.parametrize("framing", ["length", "chunked", "end"])
def test_whole_ones_are_whole(weir, peer, framing, buffering):
    """The same with nothing wrong: slow clients get all, whatever stands between."""
    def script(conn):
        conn.request()
        if framing == "chunked":
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK * 1000 + b"0\r\n\r\n")
        elif framing == "length":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + b"x" * SIZE)
        else:
            conn.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * SIZE)
    p = peer(script)
    s = weir(http=f"""server {{ listen 127.0.0.1:@PORT@; http2 on; location / {{
        proxy_pass http://127.0.0.1:{p.port}; {BUFFERING[buffering]} }} }}""")
    for version in b"1.1", b"1.0":
        for slow in False, True:
            with socket.socket() as c:
                if slow:
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                c.settimeout(10)
                c.connect(("127.0.0.1", s.port))
                c.sendall(b"GET /a HTTP/%s\r\nHost: h\r\nConnection: close\r\n\r\n" % version)
                if slow:
                    time.sleep(0.2)
                data = bytearray()
                while piece := c.recv(65536):
                    data += piece
            assert len(Response(bytes(data)).body) == SIZE
    with Http2(s) as c:
        assert len(c.get("/a").body) == SIZE
