"""WebSockets over HTTP/2 (RFC 8441) to back ends that speak HTTP/1.1: python3-h2's client, and a real
library's messages on both sides."""
import base64
import collections
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
import websockets.extensions.permessage_deflate as deflate
import websockets.frames as frames
from websockets.streams import StreamReader

from conftest import BINARY
from h2_streams import Client, reset, waited
from http2 import CANCEL, DATA, END_STREAM, GOAWAY, HEADERS, PADDED, Http2
from test_tunnel import read_head
from test_websocket import HTTP, server

OFFER = [("sec-websocket-version", "13"), ("origin", "http://localhost")]
LOG = """map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    log_format l '$request_method|$request|$status|$upstream_status|$http_upgrade|$http_connection|$bytes_sent|'
                 '$request_length|$server_protocol'; """


def start(weir, port, more="", outside="", **others):
    http = HTTP.replace("map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}", LOG)
    http = http.format(port=port, more="access_log @DIR@/log l; " + more)
    return weir(http="http2 on;" + outside + http, **{"main": "error_log error.log info;", **others})


class WebSocket:
    """Messages on a stream."""

    def __init__(self, stream, extensions=()):
        self.stream, self.extensions = stream, extensions
        self.reader = StreamReader()

    def send(self, message, opcode=None, fin=True):
        self.stream.send(self.bytes(message, opcode, fin))

    def bytes(self, message, opcode=None, fin=True):
        text = isinstance(message, str)
        opcode = opcode if opcode is not None else frames.OP_TEXT if text else frames.OP_BINARY
        return frames.Frame(opcode, message.encode() if text else message, fin).serialize(
            mask=True, extensions=self.extensions)

    def frame(self):
        parser = frames.Frame.parse(self.reader.read_exact, mask=False, extensions=self.extensions)
        while True:
            self.reader.feed_data(bytes(self.stream.data))
            self.stream.data.clear()
            try:
                next(parser)
            except StopIteration as end:
                return end.value
            assert not self.stream.over or self.stream.data
            self.stream.client.step()

    def receive(self):
        f = self.frame()
        data, text = f.data, f.opcode == frames.OP_TEXT
        while not f.fin:
            f = self.frame()
            data += f.data
        return data.decode() if text else data


def connect(client, path="/chat?room=1", fields=(), **more):
    stream = client.open(path, "websocket", fields=[*OFFER, *fields])
    assert stream.answer() == 200
    return WebSocket(stream, **more)


MESSAGE = frames.Frame(frames.OP_TEXT, b"hello").serialize(mask=True)


def open_by_hand(client):
    stream = client.headers([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"),
                             (":authority", "a"), *OFFER], end=False)
    client.expect(HEADERS, stream)
    assert client.answers[stream].status == 200
    return stream


def test_echo(weir, server):
    s = start(weir, server.port)
    with Client(s.connect()) as c:
        assert c.connects
        ws = connect(c, fields=[("sec-websocket-protocol", "a, c")])
        assert ws.stream.fields["sec-websocket-protocol"] == "a"
        assert not {"upgrade", "connection", "sec-websocket-accept", "content-length"} & set(ws.stream.fields)
        ws.send("path")
        assert json.loads(ws.receive()) == ["/chat?room=1", "127.0.0.1", "localhost"]
        for message in ("", "text", "\u00e9\U0001f600", b"", b"\0\xff", os.urandom(125), os.urandom(126),
                        os.urandom(65535), os.urandom(65536), "x" * 100_000, os.urandom(3_000_000)):
            ws.send(message)
            assert ws.receive() == message
        ws.send("frag", fin=False)
        ws.send(b"mented", opcode=frames.OP_CONT)
        assert ws.receive() == "fragmented"
        ws.send(frames.Close(1001, "I go").serialize(), opcode=frames.OP_CLOSE)
        close = ws.frame()
        assert close.opcode == frames.OP_CLOSE and frames.Close.parse(close.data).code == 1001
        c.until(lambda: ws.stream.ended)           # the back end closes
        ws.stream.end()
        assert waited(lambda: server.ended) and server.ended == [(1001, "I go")]
        assert waited(lambda: (s.dir / "log").read_text())
        method, line, status, upstream, upgrade, connection, sent, received, version = \
            (s.dir / "log").read_text().strip().split("|")
        assert (method, line, version) == ("GET", "GET /chat?room=1 HTTP/2.0", "HTTP/2.0")
        assert (status, upstream, upgrade, connection) == ("101", "101", "websocket", "Upgrade")
        assert 3_231_000 < int(sent) < 3_300_000 and 3_231_000 < int(received) < 3_300_000
        assert ws.stream.code is None
        again = connect(c)
        again.send("still")
        assert again.receive() == "still"


