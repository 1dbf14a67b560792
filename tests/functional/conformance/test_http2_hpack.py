"""RFC 7541 (HPACK), as a server shows it.  See musts_http2.tsv; what is inside is in
tests/unit/test_hpack.c and tests/functional/test_hpack.py."""
import hpack
import pytest

from http2 import *
from peers import Peer, ok


@pytest.fixture
def site(weir):
    return weir("""http2 on; add_header X-One 1; add_header X-Two 2; add_header x-Three 3;
        location = /say { return 200 "$http_x|$http_y|$http_z"; }""")


@pytest.fixture
def c(site):
    with Http2(site) as connection:
        yield connection


def say(c, block):
    """A request with the four pseudo-header fields, then this."""
    stream = c.new_id()
    c.send(HEADERS, END_STREAM | END_HEADERS, stream,
           b"\x82\x86\x01\x09localhost\x04\x04/say" + block)
    return c.answer(stream)


def test_order(c):
    """Fields leave in the order of the response, and repeated ones come in theirs."""
    names = [name for name, _ in c.get("/say").fields]
    at = names.index("x-one")
    assert names[at:at + 3] == ["x-one", "x-two", "x-three"]
    assert say(c, b"\x00\x06cookie\x01a\x00\x06cookie\x01b").status == 200


def test_repeated_entries(c):
    """The same field twice in the table is no error."""
    assert say(c, b"\x40\x01x\x01a" * 3).body.startswith(b"a")
    assert say(c, b"\xbe").body == b"a||" and say(c, b"\xc0").body == b"a||"


@pytest.mark.parametrize("block", [b"\xbe", b"\x80", b"\xff\x80\x01", b"\x7f\x00\x01a"])
def test_bad_index(c, block):
    c.send(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84" + block)
    assert connection_error(c, COMPRESSION_ERROR)


@pytest.mark.parametrize("block", [b"\xff" * 12, b"\xff\x80\x80\x80\x80\x80\x80\x00",
                                   b"\x00\x7f\xff\xff\xff\xff\xff\xff\xff\x7fa", b"\x00\x7f\x80"])
def test_long_integers(c, block):
    c.send(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84" + block)
    assert connection_error(c, COMPRESSION_ERROR, FRAME_SIZE_ERROR)    # the latter: it is cut off


@pytest.mark.parametrize("coded", [b"\x82\xff\xff", b"\x82\x1f\xff", b"\x81\x18", b"\x84\xff\xff\xff\xff",
                                   b"\x85\xff\xff\xff\xff\xff", b"\x83\x1f\xff\xff"])
def test_bad_huffman(c, coded):
    c.send(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84\x00\x01x" + coded)
    assert connection_error(c, COMPRESSION_ERROR)


def test_huffman(c):
    for value in (b"", b"a", bytes(range(32, 127)).strip(), b"\xfe\xff"):
        c.encoder = hpack.Encoder()
        assert c.get("/say", more=[(b"x", value)]).body == value + b"||"


@pytest.mark.parametrize("block", [b"\x3f\xe2\x1f", b"\x20\x20\x20", b"\x3f\xff\xff\xff\xff\x0f"])
def test_bad_size_update(c, block):
    c.send(HEADERS, END_STREAM | END_HEADERS, 1, block + b"\x82\x86\x84")
    assert connection_error(c, COMPRESSION_ERROR)


def test_size_update_behind_a_field(c):
    c.send(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x20\x84")
    assert connection_error(c, COMPRESSION_ERROR)


def test_size_updates_of_a_client(c):
    """Down to nothing and up again: the table is empty then."""
    assert say(c, b"\x40\x01x\x01a").body == b"a||"
    stream = c.new_id()
    c.send(HEADERS, END_STREAM | END_HEADERS, stream,
           b"\x20\x3f\xe1\x1f\x82\x86\x01\x09localhost\x04\x04/say")
    assert c.answer(stream).body == b"||"
    c.send(HEADERS, END_STREAM | END_HEADERS, c.new_id(), b"\x82\x86\x84\xbe")
    assert connection_error(c, COMPRESSION_ERROR)


@pytest.mark.parametrize("sizes", [(0,), (100,), (0, 4096), (100, 50, 300), (65536,), (4096,), (0, 65536)])
def test_size_update_of_the_server(site, sizes):
    """After our settings its next block begins with what they ask for: least size, then the last."""
    with Http2(site) as c:
        c.get("/say")
        for size in sizes:
            c.send(SETTINGS, payload=settings({HEADER_TABLE_SIZE: size}))
        assert c.alive()
        c.decoder.max_allowed_table_size = sizes[-1]
        for _ in range(3):
            assert c.get("/say").status == 200
        assert c.decoder.header_table_size <= sizes[-1]


def test_size_zero_from_the_start(site):
    with Http2(site, {HEADER_TABLE_SIZE: 0}) as c:
        c.decoder.max_allowed_table_size = 0
        for _ in range(3):
            assert c.get("/say").status == 200


def test_eviction(c):
    """More than the table holds, many times over; the client's table says what the server must know."""
    for i in range(300):
        value = f"{i}-" + "v" * (i * 37 % 900)
        more = [("x", value), ("y", f"{i // 2}"), ("z", "same")]
        assert c.get("/say", more=more).body == f"{value}|{i // 2}|same".encode()


def test_never_indexed_is_passed_on(weir):
    """To a back end over HTTP/1 there is no such mark: the field arrives, is all."""
    def script(conn):
        while True:
            head, _ = conn.request()
            conn.send(ok(head))

    peer = Peer(script)
    site = weir(f"http2 on; location / {{ proxy_pass http://127.0.0.1:{peer.port}; }}")
    with Http2(site) as c:
        fields = [hpack.NeverIndexedHeaderTuple("authorization", "Basic eDp5")]
        stream = c.new_id()
        c.send(HEADERS, END_STREAM | END_HEADERS, stream,
               c.encoder.encode([hpack.HeaderTuple(*f) for f in c.fields("/")] + fields))
        assert b"authorization: basic edp5" in c.answer(stream).body.lower()
    peer.stop()
