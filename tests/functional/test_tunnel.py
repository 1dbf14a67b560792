"""tunnel_pass: CONNECT, with real clients and peers that do as they are told."""
import os
import socket
import subprocess
import time

import pytest

from conftest import BINARY, Response, free_port
from peers import Peer, forever, ok


def echo(conn):
    while data := conn.sock.recv(65536):
        conn.send(data.upper())


def connect(server, target, more=b"", fields="", version="1.1"):
    c = server.connect()
    c.sendall(f"CONNECT {target} HTTP/{version}\r\nHost: {target}\r\n{fields}\r\n".encode() + more)
    return c


def read(c, size):
    data = b""
    while len(data) < size:
        piece = c.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


def read_head(c):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = c.recv(1)
        if not piece:
            break
        data += piece
    return Response(data)


def refused(server, target, **more):
    with connect(server, target, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", **more) as c:
        data = b""
        while piece := c.recv(65536):
            data += piece
    assert data.count(b"HTTP/1.1 ") == 1, data
    return Response(data).status


def test_to_and_fro(weir, peer):
    p = peer(echo)
    s = weir("tunnel_pass;")
    with connect(s, f"127.0.0.1:{p.port}", b"early") as c:
        assert read_head(c).status == 200
        assert read(c, 5) == b"EARLY"
        for text in (b"a", b"b" * 300_000, b"c"):
            c.sendall(text)
            assert read(c, len(text)) == text.upper()
    assert p.closed.wait(5)


def test_curl(weir, peer):
    p = peer(forever(ok(b"hello", b"Connection: keep-alive")))
    s = weir('auth_basic x; auth_basic_user_file users; tunnel_pass;', files={"users": "me:{PLAIN}secret\n"})
    run = ["curl", "-sS", "--noproxy", "", "--proxytunnel", "-x", f"http://127.0.0.1:{s.port}",
           f"http://127.0.0.1:{p.port}/one", f"http://127.0.0.1:{p.port}/two"]
    assert subprocess.run(run + ["-U", "me:secret"], capture_output=True, timeout=20).stdout == b"hellohello"
    refusal = subprocess.run(run, capture_output=True, timeout=20)
    assert refusal.returncode and b"407" in refusal.stderr
    assert p.connections == 1


def test_where_it_may_stand(weir, peer):
    """Only a place with tunnel_pass takes CONNECT, and nothing else does it take."""
    p = peer(echo)
    s = weir(f"""
        root html;
        location / {{ if ($request_method = CONNECT) {{ tunnel_pass; }} }}
    """, files={"html/a": "A"})
    assert s.get("/a").body == b"A"
    with connect(s, f"127.0.0.1:{p.port}", b"x") as c:
        assert read_head(c).status == 200 and read(c, 1) == b"X"
    assert refused(s, f"127.0.0.1:{p.port}", version="1.0") == 405
    assert refused(s, f"127.0.0.1:{p.port}", fields="Content-Length: 3\r\n") == 400
    assert refused(s, f"127.0.0.1:{p.port}", fields="Transfer-Encoding: chunked\r\n") == 400
    all_of_it = weir("tunnel_pass;", folder=sub(s, "all"))
    assert all_of_it.get("/").status == 405
    for n, inside in enumerate(("return 200 x;", "return 204;", "root html;", f"proxy_pass http://127.0.0.1:{p.port};",
                   "empty_gif;", "stub_status;", "autoindex on;", "error_page 405 =200 /x; location = /x { return 200 x; }")):
        other = weir(f"location / {{ {inside} }}" if "error_page" not in inside else inside, folder=sub(s, str(n)),
                     files={"html/index.html": "x"})
        with connect(other, f"127.0.0.1:{p.port}") as c:
            assert not c.recv(65536).startswith(b"HTTP/1.1 2"), inside


def sub(server, name):
    folder = server.dir / name
    folder.mkdir()
    return folder


def test_who_may_go_where(weir, peer):
    p, other = peer(echo), peer(echo)
    s = weir(http="""
        map $request_port $may_port { %d 1; }
        map $host $may_host { 127.0.0.1 1; }
        server {
            listen 127.0.0.1:@PORT@;
            if ($may_port != 1) { return 403; }
            if ($may_host != 1) { return 403; }
            tunnel_pass;
        }
        server { listen 127.0.0.1:@PORT2@; deny all; tunnel_pass; }""" % p.port)
    with connect(s, f"127.0.0.1:{p.port}", b"x") as c:
        assert read_head(c).status == 200 and read(c, 1) == b"X"
    assert refused(s, f"127.0.0.1:{other.port}") == 403
    assert refused(s, f"localhost:{p.port}") == 403
    with s.connect(port=s.port_of("@PORT2@")) as c:
        c.sendall(f"CONNECT 127.0.0.1:{p.port} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert read_head(c).status == 403
    assert other.connections == 0


def test_allowed_addresses(weir, peer):
    """What a name or group stands for is judged before each connection."""
    p = peer(echo)
    s = weir(http=f"""
        geo $upstream_last_addr $may {{ volatile; 127.0.0.0/8 1; 127.0.0.2 0; }}
        upstream u {{ server 127.0.0.2:{p.port}; server 127.0.0.1:{p.port} backup; }}
        server {{ listen 127.0.0.1:@PORT@; tunnel_pass; tunnel_allow_upstream $may; }}
        server {{ listen 127.0.0.1:@PORT2@; tunnel_pass u; tunnel_allow_upstream 1 $may;
                  tunnel_next_upstream denied; }}""")
    assert refused(s, f"127.0.0.2:{p.port}") == 403
    assert p.connections == 0
    for port in ("@PORT@", "@PORT2@"):
        with s.connect(port=s.port_of(port)) as c:
            c.sendall(f"CONNECT 127.0.0.1:{p.port} HTTP/1.1\r\nHost: h\r\n\r\nx".encode())
            assert read_head(c).status == 200 and read(c, 1) == b"X"


def test_addresses(weir, peer):
    """A group, a variable, a unix socket; the client's words never name a file."""
    p = peer(echo)
    with socket.socket(socket.AF_UNIX) as listener:
        s = weir(http=f"""
            upstream u {{ server 127.0.0.1:{p.port}; }}
            server {{ listen 127.0.0.1:@PORT@; tunnel_pass u; }}
            server {{ listen 127.0.0.1:@PORT2@; tunnel_pass 127.0.0.1:$request_port; }}
            server {{ listen 127.0.0.1:@PORT3@; tunnel_pass unix:@DIR@/sock; }}
            server {{ listen 127.0.0.1:@PORT4@; tunnel_pass $host:$request_port; resolver 127.0.0.1:1; resolver_timeout 1s; }}
            server {{ listen 127.0.0.1:@PORT5@; tunnel_pass $arg_none; }}
            """)
        os.chdir(s.dir)
        listener.bind("sock")
        listener.listen()
        for port, target in (("@PORT@", "nowhere.invalid:1"), ("@PORT2@", f"nowhere.invalid:{p.port}"),
                             ("@PORT4@", f"127.0.0.1:{p.port}")):
            with s.connect(port=s.port_of(port)) as c:
                c.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\nx".encode())
                assert read_head(c).status == 200, port
                assert read(c, 1) == b"X"
        with s.connect(port=s.port_of("@PORT3@")) as c:
            c.sendall(b"CONNECT a:1 HTTP/1.1\r\nHost: h\r\n\r\nx")
            assert read_head(c).status == 200
            inner, _ = listener.accept()
            assert inner.recv(1) == b"x"
            inner.close()
        for port, target, status in (("@PORT4@", "unix:80", 502), ("@PORT5@", "h:80", 500)):
            with s.connect(port=s.port_of(port)) as c:
                c.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                assert read_head(c).status == status


@pytest.mark.parametrize("inside, message", [
    ("tunnel_pass 127.0.0.1;", 'no port in upstream "127.0.0.1"'), ("tunnel_pass 127.0.0.1:x;", "invalid port"),
    ("tunnel_pass :80;", "no host in upstream"), ("tunnel_pass; tunnel_pass;", "is duplicate"),
    ("tunnel_pass a b;", "invalid number of arguments"), ("tunnel_next_upstream http_500;", "http_500"),
])
def test_mistakes(tmp_path, inside, message):
    conf = tmp_path / "weir.conf"
    conf.write_text(f"events {{}} http {{ server {{ location / {{ {inside} }} }} }}")
    run = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", str(conf), "-e", "stderr"], capture_output=True)
    assert run.returncode and message in run.stderr.decode()


def test_next_peer(weir, peer):
    p = peer(echo)
    s = weir(http=f"""
        log_format t "$status $upstream_addr $upstream_status $request_method $host $request_port $bytes_sent";
        upstream u {{ server 127.0.0.1:{free_port()}; server 127.0.0.1:{p.port} backup; }}
        server {{ listen 127.0.0.1:@PORT@; access_log @DIR@/log t; tunnel_pass u; }}
        server {{ listen 127.0.0.1:@PORT2@; tunnel_pass u; tunnel_next_upstream off; error_page 502 /sorry;
                  location = /sorry {{ return 200 sorry; }} }}""")
    with connect(s, "name:99", b"x") as c:
        assert read_head(c).status == 200 and read(c, 1) == b"X"
    end = time.monotonic() + 5
    while not (s.dir / "log").read_text() and time.monotonic() < end:
        time.sleep(0.02)
    words = (s.dir / "log").read_text().split()
    assert words[0] == "200" and words[2] == f"127.0.0.1:{p.port}" and words[3:5] == ["502,", "200"]
    assert words[5:8] == ["CONNECT", "name", "99"]


def test_times(weir, peer):
    p = peer(lambda conn: time.sleep(5))
    s = weir("tunnel_pass; tunnel_read_timeout 300ms;")
    with connect(s, f"127.0.0.1:{p.port}") as c:
        assert read_head(c).status == 200
        begun = time.monotonic()
        for _ in range(4):                     # what a client says counts, too
            c.sendall(b"x")
            time.sleep(0.15)
        assert c.recv(1) == b""
        assert 0.7 < time.monotonic() - begun < 3


def test_a_side_that_does_not_read_is_heard(weir, peer):
    """The client takes nothing for a while: what it says goes on all the same."""
    heard = []

    def script(conn):
        conn.sock.settimeout(0.2)
        try:
            while True:
                conn.send(b"x" * 65536)
        except TimeoutError:
            pass                               # all buffers on the way are full
        conn.sock.settimeout(10)
        heard.append(conn.sock.recv(4))
        conn.send(b"end")
    p = peer(script)
    s = weir("tunnel_pass; tunnel_read_timeout 20s;")
    with connect(s, f"127.0.0.1:{p.port}") as c:
        assert read_head(c).status == 200
        time.sleep(1)
        c.sendall(b"stop")
        end = time.monotonic() + 5
        while not heard and time.monotonic() < end:
            time.sleep(0.02)
        assert heard == [b"stop"]
        tail = b""
        while piece := c.recv(1 << 20):
            tail = (tail + piece)[-3:]
        assert tail == b"end"
