"""slice: a large response in parts, each a request of its own."""
import re

import pytest

BODY = bytes(i * 7 % 251 for i in range(1000))
ETAG = b'ETag: "one"'


def ranges(body=BODY, change=lambda first, head: head):
    """A peer that serves ranges of a body; change() may spoil a head."""
    def script(conn):
        while True:
            head, _ = conn.request()
            found = re.search(rb"Range: bytes=(\d+)-(\d+)", head)
            if not found:
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                continue
            first, last = int(found[1]), min(int(found[2]), len(body) - 1)
            if first > last:
                conn.send(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n")
                continue
            part = body[first:last + 1]
            answer = (b"HTTP/1.1 206 Partial Content\r\n%s\r\nAccept-Ranges: bytes\r\n"
                      b"Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"
                      % (ETAG, first, last, len(body), len(part)))
            conn.send(change(first, answer) + (b"" if head.startswith(b"HEAD") else part))
    return script


def start(weir, p, more=""):
    return weir("location / { slice 100; proxy_pass http://127.0.0.1:%d; "
                "proxy_set_header Range $slice_range; %s }" % (p.port, more))


def asked(p):
    return [int(re.search(rb"Range: bytes=(\d+)-", r)[1]) for r in p.requests]


def test_whole(weir, peer):
    p = peer(ranges())
    r = start(weir, p).get("/a%2fb?c=d")
    assert (r.status, r.body, r.header("content-length")) == (200, BODY, "1000")
    assert r.header("accept-ranges") == "bytes" and r.header("content-range") is None
    assert asked(p) == list(range(0, 1000, 100))
    assert all(q.startswith(b"GET /a%2fb?c=d HTTP/1.1\r\n") for q in p.requests)


def test_only_parts_that_are_wanted(weir, peer):
    p = peer(ranges())
    r = start(weir, p).get("/", headers={"Range": "bytes=350-449"})
    assert (r.status, r.body) == (206, BODY[350:450]) and r.header("content-range") == "bytes 350-449/1000"
    assert r.header("accept-ranges") is None
    assert asked(p) == [300, 400]


def test_range_that_the_first_part_is_not_in(weir, peer):
    p = peer(ranges())
    s = start(weir, p)
    r = s.get("/", headers={"Range": "bytes=-150"})
    assert (r.status, r.body) == (206, BODY[850:]) and asked(p) == [0, 800, 900]
    r = s.get("/", headers={"Range": "bytes=220-", "If-Range": '"one"'})
    assert (r.status, r.body) == (206, BODY[220:])


def test_several_ranges_give_the_whole(weir, peer):
    r = start(weir, peer(ranges())).get("/", headers={"Range": "bytes=1-2,300-301"})
    assert (r.status, r.body) == (200, BODY)


def test_head_and_beyond_the_end(weir, peer):
    p = peer(ranges())
    s = start(weir, p)
    r = s.get("/", method="HEAD")
    assert (r.status, r.header("content-length"), r.body) == (200, "1000", b"")
    assert s.get("/", headers={"Range": "bytes=5000-"}).status == 416
    assert len(p.requests) == 2


def test_peer_without_ranges(weir, peer):
    def script(conn):
        while True:
            conn.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall")
    p = peer(script)
    r = start(weir, p).get("/")
    assert (r.status, r.body) == (200, b"all") and len(p.requests) == 1


def test_filters_see_the_whole(weir, peer):
    """A text that two parts share is found, and once."""
    p = peer(ranges(b"x" * 97 + b"needle" + b"y" * 97))
    r = start(weir, p, 'sub_filter needle pin; sub_filter_types *;').get("/")
    assert r.body == b"x" * 97 + b"pin" + b"y" * 97


@pytest.mark.parametrize("spoil, message", [
    (lambda first, h: h.replace(b'"one"', b'"two"') if first else h, "etag mismatch in slice response"),
    (lambda first, h: h.replace(b"206 Partial Content", b"200 OK") if first else h,
     "unexpected status code 200 in slice response"),
    (lambda first, h: h.replace(b"/1000", b"/1001") if first else h, "the length changed from 1000 to 1001"),
    (lambda first, h: h.replace(b"bytes 100-", b"bytes 101-"), "unexpected range in slice response"),
])
def test_parts_that_do_not_fit(weir, peer, spoil, message):
    s = start(weir, peer(ranges(change=spoil)))
    assert len(s.get("/").body) < 1000
    s.wait_log(message)


@pytest.mark.parametrize("value, message", [
    (b"bytes", "invalid range"), (b"bytes 0-1/*", "no complete length"), (b"bytes 0-2/100", "unexpected range"),
    (b"bytes 1-2/100", "unexpected range"), (b"bytes 2-1/100", "invalid range"),
    (b"bytes 0-18446744073709551615/100", "invalid range"),
])
def test_bad_first_part(weir, peer, value, message):
    def script(conn):
        conn.answer(b"HTTP/1.1 206 P\r\nContent-Range: %s\r\nContent-Length: 2\r\n\r\nfo" % value)
    s = start(weir, peer(script))
    assert s.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") == b""
    s.wait_log(message + " in slice response")
