"""proxy_http_version 2: requests that share connections to peers.  The peer is python3-h2's, and where it is
to misbehave, frames by hand."""
import concurrent.futures
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from conftest import Response
from peers import Gone, Peer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class H2Conn:
    """A peer's side of a connection: `handler(conn, stream, headers, body)` for each request."""

    def __init__(self, conn, handler, settings=None):
        self.conn, self.handler = conn, handler
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        if settings:
            self.h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self.bodies, self.heads, self.pending = {}, {}, {}

    def flush(self):
        self.conn.send(self.h2.data_to_send())

    def answer(self, stream, body=b"", status="200", fields=(), trailers=()):
        fields = [(":status", status), *fields]
        self.h2.send_headers(stream, fields, end_stream=not body and not trailers)
        self.pending[stream] = (body, trailers)
        self.push(stream)

    def push(self, stream):
        if stream not in self.pending:
            return
        body, trailers = self.pending[stream]
        while body:
            n = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if n <= 0:
                break
            self.h2.send_data(stream, body[:n], end_stream=n == len(body) and not trailers)
            body = body[n:]
        self.pending[stream] = (body, trailers)
        if not body:
            if trailers:
                self.h2.send_headers(stream, list(trailers), end_stream=True)
            del self.pending[stream]

    def run(self):
        self.h2.initiate_connection()
        self.flush()
        while True:
            data = self.conn.sock.recv(65536)
            if not data:
                raise Gone
            for event in self.h2.receive_data(data):
                self.on(event)
            self.flush()

    def on(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.heads[event.stream_id] = dict(event.headers)
            self.bodies[event.stream_id] = b""
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            head, body = self.heads[event.stream_id], self.bodies[event.stream_id]
            self.conn.peer.requests.append((head, body))
            self.handler(self, event.stream_id, head, body)
        elif isinstance(event, h2.events.StreamReset):
            self.pending.pop(event.stream_id, None)
            self.conn.peer.resets = getattr(self.conn.peer, "resets", 0) + 1
        elif isinstance(event, h2.events.WindowUpdated):
            for stream in list(self.pending):
                self.push(stream)


def serve(handler, settings=None):
    return lambda conn: H2Conn(conn, handler, settings).run()


def waited(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def by_hand(*answer):
    """Waits for the head of the first request, then sends these frames."""
    def script(conn):
        while len(conn.buffer) < len(PREFACE):
            conn.more()
        conn.send(frame(4) + frame(4, 1))
        while b"\x00\x00\x00\x01" not in conn.buffer[len(PREFACE):]:
            conn.more()
        conn.send(b"".join(answer))
        while True:
            conn.more()
    return script


HEAD_200 = frame(1, 4, 1, b"\x88")


def conf(*peers, location="", group="", more=""):
    servers = "".join(f"server 127.0.0.1:{p.port};\n" for p in peers)
    return (f"upstream u {{ {servers} {group} }}\n{more}\n"
            "server { listen 127.0.0.1:@PORT@; client_max_body_size 10m; "
            f"location / {{ proxy_pass http://u; proxy_http_version 2; {location} }} }}")


def test_request_and_response(weir, peer):
    p = peer(serve(lambda c, s, head, body: c.answer(s, b"hello", fields=[("x-a", "1"), ("content-length", "5")])))
    s = weir(http=conf(p, location="proxy_set_header X-B two;"))
    r = s.get("/a%20b?c=d", headers={"Cookie": "e=f", "TE": "gzip", "Keep-Alive": "1"})
    assert (r.status, r.body, r.header("x-a"), r.header("content-length")) == (200, b"hello", "1", "5")
    head, body = p.requests[0]
    assert head[":method"] == "GET" and head[":path"] == "/a%20b?c=d" and head[":scheme"] == "http"
    assert head[":authority"] == "u" and head["x-b"] == "two" and head["cookie"] == "e=f"
    assert not {"host", "connection", "te", "keep-alive", "transfer-encoding"} & set(head) and body == b""


def test_own_host(weir, peer):
    p = peer(serve(lambda c, s, head, body: c.answer(s, head[":authority"].encode())))
    s = weir(http=conf(p, location="proxy_set_header Host example.org;"))
    assert s.get("/").body == b"example.org"


def test_bodies_both_ways_beyond_every_window(weir, peer):
    p = peer(serve(lambda c, s, head, body: c.answer(s, body[::-1])))
    s = weir(http=conf(p))
    sent = bytes(range(256)) * 8192
    r = s.get("/", method="POST", body=sent)
    assert r.status == 200 and r.body == sent[::-1]
    assert int(p.requests[0][0]["content-length"]) == len(sent)


def test_requests_share_a_connection(weir, peer):
    """Twenty at once, none of which is answered before all are there."""
    waiting = []

    def handler(c, stream, head, body):
        waiting.append(stream)
        if len(waiting) == 20:
            for s in reversed(waiting):
                c.answer(s, b"%d" % s)

    p = peer(serve(handler))
    s = weir(http=conf(p))
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: s.get("/"), range(20)))
    assert sorted(int(r.body) for r in answers) == [1 + 2 * i for i in range(20)]
    assert p.connections == 1


