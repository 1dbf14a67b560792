"""CONNECT over HTTP/2 (RFC 9113 section 8.5): tunnel_pass, with a client that is python3-h2's."""
import socket
import time

import h2.errors
import pytest

from h2_streams import Client, echo, open_tunnel, proxy, reset, waited
from http2 import CONNECT_ERROR

BIG = bytes(range(256)) * 20000        # 5 MB


def both_ways(stream, data):
    """All of it there and back at the same time."""
    got, at = bytearray(), 0
    while at < len(data):
        n = stream.send_some(data[at:at + 16384])
        at += n
        if n == 0:
            stream.client.step()
        got += stream.data
        stream.data.clear()
    return bytes(got) + stream.read(len(data) - len(got))


def test_to_and_fro(weir, peer):
    p = peer(echo)
    s = proxy(weir)
    with Client(s.connect()) as c:
        t = open_tunnel(c, p)
        assert not {"content-length", "transfer-encoding", "content-type"} & set(t.fields)
        for text in (b"a", b"b" * 300_000, b"c"):
            t.send(text)
            assert t.read(len(text)) == text
        assert both_ways(t, BIG) == BIG
        others = [open_tunnel(c, p) for _ in range(20)]
        for i, o in enumerate(others):
            o.send(b"%d" % i)
        assert [o.read(len(str(i))) for i, o in enumerate(others)] == [b"%d" % i for i in range(20)]
        t.end()
        assert t.read(1) == b"" and t.ended
    assert waited(lambda: len((s.dir / "log").read_text().splitlines()) == 21)
    line, status, sent, received, up, down = (s.dir / "log").read_text().splitlines()[0].split("|")
    assert (line, status) == (f"CONNECT 127.0.0.1:{p.port} HTTP/2.0", "200")
    size = len(BIG) + 300_002
    assert int(up) == int(down) == size
    assert size < int(sent) < size * 1.02 and size < int(received) < size * 1.02


def test_early_words(weir, peer):
    """What a client says before it knows of the tunnel."""
    p = peer(echo)
    s = proxy(weir)
    with Client(s.connect()) as c:
        t = c.open(authority=f"127.0.0.1:{p.port}")
        t.send(b"x" * 60000)
        t.end()
        assert t.read_all() == b"x" * 60000 and t.status == 200 and t.ended


def test_peer_that_is_gone_behind_its_end(weir, peer):
    """It says all it has to say and closes, while the client talks on."""
    def script(conn):
        conn.sock.recv(1)
        conn.send(BIG)
        conn.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        reset(conn.sock)
    p = peer(script)
    s = proxy(weir)
    with Client(s.connect()) as c:
        t = open_tunnel(c, p)
        t.send(b"x")
        assert t.read_all() == BIG and t.ended
        t.send(b"y" * 100)
        c.until(lambda: t.code is not None)
        assert t.code == CONNECT_ERROR


def test_no_such_peer(weir):
    s = proxy(weir)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Client(s.connect()) as c:
        assert c.open(authority=f"127.0.0.1:{port}").answer() == 502
        assert c.open(authority=f"127.0.0.1:{port}", end=True).answer() == 502


@pytest.mark.parametrize("slow", ["client", "peer"])
def test_slow_reader_holds_bounded_memory(weir, peer, slow):
    """Who does not read stops the other side; other streams go on."""
    sent = [0]

    def script(conn):
        if conn.number > 1:
            return echo(conn)
        if slow == "peer":
            return time.sleep(5)
        conn.sock.settimeout(5)
        while True:
            sent[0] += conn.sock.send(b"z" * 65536)
    p = peer(script)
    s = proxy(weir, "tunnel_buffer_size 16k;")
    with Client(s.connect()) as c:
        resident = memory(s)
        t = open_tunnel(c, p)
        t.reads = False
        if slow == "peer":
            t.send(BIG[:60000])
            end, n = time.monotonic() + 2, 0
            while time.monotonic() < end:
                k = t.send_some(BIG[:16384])
                n += k
                if k == 0:
                    c.step(0.05)
            assert n < 12 << 20                # kernels hold some on the way
        else:
            time.sleep(1)
            for _ in range(20):
                c.step(0.02)
            before = sent[0]
            c.step(0.3)
            assert sent[0] == before < 12 << 20 and 65535 <= len(t.data) < 1 << 19
        assert memory(s) - resident < 3000
        other = open_tunnel(c, p)
        other.send(b"hello")
        if slow == "peer":                     # the connection's window is the other tunnel's, too
            assert other.read(5) == b"hello"


