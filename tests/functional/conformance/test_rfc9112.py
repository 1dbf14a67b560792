"""RFC 9112 (HTTP/1.1): see musts.tsv."""
import re

import pytest

from conftest import Response
from http1 import Connection

FILES = {"html/a.txt": "A", "html/dir/index.html": "index", "html/some.bin": "s" * 5000}
HEAD = b"Host: localhost\r\n"


@pytest.fixture
def site(weir):
    return weir("""root html;
        location = /host { return 200 "$host"; }
        location = /say { return 200 "$request_uri|$http_x"; }
        location = /204 { return 204; } location = /205 { return 205 x; }
        location = /299 { return 299 x; } location = /off { chunked_transfer_encoding off; }
        location /to/ { return 302 $uri; }""", files=FILES)


def refused(server, data, status=400):
    """The answer is that status, says close, and nothing behind it is processed."""
    answer = server.raw(data + b"GET /host HTTP/1.1\r\nHost: behind\r\nConnection: close\r\n\r\n")
    response = Response(answer)
    assert response.status == status, answer
    assert response.header("connection") == "close"
    assert answer.count(b"HTTP/1.1 ") == 1 and b"behind" not in answer
    return True


def head(*fields, line=b"GET /say HTTP/1.1"):
    return b"\r\n".join((line, b"Host: localhost") + fields) + b"\r\n\r\n"


def raw_head(answer):
    return answer.partition(b"\r\n\r\n")[0]


# ---- message format ----

def test_bytes_not_characters(site):
    value = b"\xc0\x8a\xe5\x98\x8a\xff"        # bytes that a decoder might take for line feeds
    answer = site.raw(head(b"X: " + value, b"Connection: close"))
    assert answer.endswith(b"|" + value)


def test_no_bare_cr_is_sent(site):
    for path in (b"/to/%0d", b"/to/%0dX:%20y", b"/say?%0d", b"/none%0d"):
        answer = raw_head(site.raw(head(b"Connection: close", line=b"GET " + path + b" HTTP/1.1")))
        assert answer.startswith(b"HTTP/1.1 ")
        assert b"\r" not in answer.replace(b"\r\n", b"")


@pytest.mark.parametrize("data", [
    b"GET /say\r HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /say HTTP/1.1\rHost: x\r\n\r\n",
    b"GET\r/say HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /say HTTP/1.1\r\r\nHost: x\r\n\r\n",
    b"GET /say HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", b"GET /say HTTP/1.1\r\nHost: x\r\nX\r: a\r\n\r\n",
    b"GET /say HTTP/1.1\r\nHost: x\r\nX: a\r\r\n\r\n", b"GET /say HTTP/1.1\r\nHost: x\r\n\rX: a\r\n\r\n",
    b"GET /say HTTP/1.1\r\nHost: x\r\nX: \ra\r\n\r\n",
])
def test_bare_cr_is_refused(site, data):
    assert refused(site, data)


SYNTAX = re.compile(rb"HTTP/1\.1 [1-5]\d\d [\t -~]*(\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[!-~]([ \t!-~]*[!-~])?)*")
DATE = rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT"


def test_response_syntax(site):
    for fields in ((), (b"Range: bytes=0-0",), (b"Range: bytes=0-0,2-2",), (b"Range: bytes=9999-",),
                   (b"If-None-Match: *",), (b"Content-Length: x",)):
        for path in (b"/some.bin", b"/dir", b"/dir/", b"/none", b"/204", b"/299", b"/to/x"):
            answer = raw_head(site.raw(head(b"Connection: close", *fields,
                                            line=b"GET " + path + b" HTTP/1.1")))
            assert SYNTAX.fullmatch(answer), answer
            names = [line.split(b":")[0].lower() for line in answer.split(b"\r\n")[1:]]
            assert len(names) == len(set(names)), answer
            for line in answer.split(b"\r\n")[1:]:
                name, _, value = line.partition(b": ")
                assert b",," not in value and not value.endswith(b",")
                if name in (b"Date", b"Last-Modified"):
                    assert re.fullmatch(DATE, value), line
                if name == b"Connection":
                    assert value in (b"close", b"keep-alive")


