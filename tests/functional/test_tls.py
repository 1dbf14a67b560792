"""TLS: certificates, names, sessions, clients' certificates, and what goes wrong.

Certificates are made by openssl(1) in the tests; clients are Python's ssl, curl and openssl s_client.
"""
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from conftest import BINARY, Response

pytestmark = pytest.mark.skipif(
    b"http_ssl_module" not in subprocess.run([BINARY, "-V"], capture_output=True).stderr,
    reason="this build has no TLS")

KINDS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


def openssl(*args, **options):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **options).stdout


class Authority:
    """Makes certificates in a folder: NAME.crt and NAME.key."""
    def __init__(self, folder):
        self.dir = folder

    def own(self, name, subject=None, kind="ec", days=30, password=None):
        secret = ["-passout", "pass:" + password] if password else ["-nodes"]
        openssl("req", "-x509", *KINDS[kind], *secret, "-days", days, "-subj", f"/CN={subject or name}",
                "-addext", f"subjectAltName=DNS:{subject or name}",
                "-keyout", self.dir / f"{name}.key", "-out", self.dir / f"{name}.crt")

    def signed(self, name, by, ca=False):
        openssl("req", "-new", *KINDS["ec"], "-nodes", "-subj", f"/CN={name}",
                "-keyout", self.dir / f"{name}.key", "-out", self.dir / f"{name}.csr")
        (self.dir / "ext").write_text("basicConstraints=critical,CA:" + ("TRUE" if ca else "FALSE"))
        openssl("x509", "-req", "-in", self.dir / f"{name}.csr", "-CA", self.dir / f"{by}.crt",
                "-CAkey", self.dir / f"{by}.key", "-CAcreateserial", "-days", 30, "-extfile",
                self.dir / "ext", "-out", self.dir / f"{name}.crt")


@pytest.fixture
def pki(tmp_path):
    return Authority(tmp_path)


def context(**options):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    for key, value in options.items():
        setattr(c, key, value)
    return c


def connect(server, name=None, ctx=None, port=None, session=None, preface=b""):
    s = server.connect(port=port)
    s.sendall(preface)
    return (ctx or context()).wrap_socket(s, server_hostname=name, session=session)


def exchange(s, data):
    s.sendall(data)
    out = b""
    while True:
        try:
            piece = s.recv(65536)
        except (ssl.SSLEOFError, ConnectionResetError):
            break
        if not piece:
            break
        out += piece
    return out


def get(server, path="/", name=None, host=None, keep=None, **options):
    with connect(server, name, **options) as s:
        response = Response(exchange(s, f"GET {path} HTTP/1.1\r\nHost: {host or name or 'localhost'}\r\n"
                                        "Connection: close\r\n\r\n".encode()))
        if keep is not None:
            keep.append(s.session)
        return response


def common_name(s):
    text = openssl("x509", "-noout", "-subject", input=ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).encode())
    return text.decode().rsplit("=", 1)[1].strip()


def served_name(server, name=None, **options):
    with connect(server, name, **options) as s:
        return common_name(s)


PAIR = "ssl_certificate a.crt; ssl_certificate_key a.key;"
ANSWER = 'location / { return 200 "%s\\n"; }'


def http(body, top=""):
    return top + " server { listen 127.0.0.1:@PORT@ ssl; " + body + " }"


# ---- the first page ----

def test_static_page_and_variables(weir, pki):
    pki.own("a", "localhost")
    server = weir(http=http(PAIR + "root html; location /v { return 200 \"$scheme $https $ssl_protocol $ssl_cipher "
                            "$ssl_curve $ssl_sigalg $ssl_server_name $ssl_session_reused $ssl_alpn_protocol\"; }"),
                  files={"html/index.html": "hello"})
    assert get(server).body == b"hello"
    assert get(server, "/v", "localhost").body == (
        b"https on TLSv1.3 TLS_AES_256_GCM_SHA384 X25519 ecdsa_secp256r1_sha256 localhost . ")


