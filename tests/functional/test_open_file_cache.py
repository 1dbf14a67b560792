"""open_file_cache: what is remembered, for how long, and what is noticed."""
import os
import time

import pytest

from conftest import open_files

AIO = ["", "aio threads;"]


def fds(server):
    """Descriptors of files below html/ that the process holds."""
    return [path for path in open_files(server.process.pid) if f"{server.dir}/html" in path]


def wait_fds(server, count):
    """A descriptor may outlive its response by a moment."""
    end = time.monotonic() + 10
    while len(fds(server)) != count:
        assert time.monotonic() < end, fds(server)
        time.sleep(0.02)


def put(server, name, content):
    path = server.dir / "html" / name
    new = server.dir / "new"
    new.write_bytes(content)
    os.rename(new, path)


@pytest.mark.parametrize("aio", AIO)
def test_changes_are_seen_after_valid(weir, aio):
    server = weir("root @DIR@/html; open_file_cache max=10; open_file_cache_valid 1s;" + aio,
                  files={"html/a": "one", "html/big": "1" * 200000})
    assert server.get("/a").body == b"one"
    assert server.get("/big").body == b"1" * 200000
    put(server, "a", b"two!")
    put(server, "big", b"2" * 150000)
    assert server.get("/a").body == b"one"
    assert server.get("/big").body == b"1" * 200000
    time.sleep(1.2)
    r = server.get("/a")
    assert r.body == b"two!" and r.header("Content-Length") == "4"
    assert server.get("/big").body == b"2" * 150000
    with open(server.dir / "html/a", "r+b") as f:      # in place, the same size
        f.write(b"333!")
    time.sleep(1.2)
    assert server.get("/a").body == b"333!"
    os.unlink(server.dir / "html/a")
    time.sleep(1.2)
    assert server.get("/a").status == 404
    put(server, "a", b"back")
    assert server.get("/a").body == b"back"


def test_unchanged_files_stay(weir):
    server = weir("root @DIR@/html; open_file_cache max=10; open_file_cache_valid 1s;",
                  files={"html/big": "1" * 200000})
    server.get("/big")
    first = fds(server)
    assert len(first) == 1
    time.sleep(1.2)
    assert server.get("/big").status == 200 and fds(server) == first


@pytest.mark.parametrize("aio", AIO)
def test_errors(weir, aio):
    server = weir("root @DIR@/html; open_file_cache max=10; open_file_cache_valid 1s;" + aio + """
        location /e/ { open_file_cache_errors on; }""", files={"html/x": "", "html/e/x": ""})
    assert server.get("/a").status == 404
    assert server.get("/e/a").status == 404
    put(server, "a", b"now")
    put(server, "e/a", b"now")
    assert server.get("/a").body == b"now"
    assert server.get("/e/a").status == 404
    time.sleep(1.2)
    assert server.get("/e/a").body == b"now"


def test_min_uses(weir):
    server = weir("root @DIR@/html; open_file_cache max=10; open_file_cache_min_uses 3;",
                  files={"html/big": "1" * 200000})
    for uses in range(1, 6):
        assert server.get("/big").status == 200
        wait_fds(server, 1 if uses >= 3 else 0)


@pytest.mark.parametrize("aio", AIO)
def test_max(weir, aio):
    server = weir("root @DIR@/html; open_file_cache max=3;" + aio,
                  files={f"html/{i}": "1" * 200000 for i in range(10)})
    for i in range(10):
        assert server.get(f"/{i}").status == 200
    wait_fds(server, 3)


def test_inactive(weir):
    server = weir("root @DIR@/html; open_file_cache max=10 inactive=1s;",
                  files={"html/big": "1" * 200000})
    server.get("/big")
    assert len(fds(server)) == 1
    wait_fds(server, 0)
    assert server.get("/big").status == 200


def test_small_files_hold_no_descriptor(weir):
    server = weir("root @DIR@/html; open_file_cache max=10;", files={"html/a": "x" * 1000})
    for _ in range(3):
        assert server.get("/a").body == b"x" * 1000
    assert fds(server) == []


def test_types_differ(weir):
    """One file under two types, and with and without an entity tag."""
    server = weir("""root @DIR@/html; open_file_cache max=10; default_type text/one;
        location /two/ { alias @DIR@/html/; default_type text/two; }
        location /none/ { alias @DIR@/html/; etag off; max_ranges 0; }
        location /page/ { error_page 404 =404 /a; }
        """, files={"html/a": "x"})
    for _ in range(2):
        assert server.get("/a").header("Content-Type") == "text/one"
        assert server.get("/two/a").header("Content-Type") == "text/two"
        r = server.get("/none/a")
        assert r.header("ETag") is None and r.header("Accept-Ranges") is None
        r = server.get("/page/none")
        assert r.status == 404 and r.body == b"x" and r.header("Accept-Ranges") is None


def test_folders_and_index(weir):
    server = weir("root @DIR@/html; open_file_cache max=100; open_file_cache_errors on; "
                  "index no.html index.html; location /t/ { try_files $uri $uri/ =404; }",
                  files={"html/d/index.html": "index", "html/t/e/index.html": "T"})
    for _ in range(3):
        assert server.get("/d/").body == b"index"
        assert server.get("/d").status == 301
        assert server.get("/t/e/").body == b"T"
        assert server.get("/t/no").status == 404


def test_removed_while_sent(weir):
    server = weir("root @DIR@/html; open_file_cache max=1; sendfile on;",
                  files={"html/large": b"a" * (10 << 20), "html/b": "b" * 200000})
    with server.connect() as s:
        s.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = s.recv(1000)
        os.unlink(server.dir / "html/large")
        assert server.get("/b").status == 200   # puts the other out of the cache
        while data := s.recv(1 << 20):
            got += data
    same = got.partition(b"\r\n\r\n")[2] == b"a" * (10 << 20)
    assert same
