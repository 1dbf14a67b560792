"""What a response says beside its body: error pages, redirects, the server's name, framing."""
import re

import pytest

from conftest import Response
from http1 import Connection

FILES = {
    "html/index.html": "index", "html/a.txt": "A", "html/50x.html": "sorry",
    "html/404.html": "not here", "html/dir/index.html": "dir",
}


def conf(weir, text, **more):
    return weir("root html;\n" + text, main="error_log error.log info;", files=FILES, **more)


# ---- built-in pages ----

PAGES = {
    301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect",
    308: "Permanent Redirect", 400: "Bad Request", 401: "Authorization Required",
    402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Not Allowed",
    406: "Not Acceptable", 409: "Conflict", 410: "Gone", 411: "Length Required",
    412: "Precondition Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Large",
    415: "Unsupported Media Type", 416: "Requested Range Not Satisfiable",
    421: "Misdirected Request", 429: "Too Many Requests", 500: "Internal Server Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Temporarily Unavailable",
    504: "Gateway Time-out", 505: "HTTP Version Not Supported", 507: "Insufficient Storage",
}
CLOSING = {400, 413, 414, 500, 501}


def test_built_in_pages(weir):
    s = conf(weir, "".join(f"location = /{code} {{ return {code}; }}" for code in PAGES))
    for code, title in PAGES.items():
        with Connection(s) as c:
            response = c.get(f"/{code}")
        assert response.status == code
        assert f"<title>{code} {title}</title>".encode() in response.body
        assert f"<h1>{code} {title}</h1>".encode() in response.body
        assert response.header("content-type") == "text/html"
        assert int(response.header("content-length")) == len(response.body)
        assert response.header("connection") == ("close" if code in CLOSING else "keep-alive")


@pytest.mark.parametrize("code, why", [
    (494, "Request Header Or Cookie Too Large"), (495, "The SSL certificate error"),
    (496, "No required SSL certificate was sent"),
    (497, "The plain HTTP request was sent to HTTPS port"),
])
def test_statuses_that_are_sent_as_400(weir, code, why):
    s = conf(weir, f"location /own {{ error_page {code} /a.txt; return {code}; }}"
                   f"location /x {{ return {code}; }}")
    response = s.get("/x")
    assert response.line == "HTTP/1.1 400 Bad Request"
    assert f"400 {why}".encode() in response.body and b"<h1>400 Bad Request</h1>" in response.body
    own = s.get("/own")
    assert (own.status, own.body) == (400, b"A")


def test_unknown_statuses(weir):
    s = conf(weir, 'location = /a { return 299 x; } location = /b { return 599; }')
    assert s.get("/a").line == "HTTP/1.1 299 " and s.get("/a").body == b"x"
    assert s.get("/b").line == "HTTP/1.1 599 " and s.get("/b").body == b""


def test_closing_without_an_answer(weir):
    s = conf(weir, "location / { return 444; }")
    assert s.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""


# ---- error_page ----

def test_error_page(weir):
    s = conf(weir, """
        error_page 404 /404.html; error_page 502 503 /50x.html; error_page 403 =200 /a.txt;
        error_page 410 = /a.txt; error_page 409 http://other.example/x?y=$arg_z;
        error_page 408 =301 http://other.example/; error_page 405 @named; error_page 401 =402 @named;
        error_page 411 = @named; error_page 412 /$arg_z.txt; error_page 415 /none; error_page 416 "";
        location /x/ { location = /x/404 { return 404; } location = /x/503 { return 503; }
            location = /x/403 { return 403; } location = /x/410 { return 410; }
            location = /x/409 { return 409; } location = /x/405 { return 405; }
            location = /x/401 { return 401; } location = /x/411 { return 411; }
            location = /x/412 { return 412; } location = /x/415 { return 415; }
            location = /x/416 { return 416; } }
        location @named { return 203 "named $uri $request_method"; }
        location = /404.html { internal; }""")

    def seen(path, method="GET"):
        r = s.get(path, method=method)
        return r.status, r.body

    assert seen("/x/404") == (404, b"not here")
    assert seen("/none") == (404, b"not here")
    assert seen("/x/503") == (503, b"sorry")
    assert seen("/x/403") == (200, b"A")
    assert seen("/x/410") == (200, b"A")
    assert seen("/x/405", "DELETE") == (405, b"named /x/405 DELETE")
    assert seen("/x/401") == (402, b"named /x/401 GET")
    assert seen("/x/411") == (203, b"named /x/411 GET")
    assert seen("/x/412?z=a") == (412, b"A")
    assert seen("/x/415")[0] == 404            # the page itself is not there
    assert seen("/404.html") == (404, b"not here")
    moved = s.get("/x/409?z=1")
    assert (moved.status, moved.header("location")) == (302, "http://other.example/x?y=1")
    assert seen("/x/416")[0] == 416
    s.wait_log("the address of the error_page for 416 is empty")


