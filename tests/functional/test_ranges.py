"""Range requests over files, cached or not."""
import os
import re

import pytest

TEXT = bytes(range(65, 91)) * 4000              # 104,000 bytes


@pytest.fixture(params=["", "open_file_cache max=100;"])
def server(weir, request):
    s = weir("root @DIR@/html;\n" + request.param + """
        sendfile on;
        types { text/plain txt; }
        location /one/ { alias @DIR@/html/; max_ranges 1; }
        location /none/ { alias @DIR@/html/; max_ranges 0; }
        location /page/ { error_page 404 /t.txt; }
        """, files={"html/t.txt": TEXT, "html/s.txt": TEXT[:26], "html/empty": b""})
    return s


def ranged(server, path, value, **more):
    return server.get(path, {"Range": value, **more})


@pytest.mark.parametrize("path,size", [("/t.txt", len(TEXT)), ("/s.txt", 26)])
def test_single(server, path, size):
    whole = TEXT[:size]
    for value, first, last in [("0-4", 0, 4), ("5-5", 5, 5), (f"{size - 2}-", size - 2, size - 1),
                               ("-7", size - 7, size - 1), ("3-9999999999", 3, size - 1),
                               ("-9999999999", 0, size - 1), ("0-", 0, size - 1)]:
        r = ranged(server, path, "bytes=" + value)
        assert r.status == 206, value
        assert r.header("Content-Range") == f"bytes {first}-{last}/{size}"
        assert r.header("Content-Length") == str(last - first + 1)
        assert r.header("Accept-Ranges") is None
        assert r.body == whole[first:last + 1]


def test_multipart(server):
    for path, whole in [("/t.txt", TEXT), ("/s.txt", TEXT[:26])]:
        r = ranged(server, path, "bytes=1-3, 10-12 ,-2")
        boundary = re.fullmatch(r"multipart/byteranges; boundary=(\d{20})", r.header("Content-Type"))[1]
        assert r.status == 206 and len(r.body) == int(r.header("Content-Length"))
        parts = r.body.split(b"\r\n--" + boundary.encode())
        assert parts[0] == b"" and parts[-1] == b"--\r\n"
        size = len(whole)
        assert parts[1:-1] == [
            b"\r\nContent-Type: text/plain\r\nContent-Range: bytes %d-%d/%d\r\n\r\n" % (a, b, size)
            + whole[a:b + 1] for a, b in [(1, 3), (10, 12), (size - 2, size - 1)]]
        other = ranged(server, path, "bytes=1-3,10-12")
        assert boundary not in other.header("Content-Type")
        head = server.get(path, {"Range": "bytes=1-3, 10-12 ,-2"}, method="HEAD")
        assert (head.status, head.header("Content-Length"), head.body) == (200, str(size), b"")


def test_refused_and_ignored(server):
    for value in ("26-", "30-40", "-0", "5-4", "x", "1", "", ",", "99999999999999999999-"):
        r = ranged(server, "/s.txt", "bytes=" + value)
        assert r.status == 416, value
        assert r.header("Content-Range") == "bytes */26"
    for value in ("items=0-1", "bytes", "bytes=0-20,5-25", "nonsense"):
        r = ranged(server, "/s.txt", value)
        assert r.status == 200 and r.body == TEXT[:26], value
        assert r.header("Accept-Ranges") == "bytes"
    assert ranged(server, "/empty", "bytes=0-").status == 200
    assert ranged(server, "/s.txt", "bytes=0-1,40-50").header("Content-Range") == "bytes 0-1/26"
    assert ranged(server, "/page/x", "bytes=0-1").status == 404


def test_max_ranges(server):
    assert ranged(server, "/one/s.txt", "bytes=0-1").status == 206
    assert ranged(server, "/one/s.txt", "bytes=0-1,3-4").status == 200
    r = ranged(server, "/none/s.txt", "bytes=0-1")
    assert r.status == 200 and r.header("Accept-Ranges") is None


def test_if_range(server):
    r = server.get("/s.txt")
    good = [r.header("ETag"), r.header("Last-Modified")]
    bad = ['"x"', "W/" + r.header("ETag"), "Sun, 06 Nov 1994 08:49:37 GMT", "nonsense", ""]
    for value in good:
        assert ranged(server, "/s.txt", "bytes=0-1", **{"If-Range": value}).status == 206
    for value in bad:
        assert ranged(server, "/s.txt", "bytes=0-1", **{"If-Range": value}).status == 200


def test_many_ranges(server):
    """As many as fit into a head; bodies stay below the whole."""
    value = "bytes=" + ",".join(f"{i * 20}-{i * 20}" for i in range(700))
    r = ranged(server, "/t.txt", value)
    assert r.status == 206 and len(r.body) == int(r.header("Content-Length"))
    assert r.body.count(b"Content-Range: ") == 700
