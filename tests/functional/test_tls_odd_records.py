"""Records of TLS 1.3 (RFC 8446 sections 4.6.3, 5 and 6) that no client's library would send when the
handshake is over: this one closes and opens them itself, with ChaCha20-Poly1305 (RFC 8439)."""
import hashlib
import hmac
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from test_tls import ANSWER, PAIR, connect, context, http, pki, pytestmark  # noqa: F401

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHACHA = "ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;"
ALERT, HANDSHAKE, DATA = 21, 22, 23
KEY_UPDATE, KEY_UPDATE_ASKED = b"\x18\0\0\1\0", b"\x18\0\0\1\1"
CLOSE_NOTIFY, UNEXPECTED, OVERFLOW, ILLEGAL, DECODE_ERROR = 0, 10, 22, 47, 50


def block(key, counter, nonce):
    start = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce)
    x = list(start)

    def quarter(a, b, c, d):
        for p, q, r, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = x[p] + x[q] & 0xffffffff
            v = x[r] ^ x[p]
            x[r] = (v << by | v >> 32 - by) & 0xffffffff
    for _ in range(10):
        for i in range(4):
            quarter(i, i + 4, i + 8, i + 12)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(x, start)))


def crypt(key, nonce, text):
    stream = b"".join(block(key, 1 + i, nonce) for i in range((len(text) + 63) // 64))
    return bytes(a ^ b for a, b in zip(text, stream))


def tag(key, nonce, head, sealed):
    one = block(key, 0, nonce)
    r = int.from_bytes(one[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    text = b"".join(t + bytes(-len(t) % 16) for t in (head, sealed)) + struct.pack("<QQ", len(head), len(sealed))
    sum_ = 0
    for i in range(0, len(text), 16):
        sum_ = (sum_ + int.from_bytes(text[i:i + 16] + b"\1", "little")) * r % (2 ** 130 - 5)
    return (sum_ + int.from_bytes(one[16:32], "little") & 2 ** 128 - 1).to_bytes(16, "little")


class Half:
    """one direction's keys"""
    def __init__(self, secret):
        self.begin(secret)

    def begin(self, secret):
        self.secret, self.number = secret, 0
        self.key, self.iv = self.expand(b"key", 32), self.expand(b"iv", 12)

    def expand(self, label, size):
        label = b"tls13 " + label
        info = struct.pack(">HB", size, len(label)) + label + b"\0\1"
        return hmac.new(self.secret, info, hashlib.sha256).digest()[:size]

    def update(self):
        self.begin(self.expand(b"traffic upd", 32))

    def nonce(self):
        number, self.number = self.number, self.number + 1
        return bytes(a ^ b for a, b in zip(self.iv, bytes(4) + struct.pack(">Q", number)))

    def close(self, kind, text, zeros=0):
        text = text + bytes([kind] if kind else []) + bytes(zeros)
        head, nonce = b"\x17\3\3" + struct.pack(">H", len(text) + 16), self.nonce()
        sealed = crypt(self.key, nonce, text)
        return head + sealed + tag(self.key, nonce, head, sealed)

    def open(self, head, sealed):
        nonce = self.nonce()
        assert hmac.compare_digest(tag(self.key, nonce, head, sealed[:-16]), sealed[-16:]), "bad record"
        text = crypt(self.key, nonce, sealed[:-16]).rstrip(b"\0")
        return text[-1], text[:-1]


class Raw:
    """A client that has nothing but its keys."""
    def __init__(self, server, folder, behind_finished=None):
        self.socket = server.connect()
        self.socket.settimeout(10)
        come, go, ctx = ssl.MemoryBIO(), ssl.MemoryBIO(), context()
        ctx.keylog_filename = str(folder / "keys")
        tls = ctx.wrap_bio(come, go)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.socket.sendall(go.read())
                come.write(self.socket.recv(65536))
        lines = [line.split() for line in open(ctx.keylog_filename, encoding="ascii")]
        secret = {line[0]: bytes.fromhex(line[2]) for line in lines if line[0].endswith("_SECRET_0")}
        self.out = Half(secret["CLIENT_TRAFFIC_SECRET_0"])
        self.come = Half(secret["SERVER_TRAFFIC_SECRET_0"])
        self.file = self.socket.makefile("rb")
        self.updates = self.tickets = 0
        self.socket.sendall(go.read() + (behind_finished(self) if behind_finished else b""))

    def send(self, *records):
        """each: (type, text) or (type, text, zeros)"""
        self.socket.sendall(b"".join(self.out.close(*r) for r in records))

    def update(self, asked=False):
        data = self.out.close(HANDSHAKE, KEY_UPDATE_ASKED if asked else KEY_UPDATE)
        self.out.update()
        return data

    def next(self):
        """(type, text) of a record, not a ticket nor new keys; None: the end"""
        while True:
            try:
                head = self.file.read(5)
            except ConnectionResetError:
                return None
            if not head:
                return None
            kind, text = self.come.open(head, self.file.read(int.from_bytes(head[3:5], "big")))
            if kind != HANDSHAKE:
                return kind, text
            if text[0] == 4:
                self.tickets += 1
            else:
                assert text == KEY_UPDATE
                self.updates += 1
                self.come.update()

    def answer(self, end=b"yes\n"):
        text = b""
        while not text.endswith(end):
            kind, more = self.next()
            assert kind == DATA
            text += more
        return text

    def alert(self):
        """the alert that is the last word; None: there is none, or it is lost"""
        last = None
        while True:
            record = self.next()
            if record is None:
                return last
            last = record[1][1] if record[0] == ALERT else None


def serve(weir, pki, more=""):
    pki.own("a")
    return weir(http=http(PAIR + CHACHA + more + ANSWER % "yes"))


@pytest.fixture
def raw(weir, pki, tmp_path):
    return Raw(serve(weir, pki), tmp_path)


@pytest.mark.parametrize("settings, count", [
    ("ssl_conf_command NumTickets 0;", 0), ("ssl_conf_command NumTickets 2;", 2), ("", 1),
    ("ssl_conf_command NumTickets 5;", 5), ("ssl_session_tickets off;", 0),
    ("ssl_session_tickets off; ssl_session_cache shared:s:1m;", 1), ("ssl_session_cache shared:s:1m;", 1),
    ("ssl_early_data on;", 1)])
def test_records_begin_behind_tickets(weir, pki, tmp_path, settings, count):
    raw = Raw(serve(weir, pki, settings), tmp_path)
    raw.send((DATA, REQUEST))
    raw.answer()
    assert raw.tickets == count


def test_all_of_it_in_one_packet_with_finished(weir, pki, tmp_path):
    raw = Raw(serve(weir, pki), tmp_path, lambda r: r.update(True) + r.out.close(DATA, REQUEST) + r.update() +
              r.out.close(DATA, REQUEST))
    assert (raw.answer() + raw.answer()).count(b"200 OK") == 2
    assert raw.updates == 1


def test_message_in_five_records(raw):
    raw.send(*[(HANDSHAKE, KEY_UPDATE_ASKED[i:i + 1], i) for i in range(5)])
    raw.out.update()
    raw.send((DATA, REQUEST))
    raw.answer()
    assert raw.updates == 1


def test_many_who_ask_get_one_answer(raw):
    """it is due before the next data (section 4.6.3), and one is enough"""
    raw.socket.sendall(b"".join(raw.update(True) for _ in range(20)))
    raw.send((DATA, REQUEST))
    raw.answer()
    assert raw.updates == 1
    raw.socket.sendall(raw.update(True))
    raw.send((DATA, REQUEST))
    raw.answer()
    assert raw.updates == 2


def test_who_only_receives_may_change_keys(weir, pki, tmp_path):
    """as often as there is something to receive"""
    pki.own("a")
    with socket.create_server(("127.0.0.1", 0)) as back:
        server = weir(http=http(PAIR + CHACHA + "location / { proxy_http_version 1.1; proxy_set_header Upgrade x;"
                                "proxy_set_header Connection upgrade;"
                                f"proxy_pass http://127.0.0.1:{back.getsockname()[1]}; }}"))
        raw = Raw(server, tmp_path)
        raw.send((DATA, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"))
        with back.accept()[0] as peer:
            peer.recv(10000)
            peer.sendall(b"HTTP/1.1 101 So be it\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            assert raw.answer(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
            for i in range(60):
                raw.socket.sendall(raw.update(True))
                time.sleep(0.005)
                peer.sendall(b"%d\n" % i)
                raw.answer(b"%d\n" % i)
    assert 40 < raw.updates <= 60


@pytest.mark.parametrize("records, alert", [
    ([(HANDSHAKE, KEY_UPDATE * 2)], UNEXPECTED),                       # more behind the old key's end
    ([(HANDSHAKE, KEY_UPDATE + b"\x18")], UNEXPECTED),
    ([(HANDSHAKE, KEY_UPDATE[:3]), (DATA, b"GET")], UNEXPECTED),
    ([(HANDSHAKE, KEY_UPDATE[:3]), (ALERT, b"\1\0")], UNEXPECTED),
    ([(HANDSHAKE, KEY_UPDATE[:3]), (DATA, b"")], UNEXPECTED),
    ([(HANDSHAKE, b"")], UNEXPECTED),
    ([(HANDSHAKE, b"\x18\0\0\1\2")], ILLEGAL),
    ([(HANDSHAKE, b"\x18\0\0\2\0")], DECODE_ERROR),
    ([(HANDSHAKE, b"\x0b\0\0\4\0\0\0\0")], UNEXPECTED),               # a certificate
    ([(HANDSHAKE, b"\x0b")], UNEXPECTED),
    ([(HANDSHAKE, b"\x01\0\0\x30" + bytes(48))], UNEXPECTED),         # hello again
    ([(HANDSHAKE, b"\x04\0\0\x0d" + bytes(13))], UNEXPECTED),
    ([(0, b"", 1)], UNEXPECTED), ([(0, b"", 3000)], UNEXPECTED),       # no type at all
    ([(20, b"\1")], UNEXPECTED), ([(24, b"\1\0\1x")], UNEXPECTED),
    ([(ALERT, b"\1")], DECODE_ERROR), ([(ALERT, b"")], DECODE_ERROR), ([(ALERT, b"\1\0\1\0")], DECODE_ERROR),
    ([(DATA, b"x" * 16385)], OVERFLOW), ([(DATA, b"", 16385)], OVERFLOW),
    ([(DATA, b"", 16385 + 255)], OVERFLOW),
    ([(DATA, b"")] * 33, UNEXPECTED),
    ([(ALERT, b"\1\x5a")] * 33, UNEXPECTED),
    ([(ALERT, b"\2\x28")], None), ([(ALERT, b"\1\x28")], None),       # levels say nothing
])
def test_what_ends_the_connection(raw, records, alert):
    raw.send((DATA, REQUEST))
    raw.answer()
    raw.send(*records)
    assert raw.alert() == alert


def test_what_does_not_end_the_connection(raw):
    raw.send(*[(DATA, b"", i) for i in range(20)])
    raw.send((ALERT, b"\1\x5a"), (ALERT, b"\2\x5a"))                   # user_canceled
    raw.send((DATA, REQUEST[:5], 16384 - 5), (DATA, REQUEST[5:]))
    raw.answer()
    raw.send(*[(DATA, b"")] * 32, (DATA, REQUEST))
    raw.answer()


def test_length_that_no_record_has(raw):
    """is known from the head alone"""
    raw.socket.sendall(b"\x17\3\3\x41\x01")
    assert raw.alert() == OVERFLOW


def test_head_of_another_protocol(raw):
    """is no record's, however long its own length says it is"""
    raw.socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert raw.alert() == UNEXPECTED


def test_request_and_goodbye(raw):
    """the other direction lives on (section 6.1); what comes behind a goodbye is not looked at"""
    raw.send((DATA, REQUEST), (ALERT, b"\1\0"), (DATA, REQUEST), (HANDSHAKE, b"\0\1\2"))
    assert raw.answer().count(b"200 OK") == 1
    assert raw.alert() == CLOSE_NOTIFY


def test_changes_of_ciphers_before_finished(weir, pki):
    """as clients send them for the sake of middle boxes (appendix D.4), here with each flight"""
    server = serve(weir, pki)
    wire = server.connect()
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(come, go)
    for step in range(2):
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            wire.sendall(go.read() + (b"\x14\3\3\0\1\1" * 3 if step == 0 else b""))
            come.write(wire.recv(65536))
    tls.write(REQUEST)
    wire.sendall(b"\x14\3\3\0\1\1" + go.read())
    while True:
        try:
            assert tls.read(1000).startswith(b"HTTP/1.1 200")
            break
        except ssl.SSLWantReadError:
            come.write(wire.recv(65536))


def test_client_certificates_that_a_command_asks_for(weir, pki):
    """are told of: the library keeps such connections"""
    pki.own("a")
    pki.own("client")
    server = weir(http=http(PAIR + "ssl_conf_command VerifyMode Request; ssl_trusted_certificate client.crt;"
                            "location / { return 200 '<$ssl_client_s_dn>'; }"))
    ctx = context()
    ctx.load_cert_chain(str(pki.dir / "client.crt"), str(pki.dir / "client.key"))
    s = connect(server, ctx=ctx)
    s.sendall(REQUEST)
    text = b""
    while not text.endswith(b">"):
        text += s.recv(1000)
    assert text.endswith(b"<CN=client>")


class Relay(threading.Thread):
    """Carries a connection, and holds back what the client says behind the server's first words."""
    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.to, self.go_on = self.listener.getsockname()[1], port, threading.Event()
        self.start()

    def run(self):
        client = self.listener.accept()[0]
        server = socket.create_connection(("127.0.0.1", self.to))
        answered = False
        while True:
            ready = select.select([server] + ([client] if not answered or self.go_on.is_set() else []), [], [], 0.1)[0]
            for s in ready:
                data = s.recv(65536)
                if not data:
                    client.close()
                    server.close()
                    return
                (client if s is server else server).sendall(data)
                answered |= s is server


def test_early_data_whose_handshake_ends_behind_a_reload(weir, pki, tmp_path):
    """The request is answered, its configuration is gone, and secrets are still to be told."""
    pki.own("a")
    server = weir(http=http("ssl_early_data on; ssl_key_log keys.log;" + PAIR + ANSWER % "yes"), master="on",
                  main="error_log error.log notice;")
    relay, session, early = Relay(server.port), tmp_path / "session", tmp_path / "early"
    early.write_bytes(REQUEST)
    subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_3", "-ign_eof", "-sess_out",
                    session], input=REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
                   capture_output=True, timeout=20)
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-tls1_3", "-quiet",
                           "-sess_in", session, "-early_data", early], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        assert p.stdout.read(12) == b"HTTP/1.1 200"
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("configuration 2 is in use")
        time.sleep(0.3)
        relay.go_on.set()
        p.stdin.write(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        p.stdin.flush()
        assert p.communicate(timeout=10)[0].count(b"HTTP/1.1 200") == 1
