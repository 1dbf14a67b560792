"""TLS that the kernel encrypts (`ssl_conf_command Options KTLS`): what arrives is what was sent, byte by byte.

With the kernel's own where it has it, and with fake_ktls.c, which stands in for it.
"""
import os
import random
import signal
import socket
import ssl
import subprocess
import time

import pytest

from conftest import BINARY, ROOT, Response, dechunk
from test_tls import context, exchange, openssl, pki, pytestmark  # noqa: F401

SIZE = 12_345_678
CONTENT = random.Random(1).randbytes(SIZE)


def kernel_has_it():
    with socket.create_server(("127.0.0.1", 0)) as l, socket.create_connection(l.getsockname()) as s:
        try:
            s.setsockopt(socket.IPPROTO_TCP, 31, b"tls")
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    path = tmp_path_factory.mktemp("ktls") / "fake_ktls.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", path,
                    ROOT / "tests/functional/fake_ktls.c", "-lcrypto", "-ldl"], check=True)
    return path


@pytest.fixture(params=["fake", "real"])
def kernel(request, fake, monkeypatch, tmp_path):
    """Gives how many bytes went which way, once the server has ended; {} of the real one."""
    if request.param == "real":
        if not kernel_has_it():
            pytest.skip("this kernel has no TLS")
        return lambda server: {}
    runtime = [word for word in subprocess.run(["ldd", BINARY], capture_output=True, text=True).stdout.split()
               if word.startswith("/") and "libasan" in word]
    monkeypatch.setenv("LD_PRELOAD", " ".join(runtime + [str(fake)]))
    monkeypatch.setenv("FAKE_KTLS_LOG", str(tmp_path / "ktls"))

    def counts(server):
        server.stop()
        words = (tmp_path / "ktls").read_text().split()
        return dict(zip(words[::2], map(int, words[1::2])))
    return counts


@pytest.fixture
def server(kernel, weir, pki, monkeypatch):
    pki.own("a")
    s = weir(http="""server { listen 127.0.0.1:@PORT@ ssl; http2 on; ssl_certificate a.crt; ssl_certificate_key a.key;
                              ssl_ciphers ECDHE; ssl_conf_command Options KTLS; sendfile on;
                              location / { root files; } location /p/ { proxy_pass http://127.0.0.1:@PORT2@/; }
                              location /text { return 200 "a text"; } }
                     server { listen 127.0.0.1:@PORT2@; location / { root files; } }""",
             files={"files/big": CONTENT, "files/small": b"small\n"})
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    return s


def connect(server, version, receive=None):
    s = socket.socket()
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(20)
    s.connect(("127.0.0.1", server.port))
    return context(minimum_version=version, maximum_version=version).wrap_socket(s)


def get(s, path, close=False):
    return exchange(s, b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (path, b"Connection: close\r\n" if close else b""))


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_file(server, kernel, version):
    with connect(server, version) as s:
        assert get(s, b"/big", close=True).partition(b"\r\n\r\n")[2] == CONTENT
    counts = kernel(server)
    assert not counts or counts["sendfile"] == SIZE


@pytest.mark.parametrize("version", VERSIONS)
def test_client_that_is_slow(server, version):
    with connect(server, version, receive=16384) as s:
        s.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        out = b""
        while piece := s.recv(65536):
            if len(out) < 3_000_000 and len(out) // 500_000 != (len(out) + len(piece)) // 500_000:
                time.sleep(0.3)
            out += piece
    assert out.partition(b"\r\n\r\n")[2] == CONTENT


@pytest.mark.parametrize("version", VERSIONS)
def test_many_on_one_connection(server, kernel, version):
    requests = [(b"/small", b"small\n"), (b"/text", b"a text"), (b"/p/small", b"small\n"), (b"/p/big", CONTENT),
                (b"/big", CONTENT)]
    with connect(server, version) as s:
        f = s.makefile("rb")
        for path, body in requests * 2:
            s.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += f.readline()
            if Response(head).header("content-length"):
                assert f.read(len(body)) == body, path
            else:
                assert dechunk(read_chunks(f)) == body, path
    counts = kernel(server)
    assert not counts or counts["write"] + counts["sendfile"] > 4 * SIZE


def read_chunks(f):
    out = b""
    while True:
        line = f.readline()
        size = int(line, 16)
        out += line + f.read(size + 2)
        if size == 0:
            return out


def test_ranges_and_errors(server):
    with connect(server, ssl.TLSVersion.TLSv1_3) as s:
        out = exchange(s, b"GET /big HTTP/1.1\r\nHost: a\r\nRange: bytes=1000000-9999999\r\nConnection: close\r\n\r\n")
        assert out.startswith(b"HTTP/1.1 206") and out.partition(b"\r\n\r\n")[2] == CONTENT[1000000:10000000]
    with connect(server, ssl.TLSVersion.TLSv1_2) as s:
        assert get(s, b"/none", close=True).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_http2(server, kernel, version, tmp_path):
    url = f"https://127.0.0.1:{server.port}"
    out = tmp_path / "out"
    subprocess.run(["curl", "-sk", "--http2", f"--tlsv{version}", "--tls-max", version, "--fail", "--parallel",
                    "-o", out, f"{url}/big", "-o", f"{out}2", f"{url}/p/big", "-o", f"{out}3", f"{url}/small"],
                   check=True, timeout=60)
    assert out.read_bytes() == CONTENT and (tmp_path / "out2").read_bytes() == CONTENT
    assert (tmp_path / "out3").read_bytes() == b"small\n"
    counts = kernel(server)
    assert not counts or counts["write"] + counts["sendfile"] > 2 * SIZE


def test_client_that_goes(server):
    """In the middle of a file; those that come behind it are served."""
    for _ in range(5):
        s = connect(server, ssl.TLSVersion.TLSv1_3)
        s.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        s.recv(100000)
        s.close()
    with connect(server, ssl.TLSVersion.TLSv1_3) as s:
        assert b"small" in get(s, b"/small", close=True)


def test_reload_and_end(server):
    s = connect(server, ssl.TLSVersion.TLSv1_3)
    s.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    out = s.recv(65536)
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    server.process.send_signal(signal.SIGQUIT)
    while piece := s.recv(1 << 20):
        out += piece
    assert out.partition(b"\r\n\r\n")[2] == CONTENT