def test_error_page_asks_with_get_and_no_arguments(weir):
    s = conf(weir, """error_page 404 /page; error_page 403 /page?x=1;
        location = /page { return 200 "$request_method|$args|$request_uri"; }
        location = /403 { return 403; }""")
    assert s.get("/none?a=b", method="POST", body=b"x").body == b"GET||/none?a=b"
    assert s.get("/none", method="HEAD").status == 404
    assert s.get("/403?a=b").body == b"GET|x=1|/403?a=b"


def test_recursive_error_pages(weir):
    s = conf(weir, """error_page 404 /none; error_page 403 /404.html;
        location = /none { return 403; }
        location /recursive/ { recursive_error_pages on; error_page 404 /recursive/x;
            location = /recursive/x { error_page 403 /a.txt; return 403; } }
        location /cycle { recursive_error_pages on; error_page 404 /cycle/x; }""")
    assert s.get("/y").status == 403 and b"<title>403" in s.get("/y").body
    assert (s.get("/recursive/z").status, s.get("/recursive/z").body) == (403, b"A")
    assert s.get("/cycle/z").status == 500
    s.wait_log("rewrite or internal redirection cycle")


def test_error_page_of_bad_requests(weir):
    """There is no path yet, and no method: pages by path work, names of locations give 500."""
    s = conf(weir, "error_page 400 414 494 /50x.html;")
    for data in (b"bad\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nbad\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        answer = Response(s.raw(data))
        assert (answer.status, answer.body) == (400, b"sorry")
    assert Response(s.raw(b"GET /" + b"x" * 10000)).status == 414


def test_named_error_page_of_bad_requests(weir):
    s = conf(weir, "error_page 400 @bad; location @bad { root html; }")
    assert Response(s.raw(b"bad\r\n\r\n")).status == 500
    s.wait_log("empty URI in redirect to named location")


def test_error_page_of_the_right_server(weir):
    """What is known of the host counts, also for a head that is refused."""
    s = weir(http="""server { listen 127.0.0.1:@PORT@ default_server; }
        server { listen 127.0.0.1:@PORT@; server_name other; error_page 400 405 =418 /x;
                 location / { return 418 other; } }""")
    for line in (b"Content-Length: x\r\n", b"Transfer-Encoding: chunked, chunked\r\n"):
        answer = Response(s.raw(b"GET / HTTP/1.1\r\nHost: other\r\n" + line + b"\r\n"))
        assert (answer.status, answer.body) == (418, b"other")
    assert Response(s.raw(b"TRACE / HTTP/1.1\r\nHost: other\r\n\r\n")).status == 418
    assert Response(s.raw(b"GET / HTTP/1.1\r\nHost: o\r\nContent-Length: x\r\n\r\n")).status == 400


# ---- the server's name ----

@pytest.mark.parametrize("tokens, header", [
    ("", r"weir/[0-9.]+"), ("server_tokens on;", r"weir/[0-9.]+"), ("server_tokens off;", "weir"),
    ("server_tokens build;", r"weir/[0-9.]+.*"), ("server_tokens my-server;", "my-server"),
    ('server_tokens "a $arg_x b";', "a 1 b"), ('server_tokens "<$arg_x>";', "<1>"),
    ('server_tokens "$arg_none";', None), ('server_tokens "";', None),
])
def test_server_tokens(weir, tokens, header):
    s = conf(weir, tokens)
    for path in ("/a.txt?x=1", "/none?x=1"):
        name = s.get(path).header("server")
        assert re.fullmatch(header, name) if header else name is None
    foot = re.search(rb"<hr><center>(.*)</center>", s.get("/none?x=1").body)
    if header is None:
        assert foot is None
    else:
        assert foot[1].decode().replace("&lt;", "<").replace("&gt;", ">") == name


def test_server_tokens_with_a_line_break(weir):
    s = conf(weir, 'set $x "a\r\nb: c"; server_tokens "x $x";')
    response = s.get("/none")
    assert response.status == 404 and response.header("server") is None
    assert response.header("b") is None and b"<hr>" not in response.body


# ---- redirects ----

@pytest.mark.parametrize("directives, host, location", [
    ("", "localhost", "http://localhost:{port}/dir/"),
    ("", "Other.example:99", "http://other.example:{port}/dir/"),
    ("", "[::1]:99", "http://[::1]:{port}/dir/"),
    ("port_in_redirect off;", "localhost", "http://localhost/dir/"),
    ("absolute_redirect off;", "localhost", "/dir/"),
    ("server_name first second; server_name_in_redirect on;", "second", "http://first:{port}/dir/"),
    ("server_name_in_redirect on;", "x", "http://127.0.0.1:{port}/dir/"),
])
def test_redirect_to_folder(weir, directives, host, location):
    s = conf(weir, directives)
    response = s.get("/dir", host=host)
    assert (response.status, response.header("location")) == (301, location.format(port=s.port))
    response = s.get("/dir?a=b", host=host)
    assert response.header("location") == location.format(port=s.port) + "?a=b"


def test_redirect_without_host(weir):
    s = conf(weir, "")
    response = Response(s.raw(b"GET /dir HTTP/1.0\r\n\r\n"))
    assert response.header("location") == f"http://127.0.0.1:{s.port}/dir/"


def test_redirect_escapes(weir):
    s = conf(weir, "absolute_redirect off;")
    (s.dir / "html/a b\r\nc").mkdir()
    response = s.get("/a%20b%0d%0ac")
    assert (response.status, response.header("location")) == (301, "/a%20b%0D%0Ac/")


def test_return(weir):
    s = conf(weir, """location = /text { default_type a/b; return 200 "x $request_uri"; }
        location = /empty { return 204; } location = /url { return http://x.example/$uri; }
        location = /moved { return 301 /there?$args; } location = /keep { return 307 http://y/; }
        location = /code { return 418; } location = /none { return 404 gone; }""")
    assert (s.get("/text?a").body, s.get("/text").header("content-type")) == (b"x /text?a", "a/b")
    assert s.get("/empty").status == 204
    assert s.get("/url").header("location") == "http://x.example//url"
    assert s.get("/moved?q").header("location") == f"http://localhost:{s.port}/there?q"
    assert (s.get("/keep").status, s.get("/keep").header("location")) == (307, "http://y/")
    assert (s.get("/code").status, s.get("/none").body) == (418, b"gone")


def test_line_breaks_never_get_into_a_head(weir):
    s = conf(weir, "location /to { return 302 $uri; } location = /x { return 302 http://x/$arg_a; }")
    for path in ("/to%0d%0aSet-Cookie:%20a=b", "/to%0aX:%20y", "/x?a=%0d%0aX:%20y"):
        response = s.get(path)
        assert response.header("set-cookie") is None and response.header("x") is None


# ---- framing ----

def test_bodiless_responses(weir):
    s = conf(weir, 'location = /204 { return 204 x; } location = /205 { return 205 x; }')
    with Connection(s) as c:
        response = c.get("/204")
        assert response.header("content-length") is None
        assert response.header("transfer-encoding") is None
        response = c.get("/205")
        assert (response.header("content-length"), response.body) == ("0", b"")
        date = c.get("/a.txt").header("last-modified")
        response = c.send(f"GET /a.txt HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: {date}\r\n\r\n").read()
        assert response.status == 304 and response.header("transfer-encoding") is None
        assert c.get("/a.txt").body == b"A"


def test_405_says_what_is_allowed(weir):
    s = conf(weir, "")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X-NEW"):
        response = s.get("/a.txt", method=method)
        assert (response.status, response.header("allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("size", [0, 1, 10, 1460, 100000])
def test_postpone_output(weir, size):
    s = conf(weir, f"postpone_output {size};")
    (s.dir / "html/big.bin").write_bytes(bytes(range(256)) * 4096)
    ranges = "bytes=" + ",".join(f"{i * 100}-{i * 100 + 9}" for i in range(200))
    with Connection(s) as c:
        assert c.get("/big.bin").body == bytes(range(256)) * 4096
        parts = c.get("/big.bin", f"Range: {ranges}\r\n")
        assert parts.status == 206 and parts.body.count(b"Content-Range") == 200
        assert c.get("/a.txt").body == b"A"
