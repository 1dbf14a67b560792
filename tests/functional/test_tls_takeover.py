"""TLS 1.3 without the library, which gives a connection up when its handshake is over: records in any
pieces, keys that change, records that are not good, and what is left in memory."""
import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from conftest import Response
from test_tls import ANSWER, PAIR, connect, context, get, http, pki, pytestmark  # noqa: F401

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Wire:
    """A client whose records the test carries itself."""
    def __init__(self, server):
        self.socket = server.connect()
        self.socket.settimeout(10)
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context().wrap_bio(self.come, self.go)
        self.wait(self.tls.do_handshake)

    def wait(self, what, *args):
        while True:
            try:
                result = what(*args)
                break
            except ssl.SSLWantReadError:
                self.socket.sendall(self.go.read())
                data = self.socket.recv(65536)
                if data:
                    self.come.write(data)
                else:
                    self.come.write_eof()
        self.socket.sendall(self.go.read())
        return result

    def record(self, data):
        self.tls.write(data)
        return self.go.read()

    def answer(self, size):
        data = b""
        while not data.endswith(size):
            data += self.wait(self.tls.read, 65536)
        return data


@pytest.fixture
def server(weir, pki):
    pki.own("a")
    return weir(http=http(PAIR + ANSWER % "yes" + "location /echo { client_max_body_size 1m; return 200 yes; }"))


def test_records_in_any_pieces(server):
    wire = Wire(server)
    data = wire.record(REQUEST)
    for i in range(len(data)):
        wire.socket.sendall(data[i:i + 1])
        time.sleep(0.001)
    assert wire.answer(b"yes\n").startswith(b"HTTP/1.1 200 ")
    data = wire.record(REQUEST) + wire.record(REQUEST[:9])
    rest = wire.record(REQUEST[9:]) + wire.record(REQUEST)
    for cut in (1, 4, 5, 6, 40, len(rest) - 1):
        wire.socket.sendall(data + rest[:cut])
        assert wire.answer(b"yes\n").count(b"200 OK") == 1
        time.sleep(0.02)
        wire.socket.sendall(rest[cut:])
        text = b""
        while text.count(b"yes\n") < 2:
            text += wire.wait(wire.tls.read, 65536)
        data = wire.record(REQUEST) + wire.record(REQUEST[:9])
        rest = wire.record(REQUEST[9:]) + wire.record(REQUEST)


def test_request_with_its_records_in_one_packet_with_the_last_of_the_handshake(server):
    wire = Wire.__new__(Wire)
    wire.socket = server.connect()
    wire.come, wire.go = ssl.MemoryBIO(), ssl.MemoryBIO()
    wire.tls = context().wrap_bio(wire.come, wire.go)
    while True:
        try:
            wire.tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            wire.socket.sendall(wire.go.read())
            wire.come.write(wire.socket.recv(65536))
    finished = wire.go.read()
    wire.socket.sendall(finished + wire.record(REQUEST) + wire.record(REQUEST))
    text = b""
    while text.count(b"yes\n") < 2:
        text += wire.wait(wire.tls.read, 65536)


@pytest.mark.parametrize("spoil, alert", [
    (lambda r: r[:-1] + bytes((r[-1] ^ 1,)), "BAD_RECORD_MAC"),
    (lambda r: r[:5] + bytes((r[5] ^ 1,)) + r[6:], "BAD_RECORD_MAC"),
    (lambda r: b"\x17\x03\x03\x00\x10" + b"x" * 16, "BAD_RECORD_MAC"),
    (lambda r: b"\x17\x03\x03\x00\x00", "BAD_RECORD_MAC"),
    (lambda r: b"\x16" + r[1:], "UNEXPECTED_MESSAGE"),
    (lambda r: b"\x14\x03\x03\x00\x01\x01", "UNEXPECTED_MESSAGE"),
    (lambda r: b"\x15\x03\x03\x00\x02\x01\x00", "UNEXPECTED_MESSAGE"),
    (lambda r: b"\x17\x03\x03\xff\xff" + b"x" * 65535, "RECORD_OVERFLOW"),
])
def test_records_that_are_not_good(server, spoil, alert):
    other = Wire(server)
    wire = Wire(server)
    wire.socket.sendall(wire.record(REQUEST))
    wire.answer(b"yes\n")
    wire.socket.sendall(spoil(wire.record(REQUEST)))
    with pytest.raises((ssl.SSLError, ConnectionResetError)) as e:
        while wire.wait(wire.tls.read, 65536):
            pass
    if not isinstance(e.value, ConnectionResetError):      # what was not read resets the connection
        assert alert in str(e.value).upper()
    other.socket.sendall(other.record(REQUEST))
    other.answer(b"yes\n")


def test_a_record_that_is_not_good_behind_a_good_one(server):
    wire = Wire(server)
    good, bad = wire.record(REQUEST), wire.record(REQUEST)
    wire.socket.sendall(good + bad[:-1] + bytes((bad[-1] ^ 1,)))
    with pytest.raises(ssl.SSLError, match="(?i)bad.record.mac"):
        while wire.wait(wire.tls.read, 65536):
            pass


