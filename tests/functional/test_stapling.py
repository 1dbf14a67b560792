"""OCSP answers that are shown with the server's certificates."""
import re
import signal
import subprocess
import time

import pytest

import ocsp
from conftest import BINARY
from ocsp import Authority, Responder, Status
from test_tls import connect, pytestmark                # noqa: F401

PAIR = "ssl_certificate {0}.crt; ssl_certificate_key {0}.key;"


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path).root()


@pytest.fixture
def responder(ca):
    r = Responder(ca)
    yield r
    r.stop()


def site(top, name="a", stapling="ssl_stapling on; ssl_trusted_certificate ca.crt;"):
    return (f"{stapling} {top} server {{ listen 127.0.0.1:@PORT@ ssl; {PAIR.format(name)} "
            "location / { return 200 ok; } }")


def staple(server, *options):
    """What a client gets with the certificate: "good", "revoked"...; None: nothing."""
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-status", *options],
                         input=b"", capture_output=True, timeout=20)
    text = run.stdout.decode(errors="replace")
    if "OCSP response: no response sent" in text:
        return None
    found = re.search(r"Cert Status: (\w+)", text)
    assert found, text + run.stderr.decode()
    return found[1]


def wait_staple(server, wanted, *options, seconds=10):
    end = time.monotonic() + seconds
    while True:
        got = staple(server, *options)
        if got == wanted:
            return
        assert time.monotonic() < end, f"{got}, not {wanted}\n" + server.log()
        time.sleep(0.05)


def wait_asked(responder, count, seconds=10):
    end = time.monotonic() + seconds
    while len(responder.asked) < count:
        assert time.monotonic() < end, responder.asked
        time.sleep(0.02)


def test_an_answer_is_stapled(weir, ca, responder):
    ca.issue("a", url=responder.url)
    server = weir(http=site(""))
    wait_staple(server, "good")
    wait_staple(server, "good", "-tls1_2")
    head = responder.heads[0]
    assert head.startswith("GET /")
    assert f"\r\nHost: 127.0.0.1:{responder.port}" in head
    assert len(responder.asked) == 1           # whatever the number of handshakes
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}"], input=b"",
                         capture_output=True)
    assert b"OCSP" not in run.stdout           # nobody asked for it
    assert "no OCSP answer" not in server.log()


def test_each_certificate_has_its_own(weir, ca, responder):
    ca.issue("a", url=responder.url)
    ca.issue("r", url=responder.url, kind="rsa")
    responder.status["r"] = Status("revoked")
    server = weir(http="ssl_stapling on; ssl_trusted_certificate ca.crt; server { listen 127.0.0.1:@PORT@ ssl; "
                       + PAIR.format("a") + PAIR.format("r") + "}")
    wait_staple(server, "good", "-sigalgs", "ECDSA+SHA256")
    wait_asked(responder, 2)
    server.wait_log('certificate status "revoked"')
    assert staple(server, "-sigalgs", "RSA-PSS+SHA256") is None


def test_the_same_question_is_one(weir, ca, responder):
    ca.issue("a", url=responder.url)
    server = weir(http=site("") + "".join(
        f"server {{ listen 127.0.0.1:@PORT@ ssl; server_name {name}; ssl_protocols TLSv1.2; {PAIR.format('a')} }}"
        for name in ("x", "y", "z")))
    wait_staple(server, "good", "-servername", "x")
    wait_staple(server, "good")
    assert responder.asked == ["a"]


def test_thousands_of_certificates_are_no_storm(weir, ca, responder):
    names = [f"n{i}" for i in range(40)]
    now, most = [], []

    def script(conn, der):
        now.append(1)
        most.append(len(now))
        time.sleep(0.1)
        now.pop()
        conn.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n" + der)

    for name in names:
        ca.issue(name, url=responder.url)
    responder.script = script
    weir(http="".join(site("", name, "").replace("ssl;", f"ssl; server_name {name};") for name in names) +
         "ssl_stapling on; ssl_trusted_certificate ca.crt;")
    wait_asked(responder, len(names))
    assert sorted(responder.asked) == sorted(names)
    assert 2 <= max(most) <= 16