@pytest.mark.parametrize("curves, group, good", [
    ("", "X25519", True), ("", "P-384", True), ("", "ffdhe2048", False), ("", "ffdhe8192", False),
    ("ssl_ecdh_curve ffdhe2048:X25519;", "ffdhe2048", True), ("ssl_ecdh_curve P-256;", "X25519", False),
])
def test_groups(weir, pki, curves, group, good):
    """Those of finite fields cost a server much at a client's word: they are there for who asks for them."""
    pki.own("a")
    server = weir(http=http(PAIR + curves + ANSWER % "x"))
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_3", "-groups", group],
                          input=b"", capture_output=True)
    assert (b"New, TLSv1.3" in done.stdout) == good


@pytest.mark.parametrize("extra", ["", "ssl_conf_command Options KTLS;"])
def test_large_file_to_a_slow_client(weir, pki, extra):
    pki.own("a")
    body = os.urandom(3000000)
    server = weir(http=http(PAIR + extra + "root html;"), files={"html/big": body})
    ctx = context()
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", server.port))
    with ctx.wrap_socket(raw) as s:
        s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        out = b""
        while piece := s.recv(20000):
            out += piece
            if len(out) < 400000:
                time.sleep(0.005)
    assert Response(out).body == body
    run = subprocess.run(["curl", "-sk", f"https://127.0.0.1:{server.port}/big"], capture_output=True)
    assert run.stdout == body


@pytest.mark.parametrize("extra", ["", "ssl_conf_command Options KTLS;"])
def test_request_bodies_of_many_records(weir, pki, extra):
    pki.own("a")
    server = weir(http=http(PAIR + extra + "client_max_body_size 0; location / { proxy_pass http://127.0.0.1:@PORT2@; }")
                  + "server { listen 127.0.0.1:@PORT2@; client_max_body_size 0; location / { "
                    "client_body_buffer_size 4m; proxy_pass http://127.0.0.1:@PORT3@; } }"
                    "server { listen 127.0.0.1:@PORT3@; client_max_body_size 0; location / { "
                    "return 200 $content_length; } }")
    body = os.urandom(1500000)
    run = subprocess.run(["curl", "-sk", "--data-binary", "@-", f"https://127.0.0.1:{server.port}/"],
                         input=body, capture_output=True)
    assert run.stdout == b"1500000"


@pytest.mark.parametrize("extra", ["", "ssl_conf_command Options KTLS;"])
def test_pipelined_requests_in_one_record(weir, pki, extra):
    pki.own("a")
    server = weir(http=http(PAIR + extra + ANSWER % "x" + " keepalive_requests 1000;"))
    with connect(server) as s:
        one = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        out = exchange(s, one * 300 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert out.count(b"200 OK") == 301


def test_first_bytes_one_by_one(weir, pki):
    pki.own("a")
    server = weir(http=http(PAIR + ANSWER % "x"))
    inn, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(inn, out)
    with server.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in out.read():
                    s.sendall(bytes([byte]))
                inn.write(s.recv(65536))
        tls.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for byte in out.read():
            s.sendall(bytes([byte]))
        got = b""
        while b"x\n" not in got:
            inn.write(s.recv(65536))
            try:
                got += tls.read(65536)
            except ssl.SSLWantReadError:
                pass
    assert b"200 OK" in got


@pytest.mark.parametrize("extra", ["", "ssl_conf_command Options KTLS;"])
def test_goodbye_is_said(weir, pki, extra):
    pki.own("a")
    server = weir(http=http(PAIR + extra + ANSWER % "x"))
    with connect(server) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while s.recv(4096):                    # an end without close_notify would be an error
            pass


def test_small_response_is_one_record(weir, pki):
    pki.own("a")
    server = weir(http=http(PAIR + "root html;"), files={"html/index.html": "x" * 1024})
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-msg", "-quiet"],
                         input=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                         capture_output=True, timeout=20)
    data = re.findall(rb"<<< TLS 1\.3, InnerContent \[length 0001\]\s+17", run.stdout + run.stderr)
    assert len(data) == 1


# ---- plain HTTP on a port of TLS ----