def test_compression(weir, server):
    s = start(weir, server.port)
    with Client(s.connect()) as c:
        ws = connect(c, fields=[("sec-websocket-extensions", "permessage-deflate")],
                     extensions=[deflate.PerMessageDeflate(False, False, 15, 15)])
        assert ws.stream.fields["sec-websocket-extensions"].startswith("permessage-deflate")
        for message in ("x" * 100_000, os.urandom(1000)):
            ws.send(message)
            assert ws.receive() == message


def test_many_at_once(weir, server):
    """Tunnels and requests share a connection, and all directions are full."""
    s = start(weir, server.port, outside="server_names_hash_max_size 512;")
    messages = [os.urandom(20_000) for _ in range(50)]
    with Client(s.connect()) as c:
        sockets = [connect(c) for _ in range(10)]
        for ws in sockets:
            ws.out = b"".join(ws.bytes(m) for m in messages)
            ws.at = 0
        while any(ws.at < len(ws.out) for ws in sockets):
            moved = 0
            for ws in sockets:
                n = ws.stream.send_some(ws.out[ws.at:ws.at + 16384])
                ws.at += n
                moved += n
            c.step(0 if moved else 0.2)
        for ws in sockets:
            assert [ws.receive() for _ in messages] == messages


def test_ends(weir, server):
    s = start(weir, server.port)
    with Client(s.connect()) as c:
        ws = connect(c)
        ws.send("close 3000")
        close = ws.frame()
        assert frames.Close.parse(close.data).code == 3000
        ws.send(close.data, opcode=frames.OP_CLOSE)
        c.until(lambda: ws.stream.ended)
        ws.stream.end()
        ws = connect(c)
        ws.send("x")
        assert ws.receive() == "x"
        ws.stream.reset()
        assert waited(lambda: len(server.ended) == 2)
        ws = connect(c)
        ws.stream.end()                            # without a word
        assert ws.stream.read_all() == b"" or ws.stream.ended
        assert waited(lambda: len(server.ended) == 3)
        connect(c)
    assert waited(lambda: len(server.ended) == 4)  # the connection itself
    assert [code for code, _ in server.ended] == [3000, 1006, 1006, 1006]


def test_peer_that_breaks_off(weir, peer):
    def script(conn):
        head, _ = conn.request()
        conn.send(accepting(head))
        conn.sock.recv(1)
        reset(conn.sock)
    s = start(weir, peer(script).port)
    with Client(s.connect()) as c:
        stream = c.open("/", "websocket", fields=OFFER)
        assert stream.answer() == 200
        stream.send(b"x")
        c.until(lambda: stream.over)
        assert stream.code == CANCEL