def test_responder_of_the_configuration(weir, ca, responder):
    ca.issue("a", url="http://127.0.0.1:1/")
    server = weir(http=site(f"ssl_stapling_responder {responder.url}/some/where;"))
    wait_staple(server, "good")
    assert responder.heads[0].startswith("GET /some/where/")


def test_long_question_is_posted(weir, ca, responder):
    ca.issue("a", url=responder.url + "/x?y=z")
    wait_staple(weir(http=site("")), "good")
    assert responder.heads[0].startswith("POST /x?y=z HTTP/1.0\r\n")
    assert "\r\nContent-Type: application/ocsp-request" in responder.heads[0]


def test_name_of_the_responder_is_resolved(weir, ca, responder):
    ca.issue("a", url=f"http://localhost:{responder.port}")
    wait_staple(weir(http=site("")), "good")


@pytest.mark.parametrize("verify", ["off", "on"])
@pytest.mark.parametrize("status,why", [
    (Status("revoked"), 'certificate status "revoked"'),
    (Status("unknown"), 'certificate status "unknown"'),
    (Status(since=-7200, until=-3600), "not good at this time: status expired"),
    (Status(since=3600, until=7200), "not good at this time: status not yet valid"),
    (Status(since=-7200, until=-60), "out of date"),
    (Status(broken=True), "its signature is not to be trusted"),
    (Status(signer="stranger", attach=False), "its signature is not to be trusted"),
    (Status(other=True), "it is about other certificates"),
    (Status(code=3), "the responder could not answer: trylater"),
], ids=["revoked", "unknown", "expired", "not yet", "just over", "broken", "unsigned", "other", "later"])
def test_answers_that_are_not_shown(weir, ca, responder, status, why, verify):
    ca.root("stranger")
    ca.issue("a", url=responder.url)
    responder.status["a"] = status
    server = weir(http=site(f"ssl_stapling_verify {verify};"))
    server.wait_log(why)
    line = [text for text in server.log().splitlines() if why in text][0]
    assert "[error]" in line and responder.url in line and "a.crt" in line
    assert staple(server) is None


def test_whose_signature_counts(weir, ca, responder):
    """Without ssl_stapling_verify anybody's: clients will judge that."""
    ca.root("stranger")
    ca.issue("delegate", extra="extendedKeyUsage=OCSPSigning")
    ca.issue("other")
    ca.issue("a", url=responder.url)
    responder.status["a"] = Status(signer="stranger")
    server = weir(http=site(""))
    wait_staple(server, "good")
    server.stop()
    for signer, good in (("stranger", False), ("other", False), ("delegate", True)):
        responder.status["a"] = Status(signer=signer)
        (ca.dir / "error.log").unlink(missing_ok=True)
        server = weir(http=site("ssl_stapling_verify on;"))
        if good:
            wait_staple(server, "good")
        else:
            server.wait_log("its signature is not to be trusted")
            assert staple(server) is None
        server.stop()


def test_issuer_comes_from_the_chain(weir, ca, responder):
    ca.issue("int", is_ca=True)
    ca.issue("leaf", "int", url=responder.url)
    ca.join("a", "leaf", "int")
    (ca.dir / "a.key").write_bytes((ca.dir / "leaf.key").read_bytes())
    responder.status["leaf"] = Status(signer="int")
    wait_staple(weir(http=site("ssl_stapling_verify on;", stapling="ssl_stapling on;")), "good")


def test_slow_responder_delays_no_handshake(weir, ca, responder):
    ca.issue("a", url=responder.url)
    responder.delay = 8
    server = weir(http=site(""))
    wait_asked(responder, 1)
    begun = time.monotonic()
    for _ in range(3):
        assert staple(server) is None
    assert time.monotonic() - begun < 6
    wait_staple(server, "good", seconds=15)


def test_responder_that_never_answers(weir, ca, responder):
    ca.issue("a", url=responder.url)
    responder.delay = 60
    server = weir(http=site(""))
    server.wait_log("no answer came in time")
    assert server.log().count("no OCSP answer") == 1


def test_down_and_recovered(weir, ca, responder):
    ca.issue("a", url=responder.url)
    responder.down()
    server = weir(http=site(""), main="error_log error.log notice;")
    server.wait_log("connect() failed (111: Connection refused)")
    assert f"peer: 127.0.0.1:{responder.port}" in server.log()
    time.sleep(1.2)                            # other tries, of which nothing is said
    assert server.log().count("no OCSP answer") == 1
    responder.up()
    wait_staple(server, "good")
    server.wait_log("is stapled again")