def test_connection_is_kept(weir, peer):
    p = peer(serve(lambda c, s, head, body: c.answer(s, b"x")))
    s = weir(http=conf(p))
    assert [s.get("/").status for _ in range(5)] == [200] * 5
    assert p.connections == 1


def test_keepalive_requests_bound_a_connection(weir, peer):
    p = peer(serve(lambda c, s, head, body: c.answer(s, b"x")))
    s = weir(http=conf(p, group="keepalive 4; keepalive_requests 2;"))
    assert [s.get("/").status for _ in range(6)] == [200] * 6
    assert p.connections == 3


def test_no_keepalive_no_sharing(weir, peer):
    p = peer(serve(lambda c, s, head, body: c.answer(s, b"x")))
    s = weir(http=conf(p, group="keepalive 0;"))
    assert [s.get("/").status for _ in range(3)] == [200] * 3
    assert p.connections == 3


def test_most_streams_of_the_peer(weir, peer):
    """What is more than it takes goes over other connections."""
    waiting = []

    def handler(c, stream, head, body):
        if head[":path"] == "/first":
            c.answer(stream, b"x")
            return
        waiting.append((c, stream))
        if len(waiting) == 6:
            for conn, s in waiting:
                conn.answer(s, b"x")
                conn.flush()

    p = peer(serve(handler, {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2}))
    s = weir(http=conf(p))
    assert s.get("/first").body == b"x"
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = []
        for n in range(6):                 # one after the other, so that each connection has told its bound
            answers.append(pool.submit(s.get, "/"))
            assert n == 5 or waited(lambda: len(waiting) == n + 1)
        assert [a.result().body for a in answers] == [b"x"] * 6
    assert all(sum(1 for c, _ in waiting if c is d) <= 2 for d, _ in waiting)


