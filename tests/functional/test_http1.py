"""HTTP/1.0 and 1.1 on the wire: keeping connections, heads and their limits, bodies nobody wants."""
import socket
import threading

import pytest

from http1 import Connection

FILES = {"html/index.html": "index", "html/a.txt": "A", "html/big.bin": b"0123456789abcdef" * 65536}
HOST = "Host: localhost\r\n"


@pytest.fixture
def site(weir):
    return conf(weir, "location = /b { return 200 bee; }")


def conf(weir, text, **more):
    return weir("root html;\n" + text, main="error_log error.log info;", files=FILES, **more)


# ---- keeping connections ----

def test_keepalive(site):
    with Connection(site) as c:
        for _ in range(5):
            response = c.get("/a.txt")
            assert response.body == b"A"
            assert response.header("connection") == "keep-alive"
        assert c.get("/a.txt", "Connection: close\r\n").header("connection") == "close"
        assert c.closed()


@pytest.mark.parametrize("value", ["close", "Close", "x, close", "close ,x", "keep-alive, close"])
def test_connection_close(site, value):
    with Connection(site) as c:
        assert c.get("/a.txt", f"Connection: {value}\r\n").header("connection") == "close"
        assert c.closed()


def test_connection_close_in_second_field(site):
    with Connection(site) as c:
        c.get("/a.txt", "Connection: x\r\nConnection: close\r\n")
        assert c.closed()


def test_http10_closes(site):
    with Connection(site) as c:
        response = c.send("GET /a.txt HTTP/1.0\r\n\r\n").read()
        assert (response.body, response.header("connection")) == (b"A", "close")
        assert c.closed()


def test_http10_keepalive(site):
    with Connection(site) as c:
        for _ in range(3):
            response = c.send("GET /a.txt HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").read()
            assert response.header("connection") == "keep-alive"
            assert response.header("content-length") == "1"


def test_keepalive_after_errors(site):
    with Connection(site) as c:
        assert c.get("/none").status == 404
        assert c.get("/a.txt", method="DELETE").status == 405
        assert c.get("/a.txt").body == b"A"


def test_head_has_no_body(site):
    with Connection(site) as c:
        for path, status in (("/a.txt", 200), ("/none", 404), ("/b", 200)):
            full = c.get(path)
            response = c.get(path, method="HEAD")
            assert response.status == full.status == status
            assert response.header("content-length") == full.header("content-length")