def test_short_answers_are_renewed_in_time(weir, ca, responder):
    ca.issue("a", url=responder.url)
    responder.status["a"] = Status(until=4)
    server = weir(http=site(""))
    wait_staple(server, "good")
    end = time.monotonic() + 7
    while time.monotonic() < end:
        assert staple(server) == "good"
        time.sleep(0.1)
    assert 3 <= len(responder.asked) <= 9
    responder.down()                           # what is there is shown to its end, and no longer
    server.wait_log("the former answer is shown until")
    wait_staple(server, None)
    server.wait_log("clients get none meanwhile")


def test_an_answer_without_an_end(weir, ca, responder):
    ca.issue("a", url=responder.url)
    responder.status["a"] = Status(until=None)
    wait_staple(weir(http=site("")), "good")


def test_revoked_later(weir, ca, responder):
    ca.issue("a", url=responder.url)
    responder.status["a"] = Status(until=6)
    server = weir(http=site(""))
    wait_staple(server, "good")
    responder.status["a"] = Status("revoked")
    server.wait_log('certificate status "revoked": the certificate must be replaced')
    assert staple(server) is None


def test_reload_keeps_the_answer(weir, ca, responder):
    ca.issue("a", url=responder.url)
    server = weir(http=site(""), master="on", main="worker_processes 2; error_log error.log notice;")
    wait_staple(server, "good")
    wait_asked(responder, 2)
    time.sleep(0.3)
    responder.down()
    before = server.log()
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("is in use")
    for _ in range(8):
        assert staple(server) == "good"
    assert "no OCSP answer" not in server.log()[len(before):]


def test_reloads_that_switch_it_on_and_off(weir, ca, responder):
    ca.issue("a", url=responder.url)
    responder.status["a"] = Status(until=3)
    responder.delay = 0.2
    server = weir(http=site(""), master="on", main="worker_processes 2; error_log error.log notice;")
    conf = (server.dir / "weir.conf").read_text()
    for i in range(8):
        off = conf.replace("ssl_stapling on", "ssl_stapling off")
        (server.dir / "weir.conf").write_text(conf if i % 2 else off)
        before = server.log().count("is in use")
        server.process.send_signal(signal.SIGHUP)
        while server.log().count("is in use") == before:
            time.sleep(0.02)
        wait_staple(server, "good" if i % 2 else None)


def test_staple_follows_a_renewed_certificate(weir, ca, responder):
    ca.issue("a", url=responder.url)
    ca.issue("b", url=responder.url)
    server = weir(http=site(""), master="on", main="worker_processes 1;")
    wait_staple(server, "good")
    for kind in ("key", "crt"):
        (ca.dir / f"a.{kind}").write_bytes((ca.dir / f"b.{kind}").read_bytes())
    wait_asked(responder, 2)
    assert responder.asked == ["a", "b"]
    wait_staple(server, "good")


@pytest.mark.parametrize("send,why", [
    (lambda c, der: c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(der) + der + b"\r\n0\r\n\r\n"),
     None),
    (lambda c, der: [c.send(bytes([byte])) or time.sleep(0.001) for byte in
                     b"HTTP/1.1 200 OK\nContent-Type: Application/OCSP-Response; x=y\n"
                     b"Content-Length: %d\n\n" % len(der) + der], None),
    (lambda c, der: c.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: "
                           b"application/ocsp-response\r\nContent-Length: %d\r\n\r\n" % len(der) + der) or
     time.sleep(30), None),
    (lambda c, der: c.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + der), "type"),
    (lambda c, der: c.send(b"HTTP/1.1 503 Busy\r\n\r\n" + der), "another status than 200"),
    (lambda c, der: c.send(b"SSH-2.0\r\n\r\n"), "no HTTP"),
    (lambda c, der: c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n"
                           b"Content-Length: 5000\r\n\r\n" + der), "cut off"),
    (lambda c, der: c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n" + der[:-1]),
     "no answer of OCSP"),
    (lambda c, der: c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n" + der + b"x"),
     "no answer of OCSP"),
    (lambda c, der: c.send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200000), "no HTTP"),
    (lambda c, der: c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n" +
                           b"x" * 400000), "too large"),
    (lambda c, der: None, "cut off"),
], ids=["chunked", "bytes", "interim", "type", "status", "garbage", "short", "cut", "more", "head", "body",
        "nothing"])