def test_head_and_204_have_no_body(weir, peer):
    def handler(c, s, head, body):
        if head[":method"] == "HEAD":
            c.answer(s, fields=[("content-length", "7")])
        else:
            c.answer(s, status="204")

    s = weir(http=conf(peer(serve(handler))))
    r = Response(s.raw(b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "HEAD")
    assert r.status == 200 and r.header("content-length") == "7"
    assert s.get("/").status == 204


def test_streamed_request_body(weir, peer):
    """Its length is not known when it begins."""
    p = peer(serve(lambda c, s, head, body: c.answer(s, b"%d" % len(body))))
    s = weir(http=conf(p, location="proxy_request_buffering off;"))
    with s.connect() as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for _ in range(50):
            c.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        c.sendall(b"0\r\n\r\n")
        data = b""
        while chunk := c.recv(65536):
            data += chunk
    assert Response(data).body == b"%d" % (50 * 4096)
    assert "content-length" not in p.requests[0][0]


def test_goaway_is_obeyed(weir, peer):
    """A peer that says goodbye behind each answer is asked over a fresh connection."""
    def handler(c, s, head, body):
        c.answer(s, b"x")
        c.h2.close_connection()

    p = peer(serve(handler))
    s = weir(http=conf(p))
    assert [s.get("/").status for _ in range(4)] == [200] * 4
    assert p.connections == 4


def test_refused_stream_is_asked_again(weir, peer):
    """Even a POST: the peer says that it did nothing."""
    seen = []

    def handler(c, s, head, body):
        seen.append(head[":method"])
        if len(seen) == 2:
            c.h2.reset_stream(s, error_code=7)
        else:
            c.answer(s, b"done")

    s = weir(http=conf(peer(serve(handler))))
    assert s.get("/").body == b"done"
    assert s.get("/", method="POST", body=b"x").body == b"done"
    assert seen == ["GET", "POST", "POST"]


def test_reset_in_the_middle_is_no_whole_response(weir, peer):
    def handler(c, s, head, body):
        c.h2.send_headers(s, [(":status", "200"), ("content-length", "10")])
        c.h2.send_data(s, b"12345")
        c.flush()
        c.h2.reset_stream(s, error_code=2)

    s = weir(http=conf(peer(serve(handler)), location="proxy_next_upstream off;"))
    answer = s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert Response(answer).status in (200, 502) and not answer.endswith(b"1234567890")


@pytest.mark.parametrize("frames", [
    (frame(1, 4, 1, b"\x0f\x2f"),),                                # a block that ends in the middle
    (frame(1, 4, 1, b"\x40\x01a\x01b"),),                          # no status
    (frame(1, 4, 1, b"\x88\x88"),),                                # two
    (frame(1, 4, 1, b"\x88\x40\x0aconnection\x05close"),),         # a field that HTTP/2 has not
    (frame(1, 4, 1, b"\x88\x40\x01A\x01b"),),                      # upper case
    (frame(1, 4, 1, b"\x88\x40\x01a\x03b\r\n"),),                  # a line break
    (frame(0, 0, 1, b"body first"),),
    (frame(0, 0, 3, b"a stream that is none"),),
    (frame(5, 4, 1, b"\0\0\0\2\x88"),),                            # a push
    (frame(9, 4, 1, b"\x88"),),                                    # CONTINUATION of nothing
    (frame(1, 0, 1, b"\x88"), frame(6, 0, 0, b"12345678")),        # something else than CONTINUATION
    (frame(8, 0, 0, b"\0\0\0\0"),),                                # a window of nothing
    (frame(4, 0, 0, b"12345"),), (frame(6, 0, 0, b"1"),), (frame(7, 0, 1, b"12345678"),),
    (b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",),                    # a frame of 16 MiB
    (frame(1, 5, 1, b"\x88\x5c\x01\x35"),),                        # length 5, and nothing behind it
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",),
], ids=range(18))
def test_bad_frames_are_502(weir, peer, frames):
    s = weir(http=conf(peer(by_hand(*frames)), location="proxy_next_upstream off;"))
    assert s.get("/").status == 502


def test_more_or_less_than_content_length(weir, peer):
    for size in (4, 6):
        body = frame(0, 1, 1, b"x" * size)
        s = weir(http=conf(peer(by_hand(frame(1, 4, 1, b"\x88\x5c\x01\x35"), body)), location="proxy_next_upstream off;"))
        answer = s.raw(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert not answer.endswith(b"x" * 5)
        s.stop()


def test_control_frames_are_answered(weir, peer):
    """PING and SETTINGS; unknown frames and settings are nothing."""
    p = peer(by_hand(frame(4, 0, 0, struct.pack(">HI", 0x99, 1)), frame(0x77, 0xff, 5, b"?"),
                     frame(6, 0, 0, b"12345678"), HEAD_200, frame(0, 8 | 1, 1, b"\x03abc\0\0\0")))
    s = weir(http=conf(p))
    assert s.get("/").body == b"abc"


def test_continuation(weir, peer):
    p = peer(by_hand(frame(1, 0, 1, b"\x88\x40"), frame(9, 0, 1, b"\x03x-a"), frame(9, 4, 1, b"\x01b"),
                     frame(0, 1, 1, b"ok")))
    r = weir(http=conf(p)).get("/")
    assert r.body == b"ok" and r.header("x-a") == "b"


def test_next_peer_where_one_is_gone(weir, peer):
    def closes(conn):
        conn.more()

    good = peer(serve(lambda c, s, head, body: c.answer(s, b"good")))
    s = weir(http=conf(peer(closes), good))
    assert [s.get("/").body for _ in range(4)] == [b"good"] * 4


def test_client_that_leaves_resets_its_stream_alone(weir, peer):
    held = []

    def handler(c, s, head, body):
        if head[":path"] == "/wait":
            held.append(s)
        else:
            c.answer(s, b"x")

    p = peer(serve(handler))
    s = weir(http=conf(p))
    with s.connect() as c:
        c.sendall(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        assert waited(lambda: held)
    for _ in range(100):
        if getattr(p, "resets", 0):
            break
        assert s.get("/").body == b"x"
    assert p.resets == 1 and p.connections == 1


def test_slow_client_holds_up_nobody_else(weir, peer):
    """It takes nothing of a large body; others of the same connection get theirs."""
    p = peer(serve(lambda c, s, head, body: c.answer(s, b"y" * (20 << 20) if head[":path"] == "/big" else b"x")))
    s = weir(http=conf(p, location="proxy_buffering off;"))
    with s.connect() as c:
        c.sendall(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
        c.recv(1)
        assert [s.get("/").body for _ in range(10)] == [b"x"] * 10
        assert p.connections == 1
        left = 20 << 20
        while left > 0:
            left -= len(c.recv(1 << 20))
