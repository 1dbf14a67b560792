"""mirror: copies of requests."""
import time

import pytest


def wait_lines(path, count):
    end = time.monotonic() + 5
    while time.monotonic() < end:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.02)
    raise AssertionError(lines)


@pytest.fixture
def server(weir):
    return weir(http="""
        log_format m "$request_method $uri $args $request_uri";
        server {
            listen 127.0.0.1:@PORT@;
            mirror /copy/1;
            mirror /copy/2;
            location / { return 200 "main"; }
            location /off { mirror off; return 200 "off"; }
            location /file { alias @DIR@/html/f; }
            location /bare { mirror_request_body off; mirror /copy/3; alias @DIR@/html/f; }
            location /copy { internal; log_subrequest on; aio threads; access_log @DIR@/copies m; alias @DIR@/html; }
        }""", files={"html/f": "file", "html/1": "x" * 100000})


def test_mirror(server):
    assert server.get("/file?a=1").body == b"file"
    assert sorted(wait_lines(server.dir / "copies", 2)) == ["GET /copy/1 a=1 /file?a=1", "GET /copy/2 a=1 /file?a=1"]
    assert server.get("/file", method="POST", body=b"b" * 100000).status == 405
    assert sorted(wait_lines(server.dir / "copies", 4)[2:]) == ["POST /copy/1  /file", "POST /copy/2  /file"]
    assert server.get("/bare").body == b"file"
    assert wait_lines(server.dir / "copies", 5)[4] == "GET /copy/3  /bare"
    assert server.get("/off").body == b"off"
    assert len(wait_lines(server.dir / "copies", 5)) == 5


def test_keep_alive(server):
    data = server.raw(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n" * 3 +
                      b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert data.count(b"200 OK") == 4
    assert len(wait_lines(server.dir / "copies", 8)) == 8


def test_client_that_leaves(server):
    for _ in range(20):
        with server.connect() as s:
            s.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(wait_lines(server.dir / "copies", 40)) == 40
    assert server.get("/off").body == b"off"