def test_plain_http_is_497(weir, pki):
    pki.own("a")
    server = weir(http=http(PAIR + "error_page 497 =301 https://$host:443$request_uri;"))
    answer = server.get("/a?b", host="example.com")
    assert answer.status == 301
    assert answer.header("location") == "https://example.com:443/a?b"


def test_plain_http_without_a_page_for_it(weir, pki):
    pki.own("a")
    answer = weir(http=http(PAIR)).get("/")
    assert answer.status == 400
    assert b"plain HTTP request was sent to HTTPS port" in answer.body


def test_proxy_protocol_before_tls(weir, pki):
    pki.own("a")
    server = weir(http=" server { listen 127.0.0.1:@PORT@ ssl proxy_protocol; %s %s }"
                  % (PAIR, ANSWER % "$proxy_protocol_addr"))
    assert get(server, preface=b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n").body == b"192.0.2.1\n"


# ---- certificates ----

def test_ecdsa_and_rsa(weir, pki):
    pki.own("a", "ecdsa")
    pki.own("b", "rsa", "rsa")
    server = weir(http=http(PAIR + "ssl_certificate b.crt; ssl_certificate_key b.key;" + ANSWER % "$ssl_cipher"))
    for cipher, name in (("ECDHE-ECDSA-AES128-GCM-SHA256", "ecdsa"), ("ECDHE-RSA-AES128-GCM-SHA256", "rsa")):
        ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
        ctx.set_ciphers(cipher)
        assert served_name(server, ctx=ctx) == name


def test_names_choose_certificates(weir, pki):
    for name in "abcd":
        pki.own(name)
    pair = "ssl_certificate %s.crt; ssl_certificate_key %s.key;"
    server = weir(http=http("server_name a;" + pair % ("a", "a"))
                  + http("server_name *.b.example;" + pair % ("b", "b"))
                  + http("server_name ~^c[0-9]+[.]example$;" + pair % ("c", "c"))
                  + http("server_name d.example; ssl_protocols TLSv1.2;" + pair % ("d", "d") + ANSWER % "$ssl_protocol"))
    for asked, name in ((None, "a"), ("unknown", "a"), ("x.b.example", "b"), ("c17.example", "c"),
                        ("C17.EXAMPLE", "c"), ("cx.example", "a"), ("d.example", "d")):
        assert served_name(server, asked) == name
    assert get(server, name="d.example").body == b"TLSv1.2\n"


def test_password_file_and_data(weir, pki):
    pki.own("a", password="secret")
    pki.own("b")
    inline = 'ssl_certificate "data:%s"; ssl_certificate_key "data:%s";' % (
        (pki.dir / "b.crt").read_text(), (pki.dir / "b.key").read_text())
    server = weir(http=http("server_name a; ssl_password_file pw;" + PAIR) + http("server_name b;" + inline),
                  files={"pw": "wrong\nsecret\n"})
    assert served_name(server, "a") == "a"
    assert served_name(server, "b") == "b"


def test_certificates_named_by_variables(weir, pki):
    for name in ("one", "two", "a"):
        pki.own(name)
    server = weir(http="map $ssl_server_name $file { one one; default $ssl_server_name; }"
                  + http("ssl_certificate $file.crt; ssl_certificate_key $file.key; "
                         "ssl_certificate_cache max=10 valid=1s;"))
    server.allowed = [r"cannot load certificate"]
    assert served_name(server, "one") == "one"
    assert served_name(server, "two") == "two"
    with pytest.raises(OSError):
        served_name(server, "three")
    assert "cannot load certificate" in server.log()
    pki.own("one", "changed")
    time.sleep(1.2)
    assert served_name(server, "one") == "changed"


def test_reload_takes_renewed_files(weir, pki):
    pki.own("a", "old")
    server = weir(http=http(PAIR + ANSWER % "x"), master="on")
    assert served_name(server) == "old"
    with connect(server) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in s.recv(4096)
        pki.own("a", "new")
        os.chmod(pki.dir / "a.key", 0o600)
        server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if served_name(server) == "new":
                break
            time.sleep(0.05)
        assert served_name(server) == "new"
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in exchange(s, b"")   # the connection outlives its certificate


def test_reject_handshake(weir, pki):
    pki.own("a")
    server = weir(http=http("ssl_reject_handshake on;") + http("server_name a;" + PAIR + ANSWER % "ok"))
    assert get(server, name="a").body == b"ok\n"
    for name in (None, "b"):
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            connect(server, name)


# ---- clients' certificates ----

def with_client(pki, name):
    ctx = context()
    ctx.load_cert_chain(pki.dir / f"{name}.crt", pki.dir / f"{name}.key")
    return ctx


def test_client_certificates(weir, pki):
    for name in ("a", "ca", "other"):
        pki.own(name)
    pki.signed("client", "ca")
    pki.signed("stranger", "other")
    answer = ANSWER % "$ssl_client_verify $ssl_client_s_dn $ssl_client_i_dn $ssl_client_serial"
    server = weir(http=http("server_name on; ssl_client_certificate ca.crt; ssl_verify_client on;" + PAIR + answer)
                  + http("server_name opt; ssl_client_certificate ca.crt; ssl_verify_client optional;" + PAIR + answer)
                  + http("server_name any; ssl_verify_client optional_no_ca;" + PAIR + answer)
                  + http("server_name off;" + PAIR + answer))
    good, bad = with_client(pki, "client"), with_client(pki, "stranger")
    assert get(server, name="on", ctx=good).body.startswith(b"SUCCESS CN=client CN=ca ")
    none = get(server, name="on")
    assert none.status == 400 and b"No required SSL certificate" in none.body
    wrong = get(server, name="on", ctx=bad)
    assert wrong.status == 400 and b"SSL certificate error" in wrong.body
    assert get(server, name="opt").body.startswith(b"NONE ")
    assert get(server, name="opt", ctx=bad).status == 400
    assert get(server, name="any", ctx=bad).body.startswith(b"FAILED:unable to verify the first certificate CN=stranger")
    assert get(server, name="off", ctx=good).body.startswith(b"NONE ")
    # A connection that was let in by other rules is sent away.
    assert get(server, name="off", host="on", ctx=good).status == 421
    assert get(server, name="any", host="on", ctx=bad).status == 421
    assert get(server, name="on", host="opt", ctx=good).status == 200


def test_revoked_client(weir, pki):
    pki.own("a")
    pki.own("ca")
    pki.signed("client", "ca")
    (pki.dir / "ca.conf").write_text(
        "[ca]\ndefault_ca=x\n[x]\ndatabase=%s/index\ndefault_md=sha256\ndefault_crl_days=3\n" % pki.dir)
    (pki.dir / "index").write_text("")
    sign = ["ca", "-config", pki.dir / "ca.conf", "-cert", pki.dir / "ca.crt", "-keyfile", pki.dir / "ca.key"]
    openssl(*sign, "-gencrl", "-out", pki.dir / "empty.crl")
    openssl(*sign, "-revoke", pki.dir / "client.crt")
    openssl(*sign, "-gencrl", "-out", pki.dir / "full.crl")
    body = "ssl_client_certificate ca.crt; ssl_verify_client on; ssl_crl %s.crl;" + PAIR + ANSWER % "$ssl_client_verify"
    server = weir(http=http("server_name e;" + body % "empty") + http("server_name f;" + body % "full"))
    ctx = with_client(pki, "client")
    assert get(server, name="e", ctx=ctx).body == b"SUCCESS\n"
    assert get(server, name="f", ctx=ctx).status == 400


# ---- sessions ----

REUSED = PAIR + ANSWER % "$ssl_session_reused"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("how,reused", [
    ("", b"r"), ("ssl_session_cache shared:x:1m; ssl_session_tickets off;", b"r"),
    ("ssl_session_cache builtin; ssl_session_tickets off;", b"r"),
    ("ssl_session_cache off; ssl_session_tickets off;", b"."), ("ssl_session_tickets off;", b"."),
    ("ssl_session_ticket_key k;", b"r")])
def test_sessions_are_resumed(weir, pki, version, how, reused):
    pki.own("a")
    server = weir(http=http(how + REUSED), files={"k": os.urandom(80)}, main="worker_processes 1;")
    ctx, sessions = context(maximum_version=version), []
    assert get(server, ctx=ctx, keep=sessions).body == b".\n"
    assert get(server, ctx=ctx, session=sessions[0]).body == reused + b"\n"


def test_tickets_work_in_all_workers_and_over_a_reload(weir, pki):
    pki.own("a")
    server = weir(http=http(REUSED), main="worker_processes 3; error_log error.log notice;", master="on")
    ctx, sessions = context(maximum_version=ssl.TLSVersion.TLSv1_2), []
    get(server, ctx=ctx, keep=sessions)
    for _ in range(12):
        assert get(server, ctx=ctx, session=sessions[0]).body == b"r\n"
    server.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if "configuration 2 is in use" in server.log():
            break
        time.sleep(0.05)
    for _ in range(12):
        assert get(server, ctx=ctx, session=sessions[0]).body == b"r\n"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_do_not_cross_to_other_rules(weir, pki, version):
    for name in ("a", "ca", "cb"):
        pki.own(name)
    pki.signed("client", "ca")
    rules = "ssl_session_cache shared:x:1m; ssl_verify_client on; ssl_client_certificate %s.crt;"
    server = weir(http=http("server_name a;" + rules % "ca" + REUSED) + http("server_name b;" + rules % "cb" + REUSED)
                  + http("server_name same;" + rules % "ca" + REUSED))
    ctx, sessions = with_client(pki, "client"), []
    ctx.maximum_version = version
    assert get(server, name="a", ctx=ctx, keep=sessions).body == b".\n"
    answer = get(server, name="b", ctx=ctx, session=sessions[0])
    assert answer.status == 400


def test_early_data(weir, pki, tmp_path):
    pki.own("a")
    server = weir(http=http("ssl_early_data on;" + PAIR + ANSWER % "early=$ssl_early_data"))
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(request)
    base = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_3", "-ign_eof"]
    first = subprocess.run(base + ["-sess_out", session], input=request, capture_output=True, timeout=20)
    assert b"early=\n" in first.stdout
    second = subprocess.run(base + ["-sess_in", session, "-early_data", early], stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=20)
    assert b"Early data was accepted" in second.stdout
    assert b"early=1\n" in second.stdout


# ---- mistakes ----

def mistake(weir, pki, conf, files=None):
    (pki.dir / "bad.conf").write_text("events {}\nhttp {\n" + conf + "\n}\n")
    for name, text in (files or {}).items():
        (pki.dir / name).write_text(text)
    run = subprocess.run([BINARY, "-p", str(pki.dir), "-c", "bad.conf", "-t"], capture_output=True, text=True)
    assert run.returncode != 0
    return run.stderr


def test_mistakes_are_told_where_they_stand(weir, pki):
    pki.own("a")
    pki.own("b")
    pki.own("locked", password="secret")
    for conf, told in (
            ("server { listen 1 ssl; }", 'no "ssl_certificate" is defined for the "listen ... ssl" directive in'),
            ("server { listen 1 ssl;\nssl_certificate a.crt; }",
             'no "ssl_certificate_key" is defined for certificate'),
            ("server { listen 1 ssl;\nssl_certificate missing.crt; ssl_certificate_key a.key; }",
             'missing.crt" (2: No such file or directory) in'),
            ("server { listen 1 ssl; ssl_certificate a.crt;\nssl_certificate_key b.key; }", "bad.conf:4"),
            ("server { listen 1 ssl; ssl_certificate a.crt; ssl_certificate_key locked.key; }",
             "it is encrypted, and no password is given"),
            ("server { listen 1 ssl; ssl_certificate a.key; ssl_certificate_key a.key; }",
             "there is no certificate in"),
            ("server { listen 1 ssl; ssl_certificate a.crt; ssl_certificate_key a.key;\nssl_ciphers nonsense; }",
             'cannot use ciphers "nonsense": no cipher match in'),
            ("server { listen 1 ssl; ssl_certificate a.crt; ssl_certificate_key a.key; ssl_verify_client on; }",
             "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"),
            ("server { listen 1 ssl; ssl_certificate a.crt; ssl_certificate_key a.key; ssl_conf_command No x; }",
             'OpenSSL knows no command "No"'),
            ("server { listen 1 ssl; ssl_certificate a.crt; ssl_certificate_key a.key; ssl_session_ticket_key a.key; }",
             'must be 48 or 80 bytes')):
        assert told in mistake(weir, pki, conf)


def test_broken_handshakes_harm_nobody(weir, pki):
    pki.own("a")
    server = weir(http=http(PAIR + ANSWER % "ok"))
    for data in (b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16" + os.urandom(500), b"\x80" + os.urandom(500), b""):
        with server.connect() as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            s.settimeout(5)
            try:
                while s.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    assert get(server).body == b"ok\n"


def test_key_log(weir, pki):
    pki.own("a")
    server = weir(http=http(PAIR + "ssl_key_log keys.log;" + ANSWER % "ok"))
    assert get(server).body == b"ok\n"
    assert "CLIENT_TRAFFIC_SECRET_0 " in (pki.dir / "keys.log").read_text()


def test_a_storm_of_handshakes_is_shared_with_threads(weir, pki):
    pki.own("a", kind="rsa")
    server = weir(http=http(PAIR + "ssl_session_tickets off;" + ANSWER % "ok"))
    assert get(server).body == b"ok\n"
    hellos = []
    for _ in range(60):                        # all hellos are there before the server looks at one
        inn, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context().wrap_bio(inn, out)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hellos.append((server.connect(), tls, inn, out))
    server.process.send_signal(signal.SIGSTOP)
    for i, (s, _, _, out) in enumerate(hellos):
        s.sendall(out.read())
        if i % 5 == 4:
            s.close()                          # some do not wait for the answer
    server.process.send_signal(signal.SIGCONT)
    for i, (s, tls, inn, out) in enumerate(hellos):
        if i % 5 == 4:
            continue
        s.settimeout(10)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                inn.write(s.recv(65536))
        tls.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        s.sendall(out.read())
        while piece := s.recv(65536):
            inn.write(piece)
        assert b"ok\n" in tls.read(65536)
        s.close()
    assert len(os.listdir(f"/proc/{server.process.pid}/task")) > 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's workers are another user's")
def test_workers_need_no_right_to_read_keys(weir, pki):
    pki.own("a", "old")
    os.chmod(pki.dir / "a.key", 0o600)
    server = weir(http=http(PAIR + ANSWER % "x"), main="user nobody; error_log error.log notice;", master="on")
    assert served_name(server) == "old"
    pki.own("a", "new")
    os.chmod(pki.dir / "a.key", 0o600)
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("configuration 2 is in use")
    assert served_name(server) == "new"


def test_a_full_zone_of_sessions_forgets_the_oldest(weir, pki):
    pki.own("a")
    server = weir(http=http("ssl_session_cache shared:x:32k; ssl_session_tickets off;" + REUSED))
    ctx, sessions = context(maximum_version=ssl.TLSVersion.TLSv1_2), []
    for _ in range(400):
        get(server, ctx=ctx, keep=sessions)
    assert get(server, ctx=ctx, session=sessions[-1]).body == b"r\n"
    assert get(server, ctx=ctx, session=sessions[0]).body == b".\n"


def test_the_old_directive(weir, pki):
    pki.own("a")
    server = weir(http="server { listen 127.0.0.1:@PORT@; ssl on; " + PAIR + ANSWER % "$https" + "}")
    assert get(server).body == b"on\n"


def test_a_quitting_worker_waits_for_no_silent_client(weir, pki):
    pki.own("a")
    server = weir(http=http(PAIR + ANSWER % "x"), main="worker_shutdown_timeout 5s;")
    with connect(server), server.connect():
        began = time.monotonic()
        server.process.send_signal(signal.SIGQUIT)
        server.process.wait(15)
        assert time.monotonic() - began < 8
