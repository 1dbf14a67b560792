"""The PROXY protocol on listening sockets, both versions."""
import socket
import struct
import time

import pytest

from conftest import Response, free_port
from http1 import Connection

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TEXT = ("$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|"
        "$proxy_protocol_server_port|$remote_addr|$proxy_protocol_tlv_authority|"
        "$proxy_protocol_tlv_0x05|$proxy_protocol_tlv_ssl_cn|$proxy_protocol_tlv_ssl_verify")


def tlv(kind, value):
    return bytes([kind]) + struct.pack(">H", len(value)) + value


def version2(command, family, body):
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(body)) + body


TCP4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack(">HH", 1234, 80)
TLVS = (tlv(2, b"example.com") + tlv(5, b"id")
        + tlv(0x20, b"\x01" + struct.pack(">I", 0) + tlv(0x22, b"me")))


@pytest.fixture
def server(weir):
    return weir(http=f"""client_header_timeout 500ms;
        server {{ listen 127.0.0.1:@PORT@ proxy_protocol; location / {{ return 200 "{TEXT}"; }} }}""",
                main="error_log error.log info;")


@pytest.mark.parametrize("header, said", [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n", "192.0.2.1|1234|192.0.2.2|80|127.0.0.1||||"),
    (b"PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", "2001:db8::1|1|::1|2|127.0.0.1||||"),
    (b"PROXY UNKNOWN\r\n", "||||127.0.0.1||||"),
    (version2(0x20, 0, b""), "||||127.0.0.1||||"),
    (version2(0x21, 0x31, b"x" * 216), "||||127.0.0.1||||"),
    (version2(0x21, 0x11, TCP4), "192.0.2.1|1234|192.0.2.2|80|127.0.0.1||||"),
    (version2(0x21, 0x11, TCP4 + TLVS),
     "192.0.2.1|1234|192.0.2.2|80|127.0.0.1|example.com|id|me|0"),
    (version2(0x21, 0x11, TCP4 + tlv(5, b"z" * 3000)),
     "192.0.2.1|1234|192.0.2.2|80|127.0.0.1||" + "z" * 3000 + "||"),
])
def test_headers(server, header, said):
    assert Response(server.raw(header + REQUEST)).body.decode() == said


def test_in_pieces(server):
    for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n", version2(0x21, 0x11, TCP4 + TLVS)):
        with server.connect() as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, len(header), 7):
                s.sendall(header[i:i + 7])
                time.sleep(0.005)
            s.sendall(REQUEST)
            assert b"192.0.2.1|1234" in s.recv(65536)


@pytest.mark.parametrize("header", [
    REQUEST, b"PROXY TCP4 192.0.2.1\r\n", b"PROXY TCP4 x y 1 2\r\n" , b"PROXY UNKNOWN " + b"x" * 200,
    version2(0x31, 0x11, TCP4), version2(0x21, 0x11, b"short"), SIGNATURE[:-1] + b"X" + bytes(20),
    version2(0x21, 0x11, TCP4 + tlv(5, b"z" * 9000)),
])
def test_broken(server, header):
    assert server.raw(header) == b""
    server.wait_log('broken header: "')


def test_nothing_comes(server):
    start = time.monotonic()
    assert server.raw(b"PROXY TC") == b""
    assert 0.4 < time.monotonic() - start < 10


def test_only_where_asked_for(weir):
    s = weir(f'location / {{ return 200 "{TEXT}"; }}')
    assert s.raw(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n" + REQUEST).startswith(b"HTTP/1.1 400 ")
    assert Response(s.raw(REQUEST)).body == b"||||127.0.0.1||||"


# ---- to a server behind: the directive proxy_protocol ----

BEHIND = """
server { listen 127.0.0.1:@PORT2@ proxy_protocol; http2 on;
    location / { return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port $connection"; } }
"""


def test_line_to_a_peer(weir, peer):
    back = peer(lambda c: c.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    server = weir(f"proxy_protocol on; location / {{ proxy_pass http://127.0.0.1:{back.port}; }}")
    with Connection(server) as c:
        assert c.get().body == b"ok"
        own = c.socket.getsockname()[1]
    line, _, rest = back.requests[0].partition(b"\r\n")
    assert line == b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d" % (own, server.port)
    assert rest.startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_connections_to_a_peer_are_of_one_client(weir, version):
    """Requests of one client share them; nobody uses another's."""
    server = weir(http=BEHIND + f"""server {{ listen 127.0.0.1:@PORT@; proxy_protocol on;
        proxy_http_version {version}; location / {{ proxy_pass http://b; }} }}
        upstream b {{ server 127.0.0.1:@PORT2@; keepalive 8; }}""")
    said = []
    for _ in range(2):
        with Connection(server) as c:
            own = c.socket.getsockname()[1]
            for _ in range(3):
                said.append(c.get().body.decode().split())
                assert said[-1][:3] == ["127.0.0.1", str(own), str(server.port)]
    assert len({s[3] for s in said[:3]}) == 1 and len({s[3] for s in said[3:]}) == 1
    assert said[0][3] != said[3][3]


def test_line_to_peers_that_refuse(weir):
    server = weir(http=BEHIND + f"""server {{ listen 127.0.0.1:@PORT@; proxy_protocol on;
        location / {{ proxy_pass http://b; }} }}
        upstream b {{ server 127.0.0.1:{free_port()}; server 127.0.0.1:@PORT2@; }}""")
    server.allow("connect() failed")
    server.allow("temporarily disabled")
    for _ in range(4):
        assert server.get("/").body.startswith(b"127.0.0.1 ")
