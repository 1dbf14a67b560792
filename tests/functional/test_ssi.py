"""Server side includes."""
import time

import pytest

ERROR = b"[an error occurred while processing the directive]"


@pytest.fixture
def page(weir):
    server = weir("""
        root @DIR@/html;
        default_type text/html;
        location / { ssi on; }
        location /silent/ { ssi on; alias @DIR@/html/; ssi_silent_errors on; ssi_value_length 10; }
        location /modified/ { ssi on; alias @DIR@/html/; ssi_last_modified on; }
        location /text/ { default_type text/plain; ssi on; alias @DIR@/html/; }
        location /echo { return 200 "[$uri?$args]"; }
        location /threads/ { alias @DIR@/html/; aio threads; ssi on; }
        location /none { return 204; }
        location /big { subrequest_output_buffer_size 8; alias @DIR@/html/big; }
        """, files={"html/big": "b" * 50000, "html/loop": '<!--#include virtual="/loop" -->.',
                    "html/nested": '(<!--#include virtual="/echo" -->)',
                    "html/dir/rel": '<!--#include virtual="other" -->', "html/dir/other": "other",
                    "html/empty": ""})

    def get(text, query="", place="/", **more):
        (server.dir / "html" / "page").write_bytes(text if isinstance(text, bytes) else text.encode())
        return server.get(place + "page" + query, **more).body
    get.server = server
    return get


def test_echo(page):
    assert page("no commands") == b"no commands"
    assert page('<!--#echo var="arg_a" -->', "?a=<1>") == b"&lt;1&gt;"
    assert page('<!--# echo var="arg_a" encoding="none"-->', "?a=<1>") == b"<1>"
    assert page("<!--#echo var='arg_a' encoding='url' -->", "?a=%22") == b"%2522"
    assert page('<!--#echo var="no_such" -->') == b"(none)"
    assert page('<!--#echo var="no_such" default="d" -->') == b"d"
    assert page('<!--#echo var="uri"--><!--#echo var="request_method"-->') == b"/pageGET"
    assert page('a<!-- comment -->b<!-<!--#echo var="uri" -->') == b"a<!-- comment -->b<!-/page"
    assert page("x", method="HEAD") == b""


def test_set(page):
    assert page('<!--#set var="a" value="1" --><!--#set var="b" value="$a\\$a${a}" --><!--#echo var="b"-->') \
        == b"1$a1"
    assert page('<!--#config timefmt="%Y" --><!--#echo var="date_gmt" -->') == time.strftime(
        "%Y", time.gmtime()).encode()
    assert page('<!--#config timefmt="%s" --><!--#echo var="date_local" -->')[:2].isdigit()
    assert b"day, " in page('<!--#echo var="date_local" -->')


def test_if(page):
    text = '<!--#if expr="$arg_a = /^(?<n>[0-9]+)(x*)$/" -->R<!--#echo var="n" --><!--#echo var="2" -->' \
           '<!--#elif expr="$arg_a != b" -->N<!--#if expr="$arg_b"-->n<!--#else-->e<!--#endif-->' \
           '<!--#else -->E<!--#endif -->.'
    assert page(text, "?a=12xx") == b"R12xx."
    assert page(text, "?a=b") == b"E."
    assert page(text, "?a=c") == b"Ne."
    assert page(text, "?a=c&b=1") == b"Nn."
    assert page('<!--#if expr="$arg_a" -->unended', "?a=1") == b"unended"