def test_goodbye_is_answered(server):
    wire = Wire(server)
    wire.socket.sendall(wire.record(REQUEST))
    wire.answer(b"yes\n")
    assert wire.wait(wire.tls.unwrap) is None
    assert wire.socket.recv(100) == b""


def test_an_end_without_goodbye(server):
    wire = Wire(server)
    wire.socket.sendall(wire.record(REQUEST))
    wire.answer(b"yes\n")
    wire.socket.shutdown(socket.SHUT_WR)
    assert wire.socket.recv(1000) == b""


def s_client(server, *lines, wait=0.15):
    """what openssl s_client prints when it is given these lines, one after the other"""
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_3"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        time.sleep(0.4)
        for line in lines:
            try:
                p.stdin.write(line)
                p.stdin.flush()
            except BrokenPipeError:
                break
            time.sleep(wait)
        try:
            return p.communicate(timeout=3)[0]
        except subprocess.TimeoutExpired:
            p.kill()
            return p.communicate()[0]


@pytest.mark.parametrize("letter", [b"k\n", b"K\n"])
def test_keys_change(server, letter):
    """k: the client's alone; K: the server's as well"""
    last = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    said = s_client(server, REQUEST, letter, REQUEST, letter, letter, last)
    assert said.count(b"HTTP/1.1 200 OK") == 3, said[-1500:]
    assert b"error" not in said.lower().split(b"http/1.1", 1)[1], said[-1500:]


def test_changing_keys_again_and_again_is_not_borne(server):
    said = s_client(server, *[b"k\n"] * 40, REQUEST, wait=0.02)
    assert b"HTTP/1.1 200 OK" not in said
    assert b"alert unexpected message" in said.lower() or b"errno=" in said, said[-1500:]
    assert get(server).status == 200


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                   "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256"])
def test_every_suite(weir, pki, suite):
    pki.own("a")
    body = os.urandom(200000)
    server = weir(http=http(PAIR + f"ssl_conf_command Ciphersuites {suite}; root html;"
                            "location = /v { return 200 $ssl_cipher; }"), files={"html/b": body})
    said = subprocess.run(["curl", "-sk", "--tls13-ciphers", suite, f"https://127.0.0.1:{server.port}/v"],
                          capture_output=True, check=False).stdout
    assert said == suite.encode()
    said = subprocess.run(["curl", "-sk", "--tls13-ciphers", suite, f"https://127.0.0.1:{server.port}/b",
                           f"https://127.0.0.1:{server.port}/b"], capture_output=True, check=False).stdout
    assert said == body * 2


def test_more_connections_than_cipher_contexts(weir, pki):
    pki.own("a")
    server = weir(http=http(PAIR + ANSWER % "yes") + http(
        PAIR + "ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;" + ANSWER % "yes").replace(
            "@PORT@", "@PORT2@"), events="worker_connections 1024;")
    wires = [connect(server, port=server.port_of("@PORT2@") if i % 3 == 0 else None) for i in range(300)]
    for _ in range(3):
        for s in wires:
            s.sendall(REQUEST)
        for s in wires:
            data = b""
            while not data.endswith(b"yes\n"):
                piece = s.recv(4096)
                assert piece
                data += piece
            assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    for s in wires:
        s.close()


NAMES = ("protocol cipher ciphers curve curves sigalg sigalgs session_reused early_data server_name "
         "alpn_protocol client_verify client_s_dn client_cert").split()


def test_variables_are_as_with_the_library(weir, pki):
    pki.own("a")
    page = 'location / { return 200 "' + "|".join(f"{n}=$ssl_{n}" for n in NAMES) + '|id=$ssl_session_id"; }'
    server = weir(http=http(PAIR + page) + http(PAIR + "ssl_conf_command RecordPadding 1;" + page).replace(
        "@PORT@", "@PORT2@"))
    ctx = context()
    ctx.set_alpn_protocols(["http/1.1"])
    taken = get(server, name="localhost", ctx=ctx).body
    kept = get(server, name="localhost", ctx=ctx, port=server.port_of("@PORT2@")).body
    assert taken.rpartition(b"|id=")[0] == kept.rpartition(b"|id=")[0]
    assert b"alpn_protocol=http/1.1" in taken and b"curves=" in taken and b"server_name=localhost" in taken
    assert re.search(rb"\|id=[0-9a-f]{64}$", taken) and re.search(rb"\|id=[0-9a-f]{64}$", kept)


def own_memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:"))


@pytest.mark.skipif("SANITIZE" in os.environ or b"asan" in subprocess.run(
    ["ldd", os.environ.get("WEIR", "")], capture_output=True).stdout, reason="the sanitizer's own memory")
def test_an_idle_connection_is_small(weir, pki):
    pki.own("a")
    server = weir(http=http(PAIR + ANSWER % "yes"), events="worker_connections 1024;")

    def idle(count):
        wires = [connect(server) for _ in range(count)]
        for s in wires:
            s.sendall(REQUEST)
            assert Response(s.recv(4096)).status == 200
        return wires
    first = idle(100)
    before = own_memory(server.process.pid)
    more = idle(300)
    assert own_memory(server.process.pid) - before < 300 * 2000
    for s in first + more:
        s.close()
