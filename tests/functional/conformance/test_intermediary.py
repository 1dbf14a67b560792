"""RFC 9110 and RFC 9112 for an intermediary: see musts_intermediary.tsv.  The back ends are scripted."""
import re
import socket
import time

import pytest

from conftest import Response
from http1 import Connection
from peers import Peer, forever, ok

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = GET[:-2] + b"Connection: close\r\n\r\n"


@pytest.fixture
def proxied(weir):
    """proxied(script, directives): a server and its back end, connections of which are kept."""
    peers = []

    def start(script, more="", server=""):
        p = Peer(script)
        peers.append(p)
        s = weir(http=f"upstream u {{ server 127.0.0.1:{p.port}; }}\n"
                 "server { listen 127.0.0.1:@PORT@; %s location / { proxy_pass http://u; %s } }"
                 % (server, more))
        return s, p

    yield start
    for p in peers:
        p.stop()


def sent(peer, index=-1):
    """A request that the back end has got: its line, and fields in lower case."""
    head = peer.requests[index].partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return head[0], [tuple(re.split(r":[ \t]*", line.lower(), maxsplit=1)) for line in head[1:]]


def values(fields, name):
    return [value for key, value in fields if key == name]


def once(answer):
    return lambda conn: conn.answer(answer)


def is_bad_gateway(proxied, answer):
    """The answer is a 502, the back end's connection is closed, and nothing of it got through."""
    s, p = proxied(lambda conn: (conn.answer(answer), conn.more()))
    r = s.get("/")
    assert r.status == 502 and r.header("x-from-peer") is None and b"PEER" not in r.raw
    assert p.closed.wait(5)
    return True


# ---- fields ----

def test_unknown_fields_are_passed(proxied):
    s, p = proxied(forever(ok(b"ok", b"X-New: 1", b"!#$%&'*+-.^`|~: odd")))
    r = s.get("/", headers={"X-Never-Seen": "1", "Forwarded": "for=x"})
    assert r.header("x-new") == "1" and r.header("!#$%&'*+-.^`|~") == "odd"
    fields = sent(p)[1]
    assert values(fields, "x-never-seen") == ["1"] and values(fields, "forwarded") == ["for=x"]


def test_order_of_field_lines(proxied):
    s, p = proxied(forever(ok(b"ok", b"Set-Cookie: a=1", b"X-A: 1", b"Set-Cookie: b=2", b"x-a: 2", b"X-A: 3")))
    r = Response(s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nX-B: 1\r\nAccept: a\r\nx-b: 2\r\nX-B: 3\r\n"
                       b"Accept: b\r\nConnection: close\r\n\r\n"))
    assert r.header("set-cookie") == "a=1, b=2" and r.header("x-a") == "1, 2, 3"
    assert values(sent(p)[1], "x-b") == ["1", "2", "3"] and values(sent(p)[1], "accept") == ["a", "b"]


@pytest.mark.parametrize("line", [b"X: a\rb", b"X: a\0b", b"X\r: a", b"X: \ra", b"Location: /\r\n\rX: y",
                                  b"X\0: a", b"X: a\r"])
def test_bad_bytes_in_response_fields(proxied, line):
    assert is_bad_gateway(proxied, b"HTTP/1.1 200 OK\r\nX-From-Peer: 1\r\n" + line +
                          b"\r\nContent-Length: 4\r\n\r\nPEER")


def test_no_line_breaks_are_made(proxied):
    """Of what a client sends percent-encoded, and of what variables bring."""
    s, p = proxied(forever(ok(b"ok")), "proxy_set_header X-Arg $arg_x; proxy_set_header X-Uri $uri;")
    assert s.get("/a%0d%0aX-Evil:%201").status == 500
    assert s.get("/?x=%0d%0aX-Evil:%201").status == 200
    assert b"\r\nx-evil" not in b"".join(p.requests).lower()
    assert values(sent(p)[1], "x-arg") == ["%0d%0ax-evil:%201"]


def test_authorization_is_not_changed(proxied):
    token = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==, Digest a=\"b,  c\""
    s, p = proxied(forever(ok(b"ok")))
    s.get("/", headers={"Authorization": token})
    assert f"Authorization: {token}\r\n".encode() in p.requests[-1]