def test_errors(page):
    assert page('a<!--#what -->b') == b"a" + ERROR + b"b"
    assert page('a<!--#endif -->b') == b"a" + ERROR + b"b"
    assert page('a<!--#config errmsg="E"--><!--#echo vra="x" -->b<!--#echo -->') == b"aEbE"
    assert page('a<!--#echo var=x -->b') == b"a" + ERROR + b"b"
    assert page('a<!--#echo var="x') == b"a" + ERROR
    assert page('<!--#include virtual="/%00" --><!--#include virtual="/../x" -->') == ERROR * 2
    assert page('<!--#include -->') == ERROR
    assert page("a<!--#what -->b", place="/silent/") == b"ab"
    assert page('a<!--#echo var="x" default="01234567890" -->b', place="/silent/") == b"ab"
    assert page("<!--#echo " + "x" * 50000 + ' --> after') == ERROR + b" after"
    assert page('<!--#if expr="a = /(/" -->x<!--#endif-->') == ERROR


def test_include(page):
    assert page('1<!--#include virtual="/echo?a=$arg_q" -->2<!--#include file="dir/other" -->3', "?q=Q") \
        == b"1[/echo?a=Q]2other3"
    assert page('<!--#include virtual="/nested" --><!--#include virtual="/dir/rel" -->') == b"([/echo?])other"
    assert page('<<!--#include virtual="/big" -->><!--#include virtual="/big" wait="yes" -->') == \
        b"<" + b"b" * 50000 + b">" + b"b" * 50000
    assert page('<!--#block name="b" -->S<!--#echo var="uri"--><!--#endblock -->'
                '<!--#include virtual="/missing" stub="b" -->,<!--#include virtual="/none" stub="b" -->,'
                '<!--#include virtual="/echo" stub="b" -->') == b"S/page,S/page,[/echo?]"
    assert page('<!--#include virtual="/echo?x" set="v" -->(<!--#echo var="v" -->)') == b"([/echo?x])"
    assert page('<!--#include virtual="/empty" set="v" -->(<!--#echo var="v" -->)') == b"()"
    assert page('<!--#include virtual="/loop" -->').endswith(b".")
    many = "".join(f'{i}<!--#include virtual="/echo?{i}" -->' for i in range(300))
    assert page(many) == "".join(f"{i}[/echo?{i}]" for i in range(300)).encode()


def test_side_by_side(page):
    """Files opened and read in threads: includes wait, and come in order."""
    text = "".join(f'{i}<!--#include virtual="/threads/{name}" -->'
                   for i, name in enumerate(["dir/other", "big", "empty", "nested", "big"] * 20))
    expected = "".join(f"{i}{body}" for i, body in enumerate(
        ["other", "b" * 50000, "", "([/echo?])", "b" * 50000] * 20))
    for place in ("/", "/threads/"):
        assert page(text, place=place).decode() == expected
    assert page('<!--#include virtual="/threads/dir/other" set="v" --><!--#echo var="v" -->',
                place="/threads/") == b"other"


def test_large(page):
    text = "".join(f'line {i} <!--#echo var="arg_a" -->\n' for i in range(5000))
    assert page(text, "?a=A") == "".join(f"line {i} A\n" for i in range(5000)).encode()
    assert page(text, "?a=A", place="/text/") == text.encode()


def test_too_big_for_a_variable(page):
    (page.server.dir / "html" / "page").write_text('<!--#include virtual="/big" set="v" -->x')
    assert page.server.raw(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    page.server.wait_log("too big subrequest response")


def test_head_fields(page):
    page("text")
    r = page.server.get("/page")
    assert r.header("Last-Modified") is None and r.header("ETag") is None
    r = page.server.get("/modified/page")
    assert r.header("Last-Modified") and r.header("ETag").startswith("W/")


def test_clients_that_leave(page):
    """In the middle of nested includes, that hold files and wait for threads."""
    (page.server.dir / "html" / "outer").write_text('<!--#include virtual="/threads/inner" -->' * 20)
    (page.server.dir / "html" / "inner").write_text('<!--#include virtual="/threads/big" -->' * 20)
    for _ in range(30):
        with page.server.connect() as s:
            s.sendall(b"GET /outer HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(1000)
    assert page("end") == b"end"
    assert len(page.server.get("/outer").body) == 400 * 50000
