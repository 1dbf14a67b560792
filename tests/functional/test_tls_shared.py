"""Servers of the same TLS settings share what the library makes of them, and so do two configurations:
what a reload has not changed stays, what it has changed counts at once."""
import os
import signal
import ssl
import time

import pytest

from test_tls import ANSWER, PAIR, context, get, http, pki, pytestmark, served_name  # noqa: F401

BUILTIN = "ssl_session_cache builtin; ssl_session_tickets off;" + PAIR


def reload(server, number):
    server.process.send_signal(signal.SIGHUP)
    for _ in range(200):
        if f"configuration {number} is in use" in server.log():
            return
        time.sleep(0.05)
    raise AssertionError(server.log())


def start(weir, *servers):
    return weir(http="".join(http(s) for s in servers), main="worker_processes 1; error_log error.log notice;",
                master="on")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_in_the_process_outlive_a_reload(weir, pki, version):
    pki.own("a")
    server = start(weir, BUILTIN + ANSWER % "$ssl_session_reused")
    ctx, sessions = context(maximum_version=version), []
    assert get(server, ctx=ctx, keep=sessions).body == b".\n"
    reload(server, 2)
    assert get(server, ctx=ctx, session=sessions[0], keep=sessions).body == b"r\n"
    pki.own("a", "other")
    reload(server, 3)
    assert get(server, ctx=ctx, session=sessions[1]).body == b".\n"
    assert served_name(server) == "other"


def test_each_setting_makes_a_difference(weir, pki):
    """a reload with one line more: the new configuration is not taken for the old one"""
    pki.own("a")
    lines = ["", "ssl_protocols TLSv1.2;", "ssl_ciphers ECDHE+CHACHA20; ssl_protocols TLSv1.2;",
             "ssl_ecdh_curve P-384;", "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;",
             "ssl_verify_client optional_no_ca;", "ssl_session_tickets off;", "ssl_early_data on;"]
    page = 'location / { return 200 "$ssl_protocol $ssl_cipher $ssl_curve"; }'
    server = start(weir, PAIR + page)
    seen = {}
    for number, line in enumerate(lines):
        server.write_conf(server_conf(server, line + PAIR + page))
        reload(server, number + 2)
        seen[line] = get(server).body
    assert seen[lines[0]] == b"TLSv1.3 TLS_AES_256_GCM_SHA384 X25519"
    assert seen[lines[1]].startswith(b"TLSv1.2 ECDHE-ECDSA-AES")
    assert seen[lines[2]].startswith(b"TLSv1.2 ECDHE-ECDSA-CHACHA20")
    assert seen[lines[3]].endswith(b"secp384r1")
    assert b"TLS_AES_128_GCM_SHA256" in seen[lines[4]]


def server_conf(server, body):
    user = "user root;" if os.geteuid() == 0 else ""
    return (f"daemon off; master_process on; pid weir.pid; {user} worker_processes 1; "
            f"error_log error.log notice; events {{ }} http {{ access_log off; {http(body)} }}")


def test_servers_of_one_certificate(weir, pki):
    """they share it, and yet each is itself: its zone of sessions, its name, its answers"""
    pki.own("a")
    body = "server_name %s; ssl_session_cache shared:%s:1m; ssl_session_tickets off;" + PAIR + ANSWER
    server = start(weir, *(body % (name, name, name + " $ssl_server_name $ssl_session_reused") for name in "xyz"))
    for name in "xyz":
        sessions = []
        assert get(server, name=name, keep=sessions).body == f"{name} {name} .\n".encode()
        ctx = context()
        assert get(server, name=name, ctx=ctx, keep=sessions).body == f"{name} {name} .\n".encode()
        assert get(server, name=name, ctx=ctx, session=sessions[1]).body == f"{name} {name} r\n".encode()
    reload(server, 2)
    assert get(server, name="z").body == b"z z .\n"


def test_many_servers_with_one_certificate_are_small(weir, pki):
    pki.own("a")
    many = [f"server_name s{i};" + PAIR for i in range(400)]
    server = start(weir, *many)
    with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children", encoding="ascii") as f:
        worker = f.read().split()[0]
    reload(server, 2)
    with open(f"/proc/{worker}/status", encoding="ascii") as f:
        size = next(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))
    if b"asan" not in open(f"/proc/{worker}/maps", "rb").read():
        assert size < 400 * 10                 # KiB; a context of its own would be 25