def test_pipelining(site):
    request = f"GET /a.txt HTTP/1.1\r\n{HOST}\r\n"
    with Connection(site) as c:
        c.send(request * 999 + f"GET /b HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
        for _ in range(999):
            assert c.read().body == b"A"
        assert c.read().body == b"bee"
        assert c.closed()


def test_pipelining_with_bodies(site):
    pair = (f"POST /b HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nGET /"
            f"POST /b HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\nX: y\r\n\r\n")
    with Connection(site) as c:
        c.send(pair * 100)
        for _ in range(200):
            assert c.read().body == b"bee"


def test_pipelining_large_heads(site):
    """Heads that don't fit what is left of a buffer move to another."""
    with Connection(site) as c:
        for size in (900, 3000, 4000, 7000):
            c.send(f"GET /a.txt?{'q' * size} HTTP/1.1\r\n{HOST}X: {'y' * size}\r\n\r\n" * 7)
            for _ in range(7):
                assert c.read().body == b"A"


def test_pipelining_mixed_with_large_responses(site):
    with Connection(site) as c:
        c.send((f"GET /big.bin HTTP/1.1\r\n{HOST}\r\n" + f"GET /a.txt HTTP/1.1\r\n{HOST}\r\n") * 10)
        for _ in range(10):
            assert c.read().body == FILES["html/big.bin"]
            assert c.read().body == b"A"


def test_split_at_every_byte(site):
    data = (f"\r\nGET /a.txt?x HTTP/1.1\r\n{HOST}X-Y: z\r\n\r\n"
            f"POST /b HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n"
            f"5;a=\"b\"\r\nhello\r\n0\r\nT: u\r\n\r\n").encode()
    with Connection(site) as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(1, len(data)):
            c.send(data[:i])
            if i % 8 == 0:             # let it be read in two pieces, now and then
                threading.Event().wait(0.002)
            c.send(data[i:])
            assert c.read().body == b"A"
            assert c.read().body == b"bee"
        for byte in data:
            c.send(bytes([byte]))
        assert c.read().body == b"A"
        assert c.read().body == b"bee"


# ---- limits of the head ----

def test_line_too_long(site):
    ok = site.raw(f"GET /a.txt?{'q' * 8100} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode())
    assert ok.startswith(b"HTTP/1.1 200 ")
    for size in (8192, 9000, 100000):
        answer = site.raw(f"GET /a.txt?{'q' * size} HTTP/1.1\r\n{HOST}\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 414 ") and b"Connection: close" in answer
    site.wait_log("client sent too long URI")


def test_field_too_long(site):
    ok = site.raw(f"GET /a.txt HTTP/1.1\r\n{HOST}X: {'y' * 8100}\r\nConnection: close\r\n\r\n".encode())
    assert ok.startswith(b"HTTP/1.1 200 ")
    for size in (8192, 100000):
        answer = site.raw(f"GET /a.txt HTTP/1.1\r\n{HOST}X: {'y' * size}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Request Header Or Cookie Too Large" in answer
    site.wait_log("client sent too long header line")


def test_head_too_large(site):
    answer = site.raw(f"GET /a.txt HTTP/1.1\r\n{HOST}".encode() + b"X: " + b"y" * 4000 + b"\r\n"
                      + b"".join(b"X%d: " % i + b"y" * 4000 + b"\r\n" for i in range(10)) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Header Or Cookie Too Large" in answer


def test_buffer_directives(weir):
    s = conf(weir, "client_header_buffer_size 128; large_client_header_buffers 2 256;")
    field = "X: " + "y" * 200 + "\r\n"
    assert s.get("/a.txt?" + "q" * 200).status == 200
    assert s.get("/a.txt?" + "q" * 300).status == 414
    assert s.get("/a.txt", {"X": "y" * 200}).status == 200
    assert s.get("/a.txt", {"X": "y" * 300}).status == 400
    assert s.raw(f"GET / HTTP/1.1\r\n{HOST}{field * 4}\r\n".encode()).startswith(b"HTTP/1.1 400 ")


def test_max_headers(weir):
    s = conf(weir, "max_headers 4;")
    for count, status in ((2, 200), (3, 400)):
        fields = "".join(f"X-{i}: y\r\n" for i in range(count))
        answer = s.raw(f"GET /a.txt HTTP/1.1\r\n{HOST}Connection: close\r\n{fields}\r\n".encode())
        assert int(answer[9:12]) == status
    s.wait_log("client sent too many header lines")


def test_invalid_names(weir):
    s = conf(weir, "location / { return 200 \"$http_x_y|$http_x.y|\"; }")
    answer = s.get("/", {"X_Y": "1", "X@Y": "2", "X.Y": "3"})
    assert answer.status == 200 and answer.body.startswith(b"|")
    s.wait_log('client sent invalid header line: "X@Y: 2"')


def test_underscores(weir):
    s = conf(weir, "underscores_in_headers on; location / { return 200 \"$http_x_y\"; }")
    assert s.get("/", {"X_Y": "1"}).body == b"1"


def test_invalid_names_not_ignored(weir):
    s = conf(weir, "ignore_invalid_headers off; location / { return 200 \"$http_x_y\"; }")
    assert s.get("/", {"X_Y": "1"}).body == b"1"
    assert s.get("/", {"X@Y": "1"}).status == 400


@pytest.mark.parametrize("merge, uri", [("on", b"/a/b"), ("off", b"//a///b")])
def test_merge_slashes(weir, merge, uri):
    s = conf(weir, f"merge_slashes {merge}; location / {{ return 200 $uri; }}")
    assert s.get("//a///b").body == uri


# ---- bodies that nobody wants ----

@pytest.mark.parametrize("size", [1, 5000, 200000, 900000])
def test_discarded_by_length(site, size):
    with Connection(site) as c:
        for _ in range(3):
            c.send(f"POST /b HTTP/1.1\r\n{HOST}Content-Length: {size}\r\n\r\n").send(b"x" * size)
            assert c.read().body == b"bee"
        assert c.get("/a.txt").body == b"A"


@pytest.mark.parametrize("chunk", [1, 7, 4096, 100000])
def test_discarded_chunks(site, chunk):
    count = max(1, min(2000, 500000 // chunk))
    body = (b"%x;x=y\r\n" % chunk + b"z" * chunk + b"\r\n") * count + b"0\r\nT: u\r\n\r\n"
    with Connection(site) as c:
        for _ in range(3):
            c.send(f"POST /b HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n").send(body)
            assert c.read().body == b"bee"
        assert c.get("/a.txt").body == b"A"


def test_discarded_while_the_response_goes_out(site):
    """The client sends all before it reads: both directions are larger than what sockets hold."""
    size = 40 << 20
    s = conf_unlimited(site)
    with Connection(s, 30) as c:
        c.send(f"GET /huge.bin HTTP/1.1\r\n{HOST}Content-Length: {size}\r\n\r\n")
        block = b"x" * 65536
        for _ in range(size // len(block)):
            c.send(block)
        assert len(c.read().body) == 32 << 20
        assert c.get("/a.txt").body == b"A"


def conf_unlimited(site):
    (site.dir / "html/huge.bin").write_bytes(b"\0" * (32 << 20))
    text = (site.dir / "weir.conf").read_text()
    site.stop()
    site.write_conf(text.replace("root html;", "root html; client_max_body_size 0;"))
    site.start()
    return site


def test_too_large(weir):
    s = conf(weir, "client_max_body_size 1000; location = /b { return 200 bee; }")
    with Connection(s) as c:
        c.send(f"POST /a.txt HTTP/1.1\r\n{HOST}Content-Length: 1001\r\n\r\n")
        response = c.read()
        assert (response.status, response.header("connection")) == (413, "close")
        assert c.closed()
    assert s.get("/a.txt", method="POST", body=b"x" * 1000).status == 405
    s.wait_log("client intended to send too large body: 1001 bytes")


def test_too_large_in_chunks_ends_the_connection(weir):
    s = conf(weir, "client_max_body_size 1000; location = /b { return 200 bee; }")
    with Connection(s) as c:
        c.send(f"POST /b HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n")
        assert c.read().status == 200
        c.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        assert c.closed()


def test_bad_chunks_end_the_connection(site):
    with Connection(site) as c:
        c.send(f"POST /b HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloGET / HTTP/1.1\r\n\r\n")
        assert c.read().status == 400          # though nobody wants the body
        assert c.closed()
    site.wait_log("client sent invalid chunked body")


def test_expect_is_answered_by_the_final_response(site):
    """Nobody wants the body: no 100, and the connection closes as the client may send it or not."""
    for body in (b"", b"hello"):
        with Connection(site) as c:
            c.send(f"POST /b HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n").send(body)
            response = c.read()
            assert (response.status, response.header("connection")) == (200, "close")
            assert c.closed()


def test_expect_without_body(site):
    with Connection(site) as c:
        assert c.get("/b", "Expect: 100-continue\r\n").header("connection") == "keep-alive"
        assert c.get("/b", "Expect: something\r\n").status == 200


# ---- lingering close ----

@pytest.mark.parametrize("head, status", [
    (b"POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n", b"413"),
    (b"POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n", b"400"),
    (b"GET /" + b"x" * 10000, b"414"),
])
def test_early_error_arrives(site, head, status):
    """The client goes on sending megabytes, and only then reads."""
    with site.connect(20) as s:
        s.sendall(head)
        try:
            for _ in range(320):
                s.sendall(b"z" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pytest.fail("reset before the client was done")
        answer = s.recv(65536)
        assert answer.startswith(b"HTTP/1.1 " + status)


def test_lingering_close_off(weir):
    s = conf(weir, "lingering_close off;")
    with Connection(s) as c:
        c.send(b"POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n" + b"z" * 100000)
        assert c.reset()


# ---- HTTP/0.9, and what is no HTTP ----

def test_http09(site):
    assert site.raw(b"GET /a.txt\r\n") == b"A"
    assert site.raw(b"GET /a.txt\n") == b"A"
    assert site.raw(b"GET /none\r\n").startswith(b"<html>")


@pytest.mark.parametrize("data", [
    b"POST /a.txt\r\n", b"GET a.txt\r\n", b"GET /a.txt \r\n", b"GET http://localhost/a.txt\r\n",
    b"GET\r\n", b"get /a.txt\r\n", b"GET /a.txt HTTP/0.9\r\n", b"GET  /a.txt\r\n",
])
def test_no_http09(site, data):
    assert site.raw(data).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"\x80\x2e\x01\x00\x02",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", b"\0", b" GET / HTTP/1.1\r\n",
    b"\r\n\x16\x03", b"SSH-2.0-OpenSSH_9.2\r\n", b"EHLO x\r\n", b"{\"a\": 1}",
])
def test_other_protocols(site, data):
    answer = site.raw(data)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Connection: close" in answer


def test_line_ends(site):
    assert site.raw(b"GET /a.txt HTTP/1.1\nHost: x\nConnection: close\n\n").endswith(b"\r\n\r\nA")
    assert site.raw(b"\r\n\n\r\nGET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                    ).endswith(b"\r\n\r\nA")


# ---- the process ends ----

def test_quit_lets_requests_finish(site):
    with Connection(site) as idle, Connection(site) as busy:
        idle.get("/a.txt")
        busy.get("/a.txt")
        busy.send("GET /a.txt HTTP/1.1\r\n")
        site.get("/a.txt")                     # by now the line above has been read
        site.process.send_signal(3)            # SIGQUIT
        assert idle.closed()
        response = busy.send(f"{HOST}\r\n").read()
        assert (response.body, response.header("connection")) == (b"A", "close")
        assert busy.closed()
    assert site.process.wait(10) == 0


# ---- what nginx has for old browsers ----

@pytest.mark.parametrize("disable, method, agent, kept", [
    ("msie6", "POST", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", False),
    ("msie6", "POST", "Mozilla/4.0 (compatible; MSIE 5.5; Windows 98)", False),
    ("msie6", "GET", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", True),
    ("msie6", "POST", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", True),
    ("msie6", "POST", "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1)", True),
    ("none", "POST", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", True),
    ("safari", "GET", "Mozilla/5.0 (Macintosh; Mac OS X) AppleWebKit/5 Safari/5", False),
    ("safari", "GET", "Mozilla/5.0 (Macintosh; Mac OS X) Chrome/9 Safari/5", True),
])
def test_keepalive_disable(weir, disable, method, agent, kept):
    s = conf(weir, f"location = /b {{ keepalive_disable {disable}; return 200 bee; }}")
    with Connection(s) as c:
        response = c.get("/b", f"User-Agent: {agent}\r\n", method=method)
        assert response.header("connection") == ("keep-alive" if kept else "close")


# ---- chunks ----

def post_chunks(server, body):
    with Connection(server) as c:
        c.send("POST /take HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked\r\n\r\n")
        try:
            c.send(body)
        except OSError:
            pass                                       # it was refused before its end
        return c.read()


@pytest.fixture
def taker(weir):
    """Reads bodies, and gets one back in as many chunks."""
    return conf(weir, """client_max_body_size 0;
        location = /take { proxy_pass http://127.0.0.1:@PORT@/b; }
        location = /b { return 200 bee; }""")


def test_any_number_of_chunks(taker):
    """What stands before each of them is not held against all."""
    assert post_chunks(taker, "1\r\na\r\n" * 40000 + "0\r\n\r\n").body == b"bee"
    assert post_chunks(taker, ("10;" + "x" * 40 + "\r\n" + "a" * 16 + "\r\n") * 5000
                       + "0\r\n\r\n").body == b"bee"


@pytest.mark.parametrize("line", ["0" * 20000 + "1", "1;" + "x" * 20000, "1;x=\"" + "y" * 20000 + "\""])
def test_long_lines_before_chunks(taker, line):
    assert post_chunks(taker, line + "\r\na\r\n0\r\n\r\n").status == 400


def test_lines_that_outweigh_their_chunks(taker):
    assert post_chunks(taker, ("1;" + "x" * 200 + "\r\na\r\n") * 200 + "0\r\n\r\n").status == 400