@pytest.mark.parametrize("space", [b" ", b"\t", b"  \t", b" X: y\r\n ", b" \r\n"])
def test_whitespace_before_the_first_field(site, space):
    assert refused(site, b"GET /say HTTP/1.1\r\n" + space + HEAD + b"\r\n")


# ---- the request line ----

def test_long_target(site):
    for size in (10000, 1000000):
        assert refused(site, b"GET /" + b"a" * size + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414)


def test_host_missing(site):
    assert refused(site, b"GET /host HTTP/1.1\r\n\r\n")
    assert refused(site, b"GET http://localhost/host HTTP/1.1\r\n\r\n")
    assert refused(site, b"GET /host HTTP/1.2\r\nX: y\r\n\r\n")
    assert Response(site.raw(b"GET /say HTTP/1.0\r\n\r\n")).status == 200


def test_host_repeated(site):
    assert refused(site, head(b"Host: localhost"))
    assert refused(site, head(b"HOST: other"))
    assert refused(site, b"GET /host HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize("host", [
    b"", b" ", b".", b"a b", b"a\tb", b"a,b c", b"a/b", b"/", b"a?b", b"a#b", b"user@a", b"a\\b", b"a\"b",
    b"a<b>", b"a:b", b"a:", b"a:65536", b"a:80:80", b"a:-1", b"a:+1", b":80", b"[", b"[]", b"[::1", b"::1",
    b"[::1]x", b"[::g]", b"[1.2.3.4]", b"a..b", b"http://a", b"a%", b"a%zz", b"\xc3\xa9", b"a\x01b",
])
def test_host_invalid(site, host):
    if host == b"a:":                          # a port may be empty, RFC 3986 section 3.2.3
        assert site.get("/host", host="a:").body == b"a"
        return
    assert refused(site, b"GET /host HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert refused(site, b"GET http://good/host HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")


def test_absolute_form_beats_host(weir):
    s = weir(http="""server { listen 127.0.0.1:@PORT@ default_server; return 200 "default $host"; }
        server { listen 127.0.0.1:@PORT@; server_name one; return 200 "one $host"; }
        server { listen 127.0.0.1:@PORT@; server_name two; return 200 "two $host"; }""")
    assert s.get("http://one/", host="two").body == b"one one"
    assert s.get("http://ONE:8080?x", host="two").body == b"one one"
    assert s.get("http://three/", host="two").body == b"default three"
    assert s.get("/", host="two").body == b"two two"


@pytest.mark.parametrize("target, seen", [
    ("http://localhost/say?a", b"/say?a|"), ("HTTP://localhost/say", b"/say|"),
    ("http://localhost:1/say", b"/say|"), ("http://[::1]/say", b"/say|"),
])
def test_absolute_form(site, target, seen):
    assert site.get(target).body == seen
    assert site.get(target, version="1.0").body == seen


def test_status_without_reason(site):
    assert site.raw(head(b"Connection: close", line=b"GET /299 HTTP/1.1")).startswith(
        b"HTTP/1.1 299 \r\n")


# ---- fields ----

@pytest.mark.parametrize("field", [b"X : y", b"X\t: y", b"Content-Length : 0", b"Transfer-Encoding\t: chunked",
                                   b"Host : x", b"X\x0b: y", b"X\x00: y", b": y", b"X", b""])
def test_space_before_colon(site, field):
    if field:
        assert refused(site, head(field))
        assert refused(site, head(b"A: b", field, b"C: d"))


@pytest.mark.parametrize("fold", [b"X: a\r\n b", b"X: a\r\n\tb", b"X:\r\n a", b"X: a\n b", b"X: a\r\n \r\n b",
                                  b"Content-Length:\r\n 5"])
def test_folding(site, fold):
    assert refused(site, head(fold))


# ---- framing ----

def post(*fields, line=b"POST /say HTTP/1.1"):
    return head(*fields, line=line)


def test_chunked_is_taken(site):
    body = b"1\r\na\r\n0a;x=y\r\n0123456789\r\n0\r\n\r\n"
    with Connection(site) as c:
        for coding in (b"chunked", b"Chunked", b"CHUNKED "):
            c.send(post(b"Transfer-Encoding: " + coding) + body)
            assert c.read().status == 200
        assert c.get("/a.txt").body == b"A"


@pytest.mark.parametrize("data", [
    b"1\n", b"+1\r\n", b"-1\r\n", b"0x1\r\n", b" 1\r\n", b"\r\n", b"g\r\n", b"1\r\nab\r\n", b"1\r\na\n",
    b"1;\x00\r\n", b"1;a\nb\r\n", b"1;a\rb\r\n", b"1 2\r\n", b"0\r\nX y\r\n", b"0\r\n X: y\r\n", b"0\r\nX: a\rb\r\n",
])
def test_chunked_once(site, data):
    """Nothing but one layer of well-formed chunks is content: else the connection ends."""
    for coding in (b"chunked, chunked", b"chunked,\tchunked"):
        assert refused(site, post(b"Transfer-Encoding: " + coding))
    with Connection(site) as c:
        c.send(post(b"Transfer-Encoding: chunked") + data + b"GET /host HTTP/1.1\r\nHost: behind\r\n\r\n")
        assert c.read().status == 400          # though nobody wanted the content
        assert c.closed()


def test_no_framing_with_1xx_and_204(site):
    with Connection(site) as c:
        response = c.get("/204")
        assert response.header("transfer-encoding") is None
        assert response.header("content-length") is None
        assert c.get("/204", method="HEAD").header("content-length") is None


@pytest.mark.parametrize("target", [b"localhost:443", b"localhost:80", b"[::1]:80"])
def test_connect_is_refused(site, target):
    response = Response(site.raw(head(line=b"CONNECT " + target + b" HTTP/1.1")))
    assert response.status == 405 and response.header("allow")


def test_no_chunks_for_http10(weir):
    s = weir("autoindex on; root html;", files={"html/a.txt": "A"})
    for version in ("1.0", "1.1"):
        response = s.get("/", version=version)
        assert response.status == 200
        if version == "1.0":
            assert response.header("transfer-encoding") is None and b"a.txt" in response.body


@pytest.mark.parametrize("fields", [
    (b"Content-Length: 5", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: chunked", b"Content-Length: 0"),
    (b"Content-Length: 5", b"Transfer-Encoding: x"), (b"Content-Length: 5", b"Transfer-Encoding:"),
    (b"Content-length: 5", b"tRANSFER-eNCODING: chunked"),
])
def test_length_and_coding(site, fields):
    assert refused(site, post(*fields) + b"0\r\n\r\n")


def test_coding_in_http10(site):
    for fields in ((), (b"Content-Length: 5",), (b"Connection: keep-alive",)):
        assert refused(site, post(b"Transfer-Encoding: chunked", *fields, line=b"POST /say HTTP/1.0")
                       + b"0\r\n\r\n")


def test_one_framing_is_sent(site):
    for path in ("/a.txt", "/none", "/dir/", "/say"):
        response = site.get(path)
        assert (response.header("content-length") is None) != (response.header("transfer-encoding") is None)


@pytest.mark.parametrize("value, status", [
    (b"gzip", 501), (b"identity", 501), (b"chunked, gzip", 501), (b"chunked, identity", 501), (b"", 400),
    (b"x-chunked", 501), (b"chunkedx", 501), (b"chunked, chunked", 400), (b"\"chunked\"", 400), (b"chunked;q=1", 400), (b"chunked,", 400),
    (b"chunked chunked", 400), (b"\x0bchunked", 400), (b"gzip, chunked", 501),
])
def test_coding_without_chunked_at_the_end(site, value, status):
    assert refused(site, post(b"Transfer-Encoding: " + value), status)
    assert refused(site, post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: " + value))
    assert refused(site, post(b"Transfer-Encoding: " + value, b"Transfer-Encoding: chunked"))


@pytest.mark.parametrize("value", [
    b"", b"+5", b"-5", b"-1", b"5,5", b"5, 5", b"5 5", b"0x5", b"5a", b"a", b"5.0", b"5e0", b"\x0b5", b"5;", b"'5'",
    b"18446744073709551616", b"99999999999999999999999", b"9223372036854775808", b"\xef\xbc\x95",
])
def test_length_invalid(site, value):
    assert refused(site, post(b"Content-Length: " + value) + b"12345")
    assert refused(site, head(b"Content-Length: " + value) + b"12345")
    assert refused(site, post(b"Content-Length: 5", b"Content-Length: " + value) + b"12345")
    assert refused(site, post(b"Content-Length: 5", b"Content-Length: 5") + b"12345")


@pytest.mark.parametrize("fields, part", [(b"Content-Length: 10", b"12345"),
                                          (b"Transfer-Encoding: chunked", b"a\r\n12345")])
def test_incomplete_body(site, fields, part):
    with Connection(site) as c:
        c.send(post(fields) + part)
        assert c.read().status == 200
        c.socket.shutdown(1)
        assert c.closed()


@pytest.mark.parametrize("size", [b"f" * 16, b"1" + b"0" * 16, b"8" + b"0" * 15, b"f" * 100, b"0" * 50 + b"f" * 17])
def test_large_chunk_size(site, size):
    with Connection(site) as c:
        c.send(post(b"Transfer-Encoding: chunked") + size + b"\r\n")
        assert c.read().status == 400
        c.send(b"x" * 100)
        assert c.closed()


def test_chunk_extensions_are_ignored(site):
    with Connection(site) as c:
        for extension in (b";a", b";a=b", b";a=\"b;c\\\"d\"", b";a;b=c;d=\"\"", b";chunked"):
            c.send(post(b"Transfer-Encoding: chunked") + b"2" + extension + b"\r\nab\r\n0" + extension
                   + b"\r\n\r\n")
            assert c.read().status == 200
        assert c.get("/a.txt").body == b"A"
        c.send(post(b"Transfer-Encoding: chunked") + b"2;" + b"a" * 100000 + b"\r\nab\r\n0\r\n\r\n")
        c.read()                               # their length is bounded
        assert c.closed()


def test_trailers_are_not_headers(site):
    with Connection(site) as c:
        for field in (b"X: trailer", b"Connection: close", b"Content-Length: 100", b"Host: other",
                      b"Transfer-Encoding: chunked"):
            c.send(post(b"Transfer-Encoding: chunked") + b"0\r\n" + field + b"\r\n\r\n")
            response = c.read()
            assert response.body == b"/say|" and response.header("connection") == "keep-alive"
        assert c.get("/say").body == b"/say|"


# ---- connections ----

def test_body_is_read_or_connection_closed(site):
    inner = b"GET /host HTTP/1.1\r\nHost: smuggled\r\n\r\n"
    for path in (b"/say", b"/none", b"/a.txt", b"/dir", b"/204", b"/host"):
        with Connection(site) as c:
            c.send(post(b"Content-Length: %d" % len(inner), line=b"POST " + path + b" HTTP/1.1") + inner
                   + head(b"Connection: close", line=b"GET /host HTTP/1.1"))
            c.read()
            assert b"smuggled" not in c.rest()


def test_pipelined_in_order(site):
    with Connection(site) as c:
        c.send(b"".join(head(line=b"GET " + path + b" HTTP/1.1")
                        for i in range(50) for path in (b"/say?%d" % i, b"/some.bin", b"/none")))
        for i in range(50):
            assert c.read().body == b"/say?%d|" % i
            assert len(c.read().body) == 5000
            assert c.read().status == 404


def test_nothing_after_close_of_the_client(site):
    answer = site.raw(head(b"Connection: close") + head() * 3)
    assert answer.count(b"HTTP/1.1 200") == 1
    answer = site.raw(b"GET /say HTTP/1.0\r\n\r\n" + head() * 3)
    assert answer.count(b"HTTP/1.1 200") == 1


def test_nothing_after_close_of_the_server(weir):
    s = weir("keepalive_requests 2; location / { return 200 x; }")
    answer = s.raw(head() * 5)
    assert answer.count(b"HTTP/1.1 200") == 2 and answer.count(b"Connection: close") == 1
