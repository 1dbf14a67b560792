"""sub_filter, add_before_body, add_after_body."""
import gzip

import pytest

PAGE = "<b>One</b> two ONE " + "x" * 40000 + " one two"


@pytest.fixture
def server(weir):
    return weir("""
        root @DIR@/html;
        default_type text/html;
        location / { sub_filter one 1; }
        location /all/ { alias @DIR@/html/; sub_filter one "[$arg_a]"; sub_filter two 2; sub_filter_once off;
                         sub_filter_last_modified on; }
        location /var/ { alias @DIR@/html/; sub_filter $arg_a b; }
        location /empty/ { alias @DIR@/html/; sub_filter one ""; sub_filter x ""; sub_filter_once off; }
        location /order/ { sub_filter ab 1; sub_filter abc 2; sub_filter bc 3; sub_filter_once off;
                           return 200 "ABCabbcxabcab"; }
        location /type/ { alias @DIR@/html/; default_type text/plain; sub_filter one 1; }
        location /types/ { alias @DIR@/html/; default_type text/plain; sub_filter one 1; sub_filter_types *; }
        location /long/ { alias @DIR@/html/; sub_filter "%s" y; }
        location /gzip/ { alias @DIR@/html/; sub_filter one 1; sub_filter_once off; gzip on; }
        location /threads/ { alias @DIR@/html/; aio threads; sub_filter one 1; sub_filter_once off;
                             add_after_body /threads/small; }
        location /added { add_before_body /x/before; add_after_body /x/after; sub_filter before NO;
                          return 200 "body"; }
        location /file { alias @DIR@/html/page; add_before_body /page; add_after_body /missing; gzip on; }
        location /x/ { internal; return 200 "<$uri>"; }
        """ % ("x" * 20000 + " one"), files={"html/page": PAGE, "html/big": "on" * 100000 + "one",
                                             "html/empty": "", "html/small": "one"})


def test_sub(server):
    r = server.get("/page")
    assert r.body.decode() == PAGE.replace("One", "1", 1)
    assert r.header("ETag") is None and r.header("Last-Modified") is None
    assert r.header("Accept-Ranges") is None
    r = server.get("/all/page?a=longer%20text")
    text = "[longer%20text]"
    assert r.body.decode() == PAGE.replace("One", text).replace("ONE", text).replace(
        "one", text).replace("two", "2")
    assert r.header("ETag").startswith("W/") and r.header("Last-Modified")
    assert server.get("/var/page?a=O").body.decode() == PAGE.replace("O", "b", 1)
    assert server.get("/var/page").body.decode() == PAGE
    assert server.get("/empty/page").body == b"<b></b> two    two"
    assert server.get("/big").body == b"on" * 100000 + b"1"
    assert server.get("/empty").body == b"" and server.get("/small").body == b"1"
    assert server.get("/type/page").body.decode() == PAGE
    assert server.get("/types/page").body.decode() == PAGE.replace("One", "1", 1)
    assert server.get("/long/page").body.decode() == PAGE.replace("x" * 20000 + " one", "y", 1)
    r = server.get("/gzip/page", {"Accept-Encoding": "gzip"})
    assert gzip.decompress(r.body).decode() == PAGE.replace("One", "1").replace("ONE", "1").replace("one", "1")
    assert server.get("/page", method="HEAD").header("Content-Length") is None


def test_order(server):
    assert server.get("/order/").body == b"1C13x1c1"


def test_threads(server):
    expected = PAGE.replace("One", "1").replace("ONE", "1").replace("one", "1") + "1"
    assert server.get("/threads/page").body.decode() == expected


def test_addition(server):
    assert server.get("/added").body == b"</x/before>body</x/after>"
    r = server.get("/file")
    assert r.body.decode() == PAGE.replace("One", "1", 1) + PAGE and r.header("Content-Length") is None
    r = server.get("/file", {"Accept-Encoding": "gzip"})
    assert gzip.decompress(r.body).decode() == PAGE.replace("One", "1", 1) + PAGE
    assert server.get("/file", method="HEAD").body == b""