def memory(server):
    """KiB."""
    for line in open(f"/proc/{server.process.pid}/status", encoding="ascii"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])


def test_times(weir, peer):
    p = peer(lambda conn: time.sleep(5))
    s = proxy(weir, "tunnel_read_timeout 300ms;")
    with Client(s.connect()) as c:
        t = open_tunnel(c, p)
        begun = time.monotonic()
        for _ in range(4):                     # what a client says counts, too
            t.send(b"x")
            time.sleep(0.15)
        c.until(lambda: t.over)
        assert 0.7 < time.monotonic() - begun < 3
        assert t.code == CONNECT_ERROR
        t = open_tunnel(c, p)
        t.end()                                # one side alone has ended
        c.until(lambda: t.over)
        assert t.code == CONNECT_ERROR


def test_access(weir, peer):
    p = peer(echo)
    s = proxy(weir, 'auth_basic x; auth_basic_user_file users; client_max_body_size 1;',
              files={"users": "me:{PLAIN}secret\n"})
    credentials = ("proxy-authorization", "Basic bWU6c2VjcmV0")
    with Client(s.connect()) as c:
        t = c.open(authority=f"127.0.0.1:{p.port}")
        assert t.answer() == 407 and "proxy-authenticate" in t.fields
        t = open_tunnel(c, p, fields=[credentials])
        t.send(b"y" * 10000)                   # that is no body
        assert t.read(10000) == b"y" * 10000
        assert c.open("/", method="GET", fields=[("authorization", credentials[1])]).answer() == 405


def test_where_it_may_stand(weir, peer):
    p = peer(echo)
    s = weir(http="""http2 on; server { listen 127.0.0.1:@PORT@; root html; error_page 405 =200 /x;
        location / { if ($request_method = CONNECT) { tunnel_pass; } } }
        server { listen 127.0.0.1:@PORT2@; root html; error_page 405 =200 /x; location = /x { return 200 x; } }
        """, files={"html/a": "A"})
    with Client(s.connect()) as c:
        assert open_tunnel(c, p)
        assert c.open("/a", method="GET", end=True).answer() == 200
    with Client(s.connect(port=s.port_of("@PORT2@"))) as c:
        assert c.open(authority=f"127.0.0.1:{p.port}").answer() == 405


def test_kept_over_reloads(weir, peer):
    p = peer(echo)
    s = proxy(weir, master="on")
    with Client(s.connect()) as c:
        tunnels = [open_tunnel(c, p) for _ in range(50)]
        for reload in range(2, 5):
            s.write_conf((s.dir / "weir.conf").read_text() + f"# {reload}\n")
            s.process.send_signal(1)
            s.wait_log(f"configuration {reload} is in use")
            for t in tunnels:
                t.send(b"%d" % reload)
            assert [t.read(1) for t in tunnels] == [b"%d" % reload] * len(tunnels)
            tunnels.append(open_tunnel(c, p))
            tunnels[-1].send(b"x")
            assert tunnels[-1].read(1) == b"x"
        assert not c.goaway
        for t in tunnels:
            t.end()
        c.until(lambda: all(t.ended for t in tunnels))


def test_codes(weir, peer):
    """A reset of any code is one."""
    p = peer(echo)
    s = proxy(weir)
    with Client(s.connect()) as c:
        for code in (h2.errors.ErrorCodes.NO_ERROR, h2.errors.ErrorCodes.CONNECT_ERROR):
            t = open_tunnel(c, p)
            p.closed.clear()
            t.reset(code)
            assert p.closed.wait(5)
