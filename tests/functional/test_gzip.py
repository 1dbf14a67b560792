"""gzip, gunzip, and files that lie compressed beside the original."""
import gzip
import socket

import pytest

TEXT = b"".join(b"<p>line %d of a page that repeats itself</p>\n" % i for i in range(9000))
ACCEPT = {"Accept-Encoding": "gzip"}


@pytest.fixture
def server(weir):
    return weir("""
        root @DIR@/html;
        default_type text/html;
        gzip on;
        location / { }
        location /cached/ { alias @DIR@/html/; open_file_cache max=10; gzip_vary on; }
        location /threads/ { alias @DIR@/html/; aio threads; }
        location /best/ { alias @DIR@/html/; gzip_comp_level 9; }
        location /tiny/ { alias @DIR@/html/; gzip_window 1k; gzip_hash 512; gzip_buffers 1 256; }
        location /types/ { alias @DIR@/html/; types { text/css css; } gzip_types text/css; }
        location /any/ { alias @DIR@/html/; types { text/css css; } gzip_types *; }
        location /old/ { alias @DIR@/html/; gzip_http_version 1.0; gzip_disable "Bad[0-9]" msie6; }
        location /proxied/ { alias @DIR@/html/; gzip_proxied expired no_etag auth;
            location /proxied/past/ { alias @DIR@/html/; expires -1; }
            location /proxied/any/ { alias @DIR@/html/; gzip_proxied any; } }
        location /ratio { return 200 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
            add_trailer Ratio $gzip_ratio; }
        """, files={"html/a": TEXT, "html/s": TEXT[:3000], "html/short": "0123456789",
                    "html/x.css": TEXT[:500], "html/empty": ""})


@pytest.mark.parametrize("place", ["/", "/cached/", "/best/", "/tiny/", "/threads/"])
@pytest.mark.parametrize("name,size", [("a", len(TEXT)), ("s", 3000)])
def test_bodies(server, place, name, size):
    text = TEXT[:size]
    for _ in range(3):
        r = server.get(place + name, ACCEPT)
        assert r.header("Content-Encoding") == "gzip" and r.header("Content-Length") is None
        assert r.header("ETag").startswith("W/") and r.header("Accept-Ranges") is None
        assert gzip.decompress(r.body) == text and len(r.body) < len(text) / 3
        assert r.header("Vary") == ("Accept-Encoding" if place == "/cached/" else None)
    plain = server.get(place + name)
    assert plain.body == text and not plain.header("ETag").startswith("W/")
    assert plain.header("Vary") == ("Accept-Encoding" if place == "/cached/" else None)


def test_conditional(server):
    etag = server.get("/a", ACCEPT).header("ETag")
    assert server.get("/a", {**ACCEPT, "If-None-Match": etag}).status == 304
    head = server.get("/a", ACCEPT, method="HEAD")
    assert head.header("Content-Encoding") is None and head.header("Content-Length") == str(len(TEXT))
    r = server.get("/a", {**ACCEPT, "Range": "bytes=0-9"})
    assert r.status == 200 and gzip.decompress(r.body) == TEXT


@pytest.mark.parametrize("value,on", [
    ("gzip", 1), ("GZIP", 1), ("deflate, gzip;q=0.5", 1), ("gzip;q=0", 0), ("gzip;q=0.000", 0),
    ("gzip ; q=1.000", 1), ("x-gzip", 0), ("gzipped", 0), ("*", 0), ("br,gzip", 1), ("gzip;q=2", 0),
    ("gzip;q=", 0), ("identity", 0), ("", 0), (" gzip ", 1), ("gzip;q=0.001", 1)])
def test_accept(server, value, on):
    r = server.get("/s", {"Accept-Encoding": value})
    assert (r.header("Content-Encoding") == "gzip") == bool(on)


def test_conditions(server):
    def coded(path, version="1.1", **headers):
        fields = {k.replace("_", "-"): v for k, v in headers.items()}
        return server.get(path, {**ACCEPT, **fields}, version=version).header("Content-Encoding") == "gzip"
    assert not coded("/short") and not coded("/empty")
    assert coded("/types/x.css") and coded("/any/x.css")
    assert not coded("/s", version="1.0") and coded("/old/s", version="1.0")
    assert not coded("/old/s", User_Agent="bad7") and coded("/old/s", User_Agent="bad")
    assert not coded("/old/s", User_Agent="Mozilla/4.0 (compatible; MSIE 6.0; Windows)")
    assert coded("/old/s", User_Agent="Mozilla/4.0 (compatible; MSIE 6.0; Windows; SV1)")
    assert coded("/old/s", User_Agent="Mozilla/4.0 (compatible; MSIE 7.0; Windows)")
    assert not coded("/s", Via="1.1 x") and not coded("/proxied/s", Via="1.1 x")
    assert coded("/proxied/s", Via="1.1 x", Authorization="Basic eDp5")
    assert coded("/proxied/past/s", Via="1.1 x") and coded("/proxied/any/s", Via="1.1 x")