def test_www_authenticate_is_not_changed(proxied):
    lines = [b'WWW-Authenticate: Basic realm="a,  b"', b"WWW-Authenticate: Negotiate"]
    s, _ = proxied(forever(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"))
    answer = s.raw(b"GET / HTTP/1.0\r\n\r\n")
    assert all(b"\r\n" + line + b"\r\n" in answer for line in lines)


def test_date_is_added(proxied):
    s, _ = proxied(forever(ok(b"ok")))
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", s.get("/").header("date"))


def test_trailers_are_not_headers(proxied):
    s, p = proxied(forever(
        b"HTTP/1.1 200 OK\r\nTrailer: X-Late\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
        b"X-Late: 1\r\nContent-Length: 9\r\nSet-Cookie: a\r\n\r\n"))
    r = s.get("/")
    head = r.raw.partition(b"\r\n\r\n")[0].lower()
    assert b"x-late: 1" not in head and b"set-cookie" not in head and b"content-length" not in head
    answer = s.raw(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTrailer: X-Late\r\nTransfer-Encoding: chunked\r\n"
                   b"\r\n2\r\nok\r\n0\r\nX-Late: 1\r\nX-Forwarded-For: evil\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    fields = sent(p)[1]
    assert not values(fields, "x-late") and not values(fields, "x-forwarded-for")


# ---- fields of the connection ----

def test_fields_that_connection_names_end_here(proxied):
    s, p = proxied(forever(ok(b"ok", b"Connection: X-Mine, x-other", b"X-Mine: 1", b"X-Kept: 1",
                              b"Connection: ,X-Third", b"X-Other: 1", b"x-third: 1")))
    r = Response(s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Secret ,\r\nX-Secret: 1\r\n"
                       b"Connection: x-second\r\nX-Kept: 2\r\nX-Second: 1\r\nx-secret: 2\r\n\r\n"))
    assert [r.header(n) for n in ("x-mine", "x-other", "x-third", "x-kept")] == [None, None, None, "1"]
    fields = sent(p)[1]
    assert not any(values(fields, n) for n in ("x-secret", "x-second", "connection"))
    assert values(fields, "x-kept") == ["2"]


def test_connection_is_replaced(proxied):
    s, _ = proxied(forever(ok(b"ok", b"Connection: X-Mine", b"X-Mine: 1")))
    with Connection(s) as c:
        assert c.get("/").header("connection") == "keep-alive"
    assert s.get("/").header("connection") == "close"


def test_hop_by_hop_fields_end_here(proxied):
    s, p = proxied(forever(ok(b"ok", b"Keep-Alive: timeout=5", b"Proxy-Connection: close", b"TE: trailers",
                              b"Upgrade: h2c")))
    r = s.get("/", headers={"Keep-Alive": "300", "Proxy-Connection": "keep-alive", "TE": "trailers",
                            "Upgrade": "h2c"})
    for name in ("keep-alive", "proxy-connection", "te"):
        assert r.header(name) is None, name
    fields = sent(p)[1]
    for name in ("keep-alive", "proxy-connection", "te", "upgrade", "connection"):
        assert not values(fields, name), name


def test_upgrade_is_not_passed_unless_wanted(proxied):
    """Without directives nothing is upgraded; a 101 that nobody asked for is no response."""
    s, p = proxied(once(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"))
    assert s.get("/", headers={"Upgrade": "x", "Connection": "close, upgrade"}).status == 502
    assert not values(sent(p)[1], "upgrade")


UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'


def test_upgrade_of_http10_is_ignored(proxied):
    s, p = proxied(lambda conn: conn.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
        if b"upgrade: x" in conn.request()[0].lower() else ok(b"plain")), UPGRADE)
    answer = s.raw(b"GET / HTTP/1.0\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
    assert Response(answer).status == 200 and answer.endswith(b"plain")
    assert not values(sent(p)[1], "upgrade")


def test_upgrade_says_to_what(proxied):
    s, _ = proxied(once(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), UPGRADE)
    r = s.get("/", headers={"Upgrade": "x", "Connection": "upgrade"})
    assert r.status == 101 and r.header("upgrade") == "x" and r.header("connection") == "upgrade"


def test_upgrade_to_what_was_not_asked_for(proxied):
    s, _ = proxied(once(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), UPGRADE)
    assert s.get("/").status == 502


def test_no_options_of_the_connection_are_made_up(proxied):
    s, p = proxied(forever(ok(b"ok")))
    s.get("/", headers={"Cache-Control": "no-cache"})
    assert {name for name, _ in sent(p)[1]} == {"host", "cache-control"}


# ---- Max-Forwards, Via, Expect ----

@pytest.mark.parametrize("value, expected", [("5", "4"), ("1", "0"), ("0", None), ("x", "x")])
def test_max_forwards(proxied, value, expected):
    s, p = proxied(forever(ok(b"ok", b"X-From-Peer: 1")))
    r = s.get("/", method="OPTIONS", headers={"Max-Forwards": value})
    if expected is None:
        assert r.status == 200 and r.header("x-from-peer") is None and not p.requests
    else:
        assert r.header("x-from-peer") == "1" and values(sent(p)[1], "max-forwards") == [expected]


def test_max_forwards_of_other_methods(proxied):
    s, p = proxied(forever(ok(b"ok")))
    assert s.get("/", headers={"Max-Forwards": "0"}).status == 200
    assert values(sent(p)[1], "max-forwards") == ["0"]
    s.get("/", method="OPTIONS")
    assert not values(sent(p)[1], "max-forwards")


def test_via_as_directives_say(proxied):
    s, p = proxied(forever(ok(b"ok", b"Via: 1.0 inner, 1.1 other", b"Via: 1.1 last")),
                   'proxy_set_header Via "${via}1.1 weir"; add_header Via "1.1 weir";',
                   'set $via ""; if ($http_via) { set $via "$http_via, "; }')
    assert s.get("/").header("via") == "1.0 inner, 1.1 other, 1.1 last, 1.1 weir"
    assert values(sent(p)[1], "via") == ["1.1 weir"]
    s.get("/", headers={"Via": "1.0 fred"})
    assert values(sent(p)[1], "via") == ["1.0 fred, 1.1 weir"]


def test_expect_is_answered_here(proxied):
    s, p = proxied(forever(ok(b"done")))
    with Connection(s) as c:
        c.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert c.read().status == 100
        assert c.send(b"body").read().body == b"done"
    assert p.requests[-1].endswith(b"\r\n\r\nbody")
    assert not values(sent(p)[1], "expect")


# ---- conditions and ranges are the origin's ----

def test_conditions_are_passed(proxied):
    s, p = proxied(forever(ok(b"whole", b'ETag: "a"', b"Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT")))
    for field, value in (("If-None-Match", '"a"'), ("If-Match", '"b"'), ("If-Range", '"b"'),
                         ("If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"),
                         ("If-Unmodified-Since", "Fri, 31 Dec 1999 00:00:00 GMT"), ("Range", "bytes=0-1")):
        r = s.get("/", headers={field: value})
        assert r.status == 200 and r.body == b"whole", field
        assert values(sent(p)[1], field.lower()) == [value.lower()]


# ---- versions and the request line ----

@pytest.mark.parametrize("more, line", [("", "HTTP/1.1"), ("proxy_http_version 1.0;", "HTTP/1.0")])
def test_own_version(proxied, more, line):
    s, p = proxied(once(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), more)
    for version in ("1.0", "1.1", "1.9"):
        assert s.get("/", version=version).line == "HTTP/1.1 200 OK"
        assert sent(p)[0] == f"GET / {line}"


def test_target_is_not_changed(proxied):
    s, p = proxied(forever(ok(b"ok")))
    for target in ("/a/../b//c/./d%2Fe%7e?x=%20&y=/../", "/?", "/%C3%A9?%C3%A9", "/;a=b,c"):
        assert s.get(target).status == 200
        assert sent(p)[0] == f"GET {target} HTTP/1.1"


def test_empty_path(proxied):
    """An empty path is sent as "/", that of OPTIONS as "*"."""
    s, p = proxied(forever(ok(b"ok")))
    for method, target, expected in (("GET", "http://h", "/"), ("GET", "http://h?q", "/?q"),
                                     ("OPTIONS", "http://h", "*"), ("OPTIONS", "http://h/", "/"),
                                     ("OPTIONS", "http://h?q", "/?q")):
        assert s.get(target, method=method).status == 200
        assert sent(p)[0] == f"{method} {expected} HTTP/1.1", target


def test_host_is_sent(proxied):
    s, p = proxied(forever(ok(b"ok")))
    assert s.raw(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert values(sent(p)[1], "host") == ["u"]


@pytest.mark.parametrize("variable", ["$host", "$http_host"])
def test_host_of_absolute_form(proxied, variable):
    s, p = proxied(forever(ok(b"ok")), f"proxy_set_header Host {variable};")
    s.get("http://right.example/", host="wrong.example")
    assert values(sent(p)[1], "host") == ["right.example"]


# ---- framing of requests ----

def test_request_framing(proxied):
    """Whatever came chunked goes with its length; never both, never in doubt."""
    s, p = proxied(forever(ok(b"ok")))
    s.raw(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
          b"3;ext=1\r\nabc\r\n0\r\n\r\n")
    fields = sent(p)[1]
    assert p.requests[-1].endswith(b"\r\n\r\nabc")
    assert values(fields, "content-length") == ["3"] and not values(fields, "transfer-encoding")
    s.get("/", method="POST", body=b"xyz")
    assert values(sent(p)[1], "content-length") == ["3"]
    s.get("/", method="DELETE")
    assert not values(sent(p)[1], "content-length")


@pytest.mark.parametrize("fields", [
    b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: gzip, chunked", b"Content-Length: 3, 3", b"Content-Length: 3\r\nContent-Length: 4",
    b"Content-Length: +3", b"Content-Length : 3", b"X: a\r\n Content-Length: 3", b"Transfer-Encoding:\x0bchunked",
])
def test_doubtful_requests_are_not_passed(proxied, fields):
    s, p = proxied(forever(ok(b"ok")))
    answer = s.raw(b"POST / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: h\r\n\r\n")
    assert re.match(rb"HTTP/1.1 (400|501) ", answer) and answer.count(b"HTTP/1.1 ") == 1
    assert not p.requests


def test_incomplete_request_is_not_passed_as_whole(proxied):
    s, p = proxied(forever(ok(b"ok")))
    for data in (b"Content-Length: 9\r\n\r\nshort", b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"):
        with s.connect() as c:
            c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\n" + data)
            c.shutdown(socket.SHUT_WR)
            while c.recv(65536):
                pass
    time.sleep(0.05)
    assert not p.requests


# ---- framing of responses ----

@pytest.mark.parametrize("fields", [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 4",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: x",
    b"Content-Length: 4, 4", b"Content-Length: 4\r\nContent-Length: 4", b"Content-Length: -1",
    b"Content-Length: 4\r\nContent-Length: 5", b"Content-Length: ", b"Content-Length: 0x4", b"Content-Length: +4",
    b"Content-Length: 99999999999999999999", b"Content-Length: 4 4",
])
def test_doubtful_responses_are_bad_gateway(proxied, fields):
    assert is_bad_gateway(proxied, b"HTTP/1.1 200 OK\r\nX-From-Peer: 1\r\n" + fields + b"\r\n\r\nPEER")


@pytest.mark.parametrize("line", [b" folded", b"\tfolded: x", b"X-A: a\r\n b", b"Name : x", b"Name\t: x", b": x",
                                  b"Name", b"Na me: x", b"Na(me: x"])
def test_bad_lines_of_responses_are_bad_gateway(proxied, line):
    assert is_bad_gateway(proxied, b"HTTP/1.1 200 OK\r\n" + line + b"\r\nX-From-Peer: 1\r\n"
                          b"Content-Length: 4\r\n\r\nPEER")


def test_folded_first_line_of_a_response(proxied):
    assert is_bad_gateway(proxied, b"HTTP/1.1 200 OK\r\n  X-From-Peer: 1\r\nContent-Length: 4\r\n\r\nPEER")


def test_coding_of_an_http10_response_ends_the_connection(proxied):
    s, p = proxied(lambda conn: (conn.answer(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        conn.answer(ok(b"second"))))
    assert s.get("/").status in (200, 502)
    assert p.closed.wait(5) and len(p.requests) == 1


def test_chunked_responses(proxied):
    """Extensions are skipped, sizes in any form are taken, the client gets the bytes alone."""
    s, _ = proxied(forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
                           b'2;a=b;c="\\";\r"\r\n'.replace(b"\r\"", b'"') + b"ab\r\n0003 \r\ncde\r\n1;x\r\nf\r\n0;last\r\n\r\n"))
    for version in ("1.1", "1.0"):
        r = s.get("/", version=version)
        assert r.body == b"abcdef" and b"last" not in r.raw
        assert (r.header("transfer-encoding") is None) == (version == "1.0")


@pytest.mark.parametrize("body", [
    b"10000000000000000\r\nx", b"ffffffffffffffff\r\nx", b"-1\r\nx", b"0x2\r\nab\r\n0\r\n\r\n", b"g\r\n", b"\r\n\r\n",
    b"2\nab\n0\n\n", b"2\r\nabc\r\n0\r\n\r\n", b"2\r\nab0\r\n\r\n", b"2\r\nab\r\n", b"2\r\nab\r\n0\r\n",
    b"2\r\nab\r\n0\r\nX\r\n\r\n", b"2\r\nab\r\n0\r\nX: a\0b\r\n\r\n",
])
def test_bad_chunks_are_not_a_whole(proxied, body):
    s, p = proxied(once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body))
    data = s.raw(LAST)
    assert not data.endswith(b"0\r\n\r\n") and b"PEER" not in data
    assert p.closed.wait(5)


def test_short_body_is_not_a_whole(proxied):
    s, _ = proxied(once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"))
    data = s.raw(LAST)
    if data.startswith(b"HTTP/1.1 200"):
        assert b"Content-Length: 10\r\n" in data and len(data.partition(b"\r\n\r\n")[2]) < 10


def test_one_framing_is_sent(proxied):
    s, _ = proxied(forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
    r = s.get("/")
    assert r.header("transfer-encoding") == "chunked" and r.header("content-length") is None
    r = s.get("/", version="1.0")
    assert r.header("transfer-encoding") is None and r.raw.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("fields", [b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_statuses_without_content(proxied, status, fields):
    """No content is read or sent, whatever the head says; what stands behind is of no response."""
    s, p = proxied(lambda conn: (conn.answer(b"HTTP/1.1 %d X\r\n%s\r\n" % (status, fields)),
                                 conn.answer(ok(b"next"))))
    with Connection(s) as c:
        r = c.get("/")
        assert r.status == status and r.header("transfer-encoding") is None
        assert status == 304 or r.header("content-length") is None
        assert c.get("/").body == b"next"
    assert p.connections == 1


def test_head(proxied):
    s, p = proxied(lambda conn: (conn.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"),
                                 conn.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                                 conn.answer(ok(b"next"))))
    with Connection(s) as c:
        assert c.get("/", method="HEAD").header("content-length") == "4000"
        c.send(GET.replace(b"GET", b"HEAD"))
        assert c.take_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        assert c.get("/").body == b"next"
    assert p.connections == 1


def test_interim_responses(proxied):
    """Those before the response are read, however many, and never taken for it."""
    interim = (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\n"
               b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nContent-Length: 9\r\n\r\n" * 2)
    s, p = proxied(forever(interim + ok(b"ok")))
    with Connection(s) as c:
        for _ in range(2):
            r = c.get("/")
            while r.status < 200:
                r = c.read()
            assert r.body == b"ok" and r.header("x-a") is None
    assert p.connections == 1
    assert Response(s.raw(b"GET / HTTP/1.0\r\n\r\n")).status == 200


def test_unknown_statuses(proxied):
    s, _ = proxied(once(b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok"))
    r = s.get("/")
    assert r.line == "HTTP/1.1 299 Odd" and r.body == b"ok"


@pytest.mark.parametrize("line", [
    b"HTTP/1.1 2000 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 200OK",
    b"HTTP/1.1 099 Low", b"HTTP/11 200 OK", b"HTTP/2.0 200 OK", b"http/1.1 200 OK", b"ICY 200 OK", b" HTTP/1.1 200 OK",
    b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\rK", b"PEER", b"",
])
def test_bad_status_lines_are_bad_gateway(proxied, line):
    assert is_bad_gateway(proxied, line + b"\r\nX-From-Peer: 1\r\nContent-Length: 4\r\n\r\nPEER")


# ---- connections to the back end ----

def test_extra_bytes_are_no_response(proxied):
    """What stands behind a response is never the next one's."""
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nPEER"
    for body in (ok(b"one"), b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 304 No\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"):
        s, p = proxied(forever(body + evil))
        for _ in range(3):
            assert b"PEER" not in s.raw(b"GET / HTTP/1.0\r\n\r\n")
        assert p.connections == 3
        s.stop()


def test_late_extra_bytes_are_no_response(proxied):
    """The same where they come while the connection lies idle."""
    def script(conn):
        conn.answer(ok(b"one"))
        time.sleep(0.1)
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nPEER")
        conn.more()
    s, p = proxied(script)
    for n in range(1, 4):
        assert s.get("/").body == b"one"
        time.sleep(0.2)
        assert p.connections == n


def test_close_of_the_peer_is_heard(proxied):
    """It says close, and leaves the connection open."""
    s, p = proxied(lambda conn: (conn.answer(ok(b"one", b"Connection: x, Close")), conn.more()))
    for n in range(1, 4):
        assert s.get("/").body == b"one"
        assert p.connections == n
    assert p.closed.wait(5)


def test_http10_peers_close(proxied):
    s, p = proxied(lambda conn: (conn.answer(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\none"), conn.more()))
    for n in range(1, 4):
        assert s.get("/").body == b"one"
        assert p.connections == n


def test_own_close_is_kept(proxied):
    s, p = proxied(forever(ok(b"one")), "proxy_set_header Connection close;")
    for n in range(1, 4):
        assert s.get("/").body == b"one"
        assert p.connections == n and values(sent(p)[1], "connection") == ["close"]


def test_unread_response_ends_the_connection(proxied):
    """The client has left in the middle: the rest is not the next one's response."""
    s, p = proxied(lambda conn: (conn.request(), conn.send(ok(b"x" * 200_000)[:100_000]), conn.more())
                   if conn.number == 1 else conn.answer(ok(b"next")))
    with s.connect() as c:
        c.sendall(GET)
        c.recv(1000)
    assert p.closed.wait(5)
    assert s.get("/").body == b"next"


def test_one_request_at_a_time(proxied):
    """Pipelined requests of a client are not pipelined to the back end."""
    busy = []

    def script(conn):
        while True:
            conn.request()
            busy.append(len(conn.buffer))
            conn.send(ok(b"one"))
    s, p = proxied(script)
    with Connection(s) as c:
        c.send(GET * 5)
        assert [c.read().body for _ in range(5)] == [b"one"] * 5
    assert busy == [0] * 5


@pytest.mark.parametrize("method, count", [("GET", 2), ("PUT", 2), ("DELETE", 2), ("OPTIONS", 2), ("POST", 1),
                                           ("PATCH", 1), ("LOCK", 1)])
def test_what_may_be_asked_twice(proxied, method, count):
    """A connection breaks behind the request: only what is idempotent is sent once more."""
    def script(conn):
        if conn.number == 1:
            conn.answer(ok(b"first"))
        conn.request()
        if conn.number > 1:
            conn.send(ok(b"second"))
    s, p = proxied(script)
    assert s.get("/").body == b"first"
    r = s.get("/", method=method)
    assert (r.status, len(p.requests) - 1) == ((200, 2) if count == 2 else (502, 1))


def test_odd_methods_are_not_asked_twice(proxied):
    """Nobody knows whether a method without a name here is idempotent."""
    s, p = proxied(lambda conn: (conn.answer(ok(b"first")) if conn.number == 1 else None, conn.request()))
    assert s.get("/").body == b"first"
    assert s.get("/", method="CHARGE").status == 502
    assert len(p.requests) == 2