def test_responses_of_http(weir, ca, responder, send, why):
    ca.issue("a", url=responder.url)
    responder.script = send
    server = weir(http=site(""))
    if why is None:
        wait_staple(server, "good")
        return
    server.wait_log("no OCSP answer")
    assert re.search(f"no OCSP answer[^;]*{why}", server.log()), server.log()
    assert staple(server) is None


# ---- files ----

def write_answer(ca, name, status, file="answer.der"):
    openssl_id = ocsp.openssl("ocsp", "-issuer", ca.dir / "ca.crt", "-cert", ca.dir / f"{name}.crt", "-no_nonce",
                              "-reqout", "/dev/stdout")
    (ca.dir / file).write_bytes(ocsp.answer(ca, ocsp.id_of_request(openssl_id), status))


FILE = "ssl_stapling on; ssl_stapling_file answer.der;"


@pytest.mark.parametrize("status", ["good", "revoked"])
def test_file(weir, ca, status):
    ca.issue("a")
    write_answer(ca, "a", Status(status))
    assert staple(weir(http=site("", stapling=FILE))) == status


def test_file_ends(weir, ca):
    ca.issue("a")
    write_answer(ca, "a", Status(until=4))
    server = weir(http=site("", stapling=FILE))
    assert staple(server) == "good"
    wait_staple(server, None)


def test_file_is_renewed(weir, ca):
    ca.issue("a")
    write_answer(ca, "a", Status())
    server = weir(http=site("", stapling=FILE), master="on", main="worker_processes 1;")
    assert staple(server) == "good"
    write_answer(ca, "a", Status("revoked"), "new.der")
    (ca.dir / "new.der").rename(ca.dir / "answer.der")
    wait_staple(server, "revoked", seconds=3)


def check_conf(folder, http):
    (folder / "t.conf").write_text("events {} http { access_log off; " + http.replace("@PORT@", "8443") + " }")
    run = subprocess.run([BINARY, "-t", "-p", folder, "-c", "t.conf", "-e", "stderr"], capture_output=True,
                         text=True)
    return run.returncode, run.stderr


def test_what_a_person_is_told(ca):
    ca.issue("a")
    ca.issue("b", url="https://ocsp.example/")
    ca.issue("c", url="http://ocsp.example/")
    for name, stapling, text in [
            ("a", "ssl_stapling on; ssl_trusted_certificate ca.crt;", "no OCSP responder URL for certificate"),
            ("b", "ssl_stapling on; ssl_trusted_certificate ca.crt;", "invalid URL prefix for certificate"),
            ("c", "ssl_stapling on;", "issuer certificate not found for certificate")]:
        code, out = check_conf(ca.dir, site("", name, stapling))
        assert code == 0 and f'"ssl_stapling" ignored, {text}' in out and "t.conf:1" in out, out
    assert "warn" not in check_conf(ca.dir, site("", "c"))[1]


def test_mistakes_in_files(ca):
    ca.issue("a")
    ca.issue("b")
    (ca.dir / "answer.der").write_text("no answer")
    code, out = check_conf(ca.dir, site("", "a", FILE))
    assert code == 1 and "there is no OCSP answer in DER form" in out
    write_answer(ca, "b", Status())
    code, out = check_conf(ca.dir, site("", "a", FILE))
    assert code == 0 and "about other certificates" in out
    write_answer(ca, "a", Status(since=-9000, until=-3600))
    code, out = check_conf(ca.dir, site("", "a", FILE))
    assert code == 0 and "is out of date, and not stapled" in out
    write_answer(ca, "a", Status(code=3))
    code, out = check_conf(ca.dir, site("", "a", FILE))
    assert code == 0 and "could not answer" in out
    (ca.dir / "answer.der").unlink()
    code, out = check_conf(ca.dir, site("", "a", FILE))
    assert code == 1 and "cannot load" in out


def test_quit_waits_for_no_responder(weir, ca, responder):
    ca.issue("a", url=responder.url)
    responder.delay = 30
    server = weir(http=site(""), master="on", main="worker_processes 1;")
    wait_asked(responder, 1)
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 3