def test_ratio(server):
    with socket.create_connection(("127.0.0.1", server.port), 5) as s:
        s.sendall(b"GET /ratio HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := s.recv(65536):
            data += piece
    assert b"\r\n0\r\nRatio: " in data


def test_many_at_once(server):
    """States are given back and used again, also by those who leave early."""
    for _ in range(20):
        s = server.connect()
        s.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
        s.recv(10)
        s.close()
        assert gzip.decompress(server.get("/a", ACCEPT).body) == TEXT


@pytest.fixture
def static(weir):
    return weir("""
        root @DIR@/html;
        default_type text/html;
        location / { gzip_static on; brotli_static on; zstd_static on; }
        location /only/ { alias @DIR@/html/; gzip_static on; }
        location /vary/ { alias @DIR@/html/; gzip_static on; gzip_vary on; }
        location /always/ { alias @DIR@/html/; gzip_static always; gunzip on; gzip_vary on; }
        location /small/ { alias @DIR@/html/; gzip_static always; gunzip on; gunzip_buffers 1 256; }
        """, files={"html/a": "plain", "html/a.gz": gzip.compress(TEXT), "html/a.br": "brotli",
                    "html/a.zst": "zstd", "html/b": "plain", "html/b.gz": gzip.compress(b"b"),
                    "html/c.gz": gzip.compress(b"1") + gzip.compress(b"2"), "html/d.gz/x": "",
                    "html/d": "plain", "html/cut.gz": gzip.compress(TEXT)[:-9], "html/e": "plain",
                    "html/bad.gz": b"no gzip", "html/dir/x": ""})


@pytest.mark.parametrize("accept,coding", [
    ("gzip", "gzip"), ("gzip, br", "br"), ("br;q=0.5, gzip", "gzip"), ("zstd", "zstd"),
    ("br, zstd;q=0.9, gzip;q=0.1", "br"), ("br;q=0, gzip;q=0.1", "gzip"), ("", None), ("br;q=0", None)])
def test_static_choice(static, accept, coding):
    r = static.get("/a", {"Accept-Encoding": accept})
    assert r.header("Content-Encoding") == coding
    assert r.header("Vary") == "Accept-Encoding"
    expected = {"gzip": gzip.compress(TEXT), "br": b"brotli", "zstd": b"zstd", None: b"plain"}[coding]
    assert len(r.body) == len(expected) and r.header("Content-Length") == str(len(expected))
    assert r.header("Content-Type") == "text/html"
    head = static.get("/a", {"Accept-Encoding": accept}, method="HEAD")
    assert head.header("ETag") == r.header("ETag") and head.body == b""
    again = static.get("/a", {"Accept-Encoding": accept, "If-None-Match": r.header("ETag")})
    assert again.status == 304 and again.header("Vary") == "Accept-Encoding"


def test_static(static):
    assert static.get("/only/b", ACCEPT).header("Vary") is None      # gzip_vary is off
    assert static.get("/vary/b").header("Vary") == "Accept-Encoding"
    assert static.get("/vary/e").header("Vary") is None and static.get("/d", ACCEPT).body == b"plain"
    assert static.get("/dir", ACCEPT).status == 301 and static.get("/none", ACCEPT).status == 404
    assert static.get("/a", ACCEPT, method="POST").status == 405


@pytest.mark.parametrize("place", ["/always/", "/small/"])
def test_gunzip(static, place):
    r = static.get(place + "a")
    assert r.body == TEXT and r.header("Content-Encoding") is None and r.header("ETag").startswith("W/")
    assert static.get(place + "c").body == b"12"
    r = static.get(place + "a", ACCEPT)
    assert r.header("Content-Encoding") == "gzip" and gzip.decompress(r.body) == TEXT
    for name in ("cut", "bad"):
        data = static.raw(f"GET {place}{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert not data.endswith(b"0\r\n\r\n")
    static.wait_log("gunzip: ")
