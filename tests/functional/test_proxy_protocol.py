"""The PROXY protocol on listening sockets, both versions."""
import socket
import struct
import time

import pytest

from conftest import Response

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
