"""RFC 9110 (semantics): see musts.tsv."""
import email.utils
import os
import re
import time

import pytest

from conftest import Response
from http1 import Connection

WHEN = 784111777                               # Sun, 06 Nov 1994 08:49:37 GMT
IMF, RFC850, ASCTIME = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                        "Sun Nov  6 08:49:37 1994")
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"
TEXT = "0123456789"


@pytest.fixture
def site(weir, tmp_path):
    server = weir("""root html; if_modified_since before;
        location = /say { return 200 "$http_x|$uri|$cookie_a"; }
        location = /415 { return 415; } location = /205 { return 205 x; }
        location = /gone { return 410; } location = /moved { return 302 /say; }
        location = /keep { keepalive_timeout 60s 30s; return 200 x; }""",
                  files={"html/a.txt": TEXT, "html/dir/index.html": "index"})
    os.utime(tmp_path / "html/a.txt", (WHEN, WHEN))
    return server


def etag(server):
    return server.get("/a.txt").header("etag")


# ---- fields and messages ----

def test_own_redirect_can_be_followed(site):
    name = "d" * 250
    deep = "/".join([name] * 8)
    (site.dir / "html" / deep).mkdir(parents=True)
    response = site.get("/" + deep)
    assert response.status == 301
    location = response.header("location")
    assert site.get(location).status == 403    # a folder without an index: it was understood


def test_nothing_is_kept_between_requests(site):
    with Connection(site) as c:
        assert c.get("/say", "X: 1\r\nCookie: a=b\r\n").body == b"1|/say|b"
        assert c.get("/say").body == b"|/say|"


@pytest.mark.parametrize("target", ["http:///say", "https:///say", "http://:80/say", "http://?x", "http://"])
def test_empty_host(site, target):
    assert site.get(target).status == 400


def test_no_userinfo_in_location(site):
    assert site.get("http://user:secret@localhost/dir").status == 400
    assert site.get("/dir", host="user@localhost").status == 400
    assert "@" not in site.get("/dir").header("location")