def key_of(head):
    return [line.split(b": ", 1)[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")]


def accepting(head, **changed):
    key, = key_of(head)
    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    fields = {"upgrade": b"WebSocket", "connection": b"keep-alive, Upgrade", "accept": proof, "more": b""} | changed
    return (b"HTTP/1.1 101 Switching Protocols\r\n"
            + (b"Upgrade: %s\r\n" % fields["upgrade"] if fields["upgrade"] else b"")
            + (b"Connection: %s\r\n" % fields["connection"] if fields["connection"] else b"")
            + (b"Sec-WebSocket-Accept: %s\r\n" % fields["accept"] if fields["accept"] else b"")
            + fields["more"] + b"\r\n")


def test_what_the_back_end_sees(weir, peer):
    p = peer(lambda conn: conn.send(accepting(conn.request()[0], more=b"Content-Length: 0\r\nX-A: b\r\n") + b"hi"))
    s = start(weir, p.port)
    with Client(s.connect()) as c:
        keys = set()
        for _ in range(2):
            stream = c.open("/chat", "websocket", authority="example.org:81",
                            fields=[*OFFER, ("cookie", "a=b"), ("cookie", "c=d")])
            assert stream.answer() == 200 and stream.fields["x-a"] == "b" and "content-length" not in stream.fields
            assert stream.read(2) == b"hi"
            lines = p.requests[-1].decode().split("\r\n")
            assert lines[0] == "GET /chat HTTP/1.1"
            fields = {n.lower(): v for n, v in (line.split(": ", 1) for line in lines[1:] if line)}
            assert len(fields) == len(lines) - 3
            key = fields.pop("sec-websocket-key")
            assert len(base64.b64decode(key)) == 16
            keys.add(key)
            assert fields == {"host": "example.org", "connection": "upgrade", "upgrade": "websocket", "cookie": "a=b; c=d",
                              "sec-websocket-version": "13", "origin": "http://localhost", "x-real-ip": "127.0.0.1"}
        assert len(keys) == 2


@pytest.mark.parametrize("changed", [
    {"accept": b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, {"accept": b""}, {"upgrade": b"h2c"}, {"upgrade": b""},
    {"connection": b"close"}, {"connection": b""},
])
def test_answers_that_are_none(weir, peer, changed):
    p = peer(lambda conn: conn.send(accepting(conn.request()[0], **changed) + b"\x81\x01x"))
    s = start(weir, p.port)
    with Client(s.connect()) as c:
        stream = c.open("/", "websocket", fields=OFFER)
        assert stream.answer() == 502
        s.wait_log("upstream sent an upgrade that is no WebSocket")


@pytest.mark.parametrize("answer, status", [
    (b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 403), (b"HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n", 426),
    (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 405), (b"HTTP/1.1 204 No Content\r\n\r\n", 405),
])
def test_refused(weir, peer, answer, status):
    """A success that is no tunnel would say that there is one."""
    s = start(weir, peer(lambda conn: conn.answer(answer)).port)
    with Client(s.connect()) as c:
        stream = c.open("/", "websocket", fields=OFFER)
        assert stream.answer() == status
        c.until(lambda: stream.over)
        if status == 405:
            s.wait_log("no WebSocket came of a client's CONNECT")


def test_places_without_upgrade(weir, server):
    s = weir(http=f"""http2 on; server {{ listen 127.0.0.1:@PORT@; root html;
        location /return {{ return 200 "$request_method $http_upgrade"; }}
        location /deny {{ deny all; proxy_pass http://127.0.0.1:{server.port}; }}
        location /plain {{ proxy_pass http://127.0.0.1:{server.port}; }}
        location /get {{ limit_except GET {{ deny all; }} proxy_pass http://127.0.0.1:{server.port};
            proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection; client_max_body_size 1; }}
        location /tunnel {{ tunnel_pass; }}
        }}""", files={"html/a": "A"}, main="error_log error.log info;")
    with Client(s.connect()) as c:
        for path, status in (("/a", 405), ("/none", 404), ("/return", 405), ("/deny", 403), ("/plain", 426),
                             ("/tunnel", 405)):
            assert c.open(path, "websocket", fields=OFFER).answer() == status, path
        ws = connect(c, "/get")
        ws.send("x" * 1000)
        assert ws.receive() == "x" * 1000
        assert c.open("/a", method="GET", end=True).answer() == 200


def test_access_rules_and_error_pages(weir, server):
    s = start(weir, server.port, 'auth_basic x; auth_basic_user_file users; error_page 401 =200 @sorry;',
              files={"users": "me:{PLAIN}secret\n"})
    conf = (s.dir / "weir.conf").read_text()
    assert "@sorry" in conf
    with Client(s.connect()) as c:
        assert c.open("/", "websocket", fields=OFFER).answer() in (401, 405, 404, 500)
        ws = connect(c, fields=[("authorization", "Basic bWU6c2VjcmV0")])
        ws.send("in")
        assert ws.receive() == "in"


@pytest.mark.parametrize("protocol", ["chat", "connect-udp", "", "websocket, chat"])
def test_other_protocols(weir, server, protocol):
    s = start(weir, server.port)
    with Http2(s) as c:
        stream = c.headers([(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", "/"),
                            (":authority", "a")], end=False)
        c.expect(HEADERS, stream)
        assert c.answers[stream].status == 501
        assert c.alive()
    assert not server.connections


def test_case_of_the_protocol(weir, server):
    s = start(weir, server.port)
    with Client(s.connect()) as c:
        assert c.open("/", "WebSocket", fields=OFFER).answer() == 200


def test_timeouts(weir, server):
    s = start(weir, server.port, "proxy_send_timeout 1s;")
    s.stop()
    s.write_conf((s.dir / "weir.conf").read_text().replace("proxy_http_version 1.1;",
                                                           "proxy_http_version 1.1; proxy_read_timeout 500ms;"))
    s.start()
    with Client(s.connect()) as c:
        ws = connect(c)
        begun = time.monotonic()
        for _ in range(4):
            ws.send("x")
            assert ws.receive() == "x"
            time.sleep(0.2)
        c.until(lambda: ws.stream.over)
        assert 1.0 < time.monotonic() - begun < 4 and ws.stream.code == CANCEL
    assert waited(lambda: server.ended)


def test_kept_over_reloads(weir, server):
    s = start(weir, server.port, "proxy_read_timeout 60s;", main="error_log error.log notice;\nuser root;\n", master="on",
              outside="http2_max_concurrent_streams 1000; keepalive_requests 10000;")
    with Client(s.connect()) as c:
        sockets = [connect(c) for _ in range(200)]
        for reload in range(2, 5):
            s.write_conf((s.dir / "weir.conf").read_text() + f"# {reload}\n")
            s.process.send_signal(1)
            s.wait_log(f"configuration {reload} is in use")
            for i, ws in enumerate(sockets):
                ws.send(f"{reload} {i}")
            assert [ws.receive() for ws in sockets] == [f"{reload} {i}" for i in range(200)]
        assert not c.goaway
    assert server.connections == 200
    assert waited(lambda: len(server.ended) == 200)


def test_quit_waits(weir, server):
    """The worker announces its end, and goes when the last tunnel has; no other stream is taken."""
    s = start(weir, server.port)
    with Http2(s) as c:
        stream = open_by_hand(c)
        s.process.send_signal(3)
        c.expect(GOAWAY)
        c.send(DATA, 0, stream, MESSAGE)
        c.expect(DATA, stream)
        assert s.process.poll() is None
        c.send(DATA, END_STREAM, stream)
        assert c.answer(stream).ended and c.answers[stream].body == b"\x81\x05hello"
        s.process.wait(10)


def test_pieces_of_frames(weir, server):
    """DATA frames cut messages where they like, padded ones too."""
    s = start(weir, server.port)
    with Http2(s) as c:
        stream = open_by_hand(c)
        for byte in MESSAGE:
            c.send(DATA, 0, stream, bytes([byte]))
        c.send(DATA, PADDED, stream, b"\x05" + MESSAGE + bytes(5))
        while len(c.answers[stream].body) < 14:
            c.read()
        assert c.answers[stream].body == b"\x81\x05hello" * 2
        c.send(DATA, END_STREAM, stream)
        assert c.answer(stream).ended


# ---- to back ends that speak HTTP/2 ----

def peer_of_http2(behaviour, settings={8: 1}):
    """A script: python3-h2 as the back end.  behaviour(conn, head) is told of each request's head."""
    def script(conn):
        h = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8",
                                                                  validate_inbound_headers=False))
        h.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        h.initiate_connection()
        conn.h2, conn.echoes = h, collections.defaultdict(bytes)
        conn.send(h.data_to_send())
        while data := conn.sock.recv(65536):
            for event in h.receive_data(data):
                name = type(event).__name__
                conn.peer.requests.append((name, event))
                if isinstance(event, h2.events.RequestReceived):
                    behaviour(conn, event)
                elif isinstance(event, h2.events.DataReceived):
                    h.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    conn.echoes[event.stream_id] += event.data
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id in conn.echoes:
                    h.end_stream(event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    conn.echoes.pop(event.stream_id, None)
            push(conn)
            conn.send(h.data_to_send())
    return script


def push(conn):
    for stream, data in conn.echoes.items():
        while data:
            n = min(conn.h2.local_flow_control_window(stream), conn.h2.max_outbound_frame_size, len(data))
            if n == 0:
                break
            conn.h2.send_data(stream, data[:n])
            data = data[n:]
        conn.echoes[stream] = data


def heads(peer):
    return [dict(event.headers) for name, event in peer.requests if name == "RequestReceived"]


def accept(conn, event):
    conn.h2.send_headers(event.stream_id, [(":status", "200"), ("sec-websocket-protocol", "a")])


def deny(conn, event):
    conn.h2.send_headers(event.stream_id, [(":status", "403"), ("content-length", "2")])
    conn.h2.send_data(event.stream_id, b"no", end_stream=True)


def to_http2(weir, port, more="", **others):
    s = start(weir, port, more, **others)
    s.stop()
    s.write_conf((s.dir / "weir.conf").read_text().replace("proxy_http_version 1.1", "proxy_http_version 2"))
    s.start()
    return s


KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def ask_http1(server, more=f"Sec-WebSocket-Key: {KEY}\r\n"):
    """A connection and the head of the answer."""
    c = server.connect()
    c.sendall(f"GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              f"Sec-WebSocket-Version: 13\r\n{more}\r\n".encode())
    return c, read_head(c)


def test_http1_to_http2(weir, peer):
    p = peer(peer_of_http2(accept))
    s = to_http2(weir, p.port)
    for _ in range(2):
        c, answer = ask_http1(s)
        assert answer.status == 101 and answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert answer.header("upgrade") == "websocket" and answer.header("connection") == "upgrade"
        assert answer.header("sec-websocket-protocol") == "a"
        head = heads(p)[-1]
        assert (head[":method"], head[":protocol"], head[":path"], head[":scheme"]) == \
            ("CONNECT", "websocket", "/chat", "http")
        assert head["sec-websocket-version"] == "13"
        assert not {"sec-websocket-key", "upgrade", "connection", "host", "content-length"} & set(head)
        for size in (1, 125, 300_000):
            data, got = os.urandom(size), b""
            c.sendall(data)
            while len(got) < size:
                got += c.recv(65536)
            assert got == data
        c.close()
        assert waited(lambda: p.requests[-1][0] in ("StreamReset", "StreamEnded"))


def test_http2_to_http2(weir, peer):
    p = peer(peer_of_http2(accept))
    s = to_http2(weir, p.port)
    with Client(s.connect()) as c:
        streams = [c.open("/chat", "websocket", fields=OFFER) for _ in range(5)]
        for t in streams:
            assert t.answer() == 200 and "sec-websocket-accept" not in t.fields
            t.send(b"x" * 200_000)
        for t in streams:
            assert t.read(200_000) == b"x" * 200_000
        streams[0].end()
        assert streams[0].read_all() == b"" and streams[0].ended
        assert waited(lambda: "StreamEnded" in [n for n, _ in p.requests])
        streams[1].reset()
        assert waited(lambda: "StreamReset" in [n for n, _ in p.requests])
        streams[2].send(b"still")
        assert streams[2].read(5) == b"still"
        assert streams[2].code is None and p.connections == 1


def test_back_end_that_takes_none(weir, peer):
    """It has not said that it does: it is asked for other things still."""
    p = peer(peer_of_http2(deny, settings={}))
    s = to_http2(weir, p.port)
    with Client(s.connect()) as c:
        assert c.open("/", "websocket", fields=OFFER).answer() == 502
        s.wait_log("upstream takes no WebSockets over HTTP/2 (SETTINGS_ENABLE_CONNECT_PROTOCOL): "
                   "proxy_http_version 1.1 may be what it wants")
        assert c.open("/", "websocket", fields=OFFER).answer() == 502
        assert c.open("/", method="GET", end=True).answer() == 403
    assert ask_http1(s)[1].status == 502
    assert [n for n, _ in p.requests].count("RequestReceived") == 1


def test_back_end_that_refuses(weir, peer):
    p = peer(peer_of_http2(deny))
    s = to_http2(weir, p.port)
    with Client(s.connect()) as c:
        t = c.open("/", "websocket", fields=OFFER)
        assert t.answer() == 403 and t.read_all() == b"no"
    assert ask_http1(s)[1].status == 403


def test_no_key(weir, peer):
    """What is no handshake goes on as the request that it is."""
    p = peer(peer_of_http2(deny))
    s = to_http2(weir, p.port)
    assert ask_http1(s, "")[1].status == 403
    assert heads(p)[0][":method"] == "GET" and ":protocol" not in heads(p)[0]


def test_weir_behind_weir(weir, server, tmp_path):
    """Messages over HTTP/2 twice, and HTTP/1.1."""
    (tmp_path / "inner").mkdir()
    inner = start(weir, server.port, folder=tmp_path / "inner")
    outer = to_http2(weir, inner.port)
    with Client(outer.connect()) as c:
        sockets = [connect(c) for _ in range(5)]
        for i, ws in enumerate(sockets):
            for message in ("text", os.urandom(500_000)):
                ws.send(message)
                assert ws.receive() == message
        sockets[0].send("close 3001")
        assert frames.Close.parse(sockets[0].frame().data).code == 3001


# ---- over TLS ----

PAGE = """<!doctype html><title>page</title><link rel=icon href="data:,"><body></body><script>
const socket = new WebSocket(`wss://${location.host}/chat`), said = [];
socket.onopen = () => { socket.send("hello"); socket.send("x".repeat(300000)); };
socket.onmessage = e => { said.push(e.data.length); if (said.length == 2) socket.close(3002, "enough"); };
socket.onclose = e => fetch(`/done?${said},${e.code}`);
</script>
"""
TLS = b"http_ssl_module" in subprocess.run([BINARY, "-V"], capture_output=True).stderr


def over_tls(weir, tmp_path, url):
    if not TLS:
        pytest.skip("this build has no TLS")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2",
                    "-subj", "/CN=localhost"], check=True, capture_output=True)
    return lambda: weir(http=f"""http2 on; log_format l "$request|$status";
        server {{ listen 127.0.0.1:@PORT@ ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
        access_log @DIR@/log l; root html; types {{ text/html html; }}
        location /chat {{ proxy_pass {url()}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade; }} }}""", files={"html/index.html": PAGE})


def test_tls_on_both_sides(weir, peer, tmp_path):
    """Ends are told apart there, too: close_notify is the back end's."""
    begin = over_tls(weir, tmp_path, lambda: f"https://127.0.0.1:{p.port}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def script(conn):
        conn.sock = context.wrap_socket(conn.sock, server_side=True)
        conn.send(accepting(conn.request()[0]))
        while data := conn.sock.recv(65536):
            conn.send(data)
        conn.send(b"bye")
        conn.sock.close()
    p = peer(script)
    s = begin()
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
    ours.set_alpn_protocols(["h2"])
    with Client(ours.wrap_socket(s.connect())) as c:
        t = c.open("/chat", "websocket", scheme="https", fields=OFFER)
        assert t.answer() == 200
        for size in (1, 500_000):
            data = os.urandom(size)
            t.send(data)
            assert t.read(size) == data
        t.end()
        assert t.read_all() == b"bye" and t.ended and t.code is None


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_chromium(weir, server, tmp_path):
    s = over_tls(weir, tmp_path, lambda: f"http://127.0.0.1:{server.port}")()
    browser = subprocess.Popen(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                "--ignore-certificate-errors", f"--user-data-dir={tmp_path}/chromium",
                                "--remote-debugging-port=0", f"https://localhost:{s.port}/"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        waited(lambda: "/done" in (s.dir / "log").read_text(), 60)
    finally:
        browser.terminate()
        browser.wait(20)
    said = (s.dir / "log").read_text()
    assert "GET /chat HTTP/2.0|101\n" in said and "/done?5,300000,3002 " in said, said + s.log()
