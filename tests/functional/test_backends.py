"""proxy_pass to what people run: gunicorn, Node, a server in C, and one that misbehaves in every way."""
import hashlib
import os
import pathlib
import random
import shutil
import socket
import subprocess
import threading
import time

import pytest

from conftest import Response, free_port
from http1 import Connection
from peers import Gone, Peer, ok

BACKENDS = pathlib.Path(__file__).parent / "backends"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"


def command(kind, port, folder):
    if kind == "gunicorn":
        return [PYTHON, "-m", "gunicorn", "--chdir", str(BACKENDS), "-b", f"127.0.0.1:{port}", "-k", "gthread",
                "--threads", "8", "-w", "1", "--keep-alive", "30", "--log-level", "critical", "wsgi:app"]
    if kind == "node":
        return [shutil.which("node") or "nodejs", str(BACKENDS / "server.js"), str(port)]
    program = str(folder / "plain")
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-D_GNU_SOURCE", "-o", program, str(BACKENDS / "plain.c"),
                    "-lpthread"], check=True)
    return [program, str(port)]


@pytest.fixture(scope="module", params=["gunicorn", "node", "plain"])
def kind_and_port(request, tmp_path_factory):
    port = free_port()
    process = subprocess.Popen(command(request.param, port, tmp_path_factory.mktemp("back")),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < end, f"{request.param} does not start"
            time.sleep(0.05)
    yield request.param, port
    process.terminate()
    process.wait(20)


@pytest.fixture
def site(weir, kind_and_port):
    kind, port = kind_and_port
    s = weir(http=f"""
        upstream back {{ server 127.0.0.1:{port}; }}
        server {{ listen 127.0.0.1:@PORT@; client_max_body_size 0;
            proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            location / {{ proxy_pass http://back; }}
            location /unbuffered/ {{ proxy_buffering off; proxy_pass http://back/; }}
        }}""")
    s.kind = kind
    return s


def test_real_back_ends(site):
    sizes = (0, 1, 1000, 300_000)
    if site.kind == "plain":
        for size in sizes:
            assert site.get(f"/{size}").body == b"x" * size
            assert site.get(f"/unbuffered/{size}").body == b"x" * size
            data = os.urandom(size)
            assert site.get("/", method="POST", body=data).body == data
        with Connection(site) as c:
            assert [len(c.get(f"/{n}").body) for n in range(50)] == list(range(50))
        return
    for size in sizes:
        data = os.urandom(size)
        for method in ("POST", "PUT", "GET"):
            r = site.get("/a/b?c=d", method=method, body=data, host="name.example")
            assert r.status == 200 and r.body.decode().split(" ") == [
                method, "/a/b", "c=d", "name.example", "127.0.0.1", hashlib.sha1(data).hexdigest()]
            assert r.header("set-cookie") == "a=1, b=2"
    assert site.get("/missing").status == 404
    lines = b"".join(b"data: %d\n\n" % i for i in range(1000))
    large = b"".join(bytes([i & 255]) * 65536 for i in range(160))
    for prefix in ("", "/unbuffered"):
        assert site.get(prefix + "/stream").body == lines
        assert site.get(prefix + "/stream", version="1.0").body == lines
        assert site.get(prefix + "/large").body == large
        head = site.get(prefix + "/large", method="HEAD")
        assert head.header("content-length") == str(10 << 20) and not head.body
        broken = site.raw(f"GET {prefix}/fails HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        assert broken.startswith(b"HTTP/1.1 502 ") or (
            b"Content-Length: 100" in broken and broken.partition(b"\r\n\r\n")[2] in (b"half", b""))
    if site.kind == "node":
        with Connection(site) as c:
            r = c.get("/hints")
            assert (c.read() if r.status == 103 else r).body == b"hinted"
    with Connection(site) as c:
        for n in range(30):
            assert c.get(f"/{n}").body.split()[1] == b"/%d" % n


# ---- one that misbehaves ----

BODY = bytes(range(256)) * 40


def chunks(data, size=777):
    pieces = (data[i:i + size] for i in range(0, len(data), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def slowly(conn, data):
    for i in range(0, len(data), 2000):
        conn.send(data[i:i + 2000])
        time.sleep(0.001)


GOOD = ok(BODY)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(BODY)
WAYS = {
    "good": lambda conn: conn.send(GOOD),
    "chunked": lambda conn: conn.send(CHUNKED),
    "slow": lambda conn: slowly(conn, GOOD),
    "slow chunks": lambda conn: slowly(conn, CHUNKED),
    "until close": lambda conn: (conn.send(b"HTTP/1.0 200 OK\r\n\r\n" + BODY), end(conn)),
    "interim": lambda conn: conn.send(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD),
    "says nothing": lambda conn: end(conn),
    "resets": lambda conn: reset(conn),
    "half a head": lambda conn: (conn.send(GOOD[:20]), end(conn)),
    "half a body": lambda conn: (conn.send(GOOD[:-100]), end(conn)),
    "half the chunks": lambda conn: (conn.send(CHUNKED[:-100]), end(conn)),
    "no last chunk": lambda conn: (conn.send(CHUNKED[:-5]), end(conn)),
    "reset in the body": lambda conn: (conn.send(GOOD[:-100]), reset(conn)),
    "too much": lambda conn: conn.send(GOOD + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"),
    "rubbish": lambda conn: (conn.send(bytes(255 - b for b in BODY[:500])), end(conn)),
    "both lengths": lambda conn: conn.send(CHUNKED.replace(b"\r\n", b"\r\nContent-Length: 10240\r\n", 1)),
    "other lengths": lambda conn: conn.send(GOOD.replace(b"\r\n", b"\r\nContent-Length: 4\r\n", 1)),
    "bad chunk": lambda conn: conn.send(CHUNKED.replace(b"309\r\n", b"309x\r\n", 1)),
    "large head": lambda conn: conn.send(GOOD.replace(b"\r\n", b"\r\nX: " + b"y" * 9000 + b"\r\n", 1)),
    "many fields": lambda conn: conn.send(GOOD.replace(b"\r\n", b"\r\n" + b"X: y\r\n" * 900, 1)),
    "stray 101": lambda conn: conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + GOOD),
    "folded": lambda conn: conn.send(GOOD.replace(b"\r\n", b"\r\nX: y\r\n  z\r\n", 1)),
}
RIGHT = {"good", "chunked", "slow", "slow chunks", "until close", "interim", "too much"}


def end(conn):
    raise Gone


def reset(conn):
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raise Gone


def misbehave(conn):
    while True:
        head, _ = conn.request()
        way = head.split(b" ")[1].decode().lstrip("/").replace("%20", " ")
        WAYS[way](conn)


def judge(way, data):
    """A whole answer is the right one; another one can be told to be none."""
    assert b"EVIL" not in data
    if not data:
        return
    r = Response(data, "HEAD")
    if r.status != 200:
        assert r.status == 502 and way not in RIGHT, (way, r)
        return
    if r.header("transfer-encoding"):
        whole = data.endswith(b"\r\n0\r\n\r\n")
        assert not whole or Response(data).body == BODY, way
    else:
        whole = len(r.body) == int(r.header("content-length"))
        assert not whole or r.body == BODY, way
    assert whole == (way in RIGHT), (way, r)


@pytest.mark.parametrize("more", ["", "proxy_buffering off;"])
def test_misbehaving_back_end(weir, more):
    """In every way, several at once, over connections that are kept where they may be."""
    peer = Peer(misbehave)
    s = weir(http=f"upstream u {{ server 127.0.0.1:{peer.port}; }}\n"
             f"server {{ listen 127.0.0.1:@PORT@; location / {{ proxy_pass http://u; {more} }} }}")
    failed = []

    def ask(seed):
        ways = sorted(WAYS) * 3
        random.Random(seed).shuffle(ways)
        for way in ways:
            try:
                judge(way, s.raw(f"GET /{way.replace(' ', '%20')} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode()))
            except Exception as error:         # told by the test's own thread
                failed.append(f"{way}: {error!r}")
    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    peer.stop()
    assert not failed, failed[:5]


def test_spooled_bodies_are_whole(weir):
    """The back end is faster than the client: what lies in the temporary file is never overwritten on its way."""
    data = b"".join(i.to_bytes(4, "big") for i in range(1 << 21))

    def script(conn):
        while True:
            conn.answer(ok(data))
    peer = Peer(script)
    s = weir(f"location / {{ proxy_pass http://127.0.0.1:{peer.port}; }}")
    for _ in range(15):
        body = s.get("/").body
        assert len(body) == len(data) and body == data
    peer.stop()