def test_nothing_before_the_whole_head(weir):
    s = weir("root html; access_log access.log;", files={"html/a.txt": "A"})
    with Connection(s) as c:
        c.send("GET /a.txt HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.2)
        c.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            c.socket.recv(1)
        c.socket.settimeout(10)
        assert c.send("If-None-Match: *\r\n\r\n").read().status == 304


def test_large_fields(site):
    for fields in ({"X": "y" * 10000}, {"X" * 10000: "y"}, {f"X-{i}": "y" * 5000 for i in range(20)},
                   {f"X-{i}": "y" for i in range(2000)}):
        assert site.get("/say", fields).status == 400


def test_whitespace_around_values(site):
    for value in ("x", " x", "x ", "\t x \t", "x\t\t  "):
        assert site.get("/say", {"X": value}).body == b"x|/say|"
    assert site.get("/say", {"X": "a  b"}).body == b"a  b|/say|"


@pytest.mark.parametrize("value", [b"a\rb", b"a\nb", b"a\0b", b"\0", b"a\r", b"\rb"])
def test_bad_bytes_in_values(site, value):
    assert Response(site.raw(b"GET /say HTTP/1.1\r\nHost: x\r\nX: " + value + b"\r\n\r\n")).status == 400


def test_empty_list_elements(site):
    tag = etag(site)
    assert site.get("/a.txt", {"If-None-Match": f", \"x\",, {tag} ,"}).status == 304
    assert site.get("/a.txt", {"If-Match": f",,{tag}"}).status == 200
    assert site.get("/a.txt", {"Range": "bytes=0-0, ,2-2"}).status in (200, 206)
    with Connection(site) as c:
        assert c.get("/say", "Connection: ,, ,close ,\r\n").header("connection") == "close"


def test_bad_whitespace_in_chunk_extensions(site):
    with Connection(site) as c:
        c.send("POST /say HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
               "1 ; a = b ;\tc = \"d\" \r\nx\r\n0\r\n\r\n")
        assert c.read().status == 200
        assert c.get("/a.txt").body == TEXT.encode()


def test_dates(site):
    assert site.get("/a.txt").header("last-modified") == IMF
    for date in (IMF, RFC850, ASCTIME, LATER):
        assert site.get("/a.txt", {"If-Modified-Since": date}).status == 304
        assert site.get("/a.txt", {"If-Unmodified-Since": date}).status == 200
    for date in (EARLIER, EARLIER.replace("Sun,", "Sunday,").replace(" Nov 1994", "-Nov-94").replace(
            "06-", "06-"), "Sun Nov  6 08:49:36 1994"):
        assert site.get("/a.txt", {"If-Modified-Since": date}).status == 200
        assert site.get("/a.txt", {"If-Unmodified-Since": date}).status == 412


def test_two_digit_year(site):
    far = (time.gmtime().tm_year + 51) % 100   # is 49 years ago
    near = (time.gmtime().tm_year + 49) % 100  # lies ahead
    os.utime(site.dir / "html/a.txt", (time.time() - 3600,) * 2)
    assert site.get("/a.txt", {"If-Modified-Since": f"Sunday, 06-Nov-{far:02} 08:49:37 GMT"}).status == 200
    assert site.get("/a.txt", {"If-Modified-Since": f"Sunday, 06-Nov-{near:02} 08:49:37 GMT"}).status == 304


@pytest.mark.parametrize("version, status", [("1.0", 200), ("1.1", 200), ("1.2", 200), ("1.9", 200), ("2.0", 505),
                                             ("3.0", 505), ("0.9", 400), ("1.10", 400), ("01.1", 400)])
def test_version_of_the_response(site, version, status):
    response = site.get("/say", version=version)
    assert response.status == status and response.line.startswith("HTTP/1.1 ")


def test_date(site):
    for path, fields in (("/a.txt", {}), ("/none", {}), ("/dir", {}), ("/moved", {}), ("/gone", {}), ("/205", {}),
                         ("/a.txt", {"Range": "bytes=0-0"}), ("/a.txt", {"Range": "bytes=99-"}),
                         ("/a.txt", {"If-None-Match": "*"}), ("/a.txt", {"Content-Length": "x"})):
        date = email.utils.parsedate_to_datetime(site.get(path, fields).header("date"))
        assert abs(date.timestamp() - time.time()) < 5


def test_https_target_on_plain_connection(site):
    response = site.get("https://localhost/a.txt")
    assert response.status == 421 and TEXT.encode() not in response.body
    assert site.get("ftp://localhost/a.txt").status == 400


def test_keep_alive_field_is_listed(site):
    with Connection(site) as c:
        response = c.get("/keep")
        assert response.header("keep-alive") == "timeout=30"
        assert response.header("connection").lower() == "keep-alive"
        assert c.get("/keep", "Connection: close\r\n").header("keep-alive") is None


def test_no_upgrade(site):
    for protocol in ("websocket", "h2c", "HTTP/2.0, TLS/1.2"):
        for version in ("1.0", "1.1"):
            for expect in ({}, {"Expect": "100-continue", "Content-Length": "0"}):
                response = site.get("/say", {"Upgrade": protocol, "Connection": "upgrade, close",
                                             **expect}, version=version)
                assert response.status == 200 and response.header("upgrade") is None


def test_large_content_length(site):
    for length in ("9223372036854775807", "999999999999999999"):
        assert site.get("/a.txt", {"Content-Length": length}).status == 413
    for length in ("9223372036854775808", "18446744073709551617", "9" * 50):
        assert site.get("/a.txt", {"Content-Length": length}).status == 400


def test_truncated_file(weir):
    s = weir("root html; sendfile on; limit_rate 1m;", files={"html/big.bin": b"b" * (4 << 20)})
    s.allow("truncated")
    with Connection(s) as c:
        c.send("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        head = c.take_until(b"\r\n\r\n")
        os.truncate(s.dir / "html/big.bin", 1000)
        assert b"Content-Length: 4194304\r\n" in head
        assert len(c.rest()) < 4 << 20         # cut off, not padded


def test_content_location_is_ignored(site):
    response = site.get("/say", {"Content-Location": "/other", "X": "1"})
    assert response.body == b"1|/say|"


def test_last_modified_in_the_future(site):
    future = time.time() + 86400
    os.utime(site.dir / "html/a.txt", (future, future))
    response = site.get("/a.txt")
    date, modified = (email.utils.parsedate_to_datetime(response.header(name))
                      for name in ("date", "last-modified"))
    assert modified <= date


# ---- methods ----

def test_get_and_head(site):
    for path in ("/a.txt", "/dir/", "/say"):
        assert site.get(path).status == site.get(path, method="HEAD").status == 200


def test_head(site):
    for path, fields in (("/a.txt", {}), ("/none", {}), ("/dir/", {}), ("/dir", {}), ("/say", {}), ("/gone", {})):
        get, head = site.get(path, fields), site.get(path, fields, method="HEAD")
        assert head.body == b"" and head.status == get.status
        assert head.header("content-length") == get.header("content-length") == str(len(get.body))


@pytest.mark.parametrize("target", [b"localhost", b"localhost:", b"localhost:0", b"localhost:x", b"localhost:65536",
                                    b"/", b"*", b":80", b"http://localhost:80"])
def test_connect_without_port(site, target):
    answer = site.raw(b"CONNECT " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_expect_in_http10(site):
    answer = site.raw(b"POST /say HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 200 ") and b"HTTP/1.1 100" not in answer


def test_expect(site):
    """At once, while the client waits: 100, or as here the final status."""
    for path, status in (("/say", 200), ("/none", 404), ("/a.txt", 405)):
        with Connection(site, 3) as c:
            c.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
            response = c.read()
            assert response.status == status and response.header("connection") == "close"


def test_server_field(site):
    assert re.fullmatch(r"weir/\d+\.\d+\.\d+", site.get("/say").header("server"))


def test_allow(site):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "NEW-METHOD"):
        response = site.get("/a.txt", method=method)
        assert response.status == 405
        assert response.header("allow").replace(" ", "").split(",") == ["GET", "HEAD"]
    assert site.get("*", method="OPTIONS").status in (200, 204, 405)


def test_415_without_accept_encoding(site):
    response = site.get("/415")
    assert response.status == 415 and response.header("accept-encoding") is None


# ---- conditions ----

def test_if_match(site):
    tag = etag(site)
    for value in ("*", tag, f'"x", {tag}'):
        assert site.get("/a.txt", {"If-Match": value}).status == 200
    for value in ('"x"', "W/" + tag, f'W/{tag}, "x"'):
        response = site.get("/a.txt", {"If-Match": value})
        assert response.status == 412 and TEXT.encode() not in response.body


def test_if_none_match(site):
    tag = etag(site)
    for value in ("*", tag, "W/" + tag, f'"x", W/{tag}'):
        for method in ("GET", "HEAD"):
            response = site.get("/a.txt", {"If-None-Match": value}, method=method)
            assert response.status == 304 and response.body == b""
    assert site.get("/a.txt", {"If-None-Match": '"x"'}).status == 200


def test_if_none_match_beats_if_modified_since(site):
    assert site.get("/a.txt", {"If-None-Match": '"x"', "If-Modified-Since": LATER}).status == 200
    assert site.get("/a.txt", {"If-None-Match": etag(site), "If-Modified-Since": EARLIER}).status == 304


def test_if_modified_since_ignored(site):
    for value in ("yesterday", "", "0", f"{IMF}, {IMF}", IMF.replace("GMT", "UTC"), IMF.replace("GMT", ""),
                  "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 25:49:37 GMT", "784111777"):
        assert site.get("/a.txt", {"If-Modified-Since": value}).status == 200
    assert site.get("/a.txt", {"If-Modified-Since": LATER}, method="DELETE").status == 405


def test_conditions_without_date(site):
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        for date in (EARLIER, LATER):
            assert site.get("/say", {name: date}).status == 200


def test_if_match_beats_if_unmodified_since(site):
    assert site.get("/a.txt", {"If-Match": "*", "If-Unmodified-Since": EARLIER}).status == 200
    assert site.get("/a.txt", {"If-Match": etag(site), "If-Unmodified-Since": EARLIER}).status == 200


def test_if_unmodified_since(site):
    assert site.get("/a.txt", {"If-Unmodified-Since": LATER}).status == 200
    response = site.get("/a.txt", {"If-Unmodified-Since": EARLIER})
    assert response.status == 412 and TEXT.encode() not in response.body
    for value in ("yesterday", "", f"{EARLIER}, {EARLIER}"):
        assert site.get("/a.txt", {"If-Unmodified-Since": value}).status == 200


def test_if_range(site):
    tag = etag(site)
    for value, status in ((tag, 206), (IMF, 206), ('"x"', 200), ("W/" + tag, 200), (EARLIER, 200), (LATER, 200)):
        response = site.get("/a.txt", {"Range": "bytes=0-0", "If-Range": value})
        assert response.status == status
        assert response.body == (TEXT[:1] if status == 206 else TEXT).encode()
    assert site.get("/a.txt", {"If-Range": '"x"'}).status == 200
    assert site.get("/say", {"Range": "bytes=0-0", "If-Range": '"x"'}).status == 200


def test_conditions_after_checks(site):
    conditions = {"If-Match": '"x"', "If-Unmodified-Since": EARLIER, "If-None-Match": "*"}
    for path, method, status in (("/none", "GET", 404), ("/dir", "GET", 301), ("/gone", "GET", 410),
                                 ("/a.txt", "DELETE", 405), ("/moved", "GET", 302)):
        for name, value in conditions.items():
            assert site.get(path, {name: value}, method=method).status == status


def test_conditions_of_other_methods(site):
    for method in ("OPTIONS", "TRACE"):
        for fields in ({"If-Match": '"x"'}, {"If-None-Match": "*"}, {"If-Unmodified-Since": EARLIER}):
            assert site.get("/a.txt", fields, method=method).status == 405


def test_order_of_conditions(site):
    tag = etag(site)
    steps = [({"If-Match": '"x"', "If-None-Match": tag}, 412),
             ({"If-Unmodified-Since": EARLIER, "If-None-Match": tag}, 412),
             ({"If-Match": tag, "If-None-Match": tag}, 304),
             ({"If-Match": tag, "If-Modified-Since": LATER}, 304),
             ({"If-None-Match": tag, "Range": "bytes=0-0"}, 304),
             ({"If-Match": '"x"', "Range": "bytes=0-0"}, 412),
             ({"If-Match": tag, "If-Range": tag, "Range": "bytes=0-0"}, 206),
             ({"If-None-Match": '"x"', "If-Range": '"x"', "Range": "bytes=0-0"}, 200)]
    for fields, status in steps:
        assert site.get("/a.txt", fields).status == status, fields


# ---- ranges ----

def test_large_ranges(site):
    big = "9" * 40
    for value, status, body in ((f"bytes=0-{big}", 206, TEXT), (f"bytes=-{big}", 206, TEXT),
                                (f"bytes={big}-", 416, None), ("bytes=0-18446744073709551615", 206, TEXT),
                                ("bytes=18446744073709551616-", 416, None)):
        response = site.get("/a.txt", {"Range": value})
        assert response.status in (status, 416)
        if response.status == 206:
            assert response.body == body.encode()


def test_range_of_other_methods(site):
    head = site.get("/a.txt", {"Range": "bytes=0-0"}, method="HEAD")
    assert head.status == 200 and head.header("content-length") == str(len(TEXT))
    assert site.get("/a.txt", {"Range": "bytes=99-"}, method="HEAD").status == 200
    assert site.get("/a.txt", {"Range": "bytes=99-"}, method="DELETE").status == 405


def test_unknown_range_unit(site):
    for value in ("lines=0-0", "x=1", "bytes", "0-0"):
        assert site.get("/a.txt", {"Range": value}).status == 200


def test_content_range_in_a_request(site):
    response = site.get("/a.txt", {"Content-Range": "bytes 0-0/10"})
    assert response.status == 200 and response.body == TEXT.encode()


def test_single_range(site):
    for value, span in (("0-0", (0, 1)), ("2-4", (2, 5)), ("8-", (8, 10)), ("-3", (7, 10)), ("0-99", (0, 10))):
        response = site.get("/a.txt", {"Range": f"bytes={value}"})
        assert response.status == 206 and response.header("content-type") == "text/plain"
        assert response.header("content-range") == f"bytes {span[0]}-{span[1] - 1}/10"
        assert response.body == TEXT[span[0]:span[1]].encode()
        assert response.header("content-length") == str(len(response.body))


def test_multipart_ranges(site):
    response = site.get("/a.txt", {"Range": "bytes=0-1,4-5,-1"})
    kind = re.fullmatch(r"multipart/byteranges; boundary=(\S+)", response.header("content-type"))
    assert response.status == 206 and kind and response.header("content-range") is None
    assert b"\n" not in response.body.replace(b"\r\n", b"")
    parts = response.body.split(b"--" + kind[1].encode())
    assert len(parts) == 5 and parts[4].startswith(b"--")
    for part, (first, last) in zip(parts[1:4], ((0, 1), (4, 5), (9, 9))):
        head, _, content = part.partition(b"\r\n\r\n")
        assert f"Content-Range: bytes {first}-{last}/10".encode() in head
        assert content == TEXT[first:last + 1].encode() + b"\r\n"


CACHE_FIELDS = ("etag", "cache-control", "content-location", "expires", "vary")


def test_fields_of_206(site):
    full = site.get("/a.txt")
    part = site.get("/a.txt", {"Range": "bytes=0-0"})
    assert part.header("date")
    for name in CACHE_FIELDS + ("last-modified", "content-type"):
        assert part.header(name) == full.header(name)


def test_not_modified(site):
    full = site.get("/a.txt")
    short = site.get("/a.txt", {"If-None-Match": full.header("etag")})
    assert short.status == 304 and short.header("date")
    for name in CACHE_FIELDS:
        assert short.header(name) == full.header(name)
    assert short.header("content-length") in (None, full.header("content-length"))


def test_205_has_no_content(site):
    with Connection(site) as c:
        response = c.get("/205")
        assert (response.status, response.header("content-length"), response.body) == (205, "0", b"")
        assert c.get("/a.txt").status == 200
