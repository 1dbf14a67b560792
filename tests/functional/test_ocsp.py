"""Clients' certificates: whether they were taken back is asked of OCSP responders."""
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import Response
from ocsp import Authority, Responder, Status
from test_stapling import ca, check_conf, responder, wait_asked      # noqa: F401
from test_tls import connect, context, exchange, pytestmark          # noqa: F401

RULES = ("ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate ca.crt; ssl_ocsp leaf; "
         "ssl_certificate own.crt; ssl_certificate_key own.key;")
INSIDE = ("add_header X-Verify $ssl_client_verify:$ssl_session_reused always; "
          "location / { return 200 ok; }")
FAILED = "FAILED:certificate status request failed:."


def site(extra="", rules=RULES):
    return f"{rules} {extra} server {{ listen 127.0.0.1:@PORT@ ssl; {INSIDE} }}"


@pytest.fixture
def own(ca):                                                        # noqa: F811
    ca.issue("own")
    return ca


def client(ca, name, **options):                                    # noqa: F811
    c = context(**options)
    if name:
        c.load_cert_chain(ca.dir / f"{name}.crt", ca.dir / f"{name}.key")
    return c


def ask(server, ctx, host="localhost", name=None, session=None, keep=None):
    with connect(server, name, ctx=ctx, session=session) as s:
        response = Response(exchange(s, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()))
        if keep is not None:
            keep.append(s.session)
        return response.status, response.header("x-verify"), response.body


def verdict(*args, **options):
    return ask(*args, **options)[:2]


@pytest.mark.parametrize("status,wanted,log", [
    (Status(), (200, "SUCCESS:."), None),
    (Status(until=None), (200, "SUCCESS:."), None),
    (Status(signer="delegate"), (200, "SUCCESS:."), None),
    (Status("revoked"), (400, "FAILED:certificate revoked:."), None),
    (Status("unknown"), (400, "FAILED:certificate status unknown:."), None),
    (Status(since=-7200, until=-3600), (400, FAILED), "not good at this time: status expired"),
    (Status(broken=True), (400, FAILED), "its signature is not to be trusted"),
    (Status(signer="stranger"), (400, FAILED), "its signature is not to be trusted"),
    (Status(signer="other"), (400, FAILED), "its signature is not to be trusted"),
    (Status(other=True), (400, FAILED), "it is about other certificates"),
    (Status(code=6), (400, FAILED), "the responder could not answer: unauthorized"),
], ids=["good", "endless", "delegate", "revoked", "unknown", "expired", "broken", "stranger", "other's",
        "another", "unauthorized"])
def test_verdicts(weir, own, responder, status, wanted, log):       # noqa: F811
    own.root("stranger")
    own.issue("other")
    own.issue("delegate", extra="extendedKeyUsage=OCSPSigning")
    own.issue("a", url=responder.url)
    responder.status["a"] = status
    server = weir(http=site())
    code, verify, body = ask(server, client(own, "a"))
    assert (code, verify) == wanted
    assert responder.asked == ["a"]
    if code == 400:
        assert b"The SSL certificate error" in body
    if log:
        assert log in server.log() and responder.url in server.log() and "client: 127.0.0.1" in server.log()


def test_without_a_responder(weir, own):
    own.issue("a")
    server = weir(http=site())
    assert verdict(server, client(own, "a")) == (400, FAILED)
    assert "no OCSP responder URL in the certificate" in server.log()


def test_responder_of_the_configuration(weir, own, responder):      # noqa: F811
    own.issue("a", url="http://127.0.0.1:1")
    server = weir(http=site(f"ssl_ocsp_responder {responder.url}/x/;"))
    assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")
    assert responder.heads[0].startswith("GET /x/")


def test_responder_that_is_down_and_up_again(weir, own, responder):  # noqa: F811
    own.issue("a", url=responder.url)
    responder.down()
    server = weir(http=site())
    assert verdict(server, client(own, "a")) == (400, FAILED)
    assert "connect() failed (111: Connection refused)" in server.log()
    responder.up()
    assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")


def test_responder_that_never_answers(weir, own, responder):        # noqa: F811
    own.issue("a", url=responder.url)
    responder.delay = 60
    server = weir(http=site())
    begun = time.monotonic()
    assert verdict(server, client(own, "a")) == (400, FAILED)
    assert 9 < time.monotonic() - begun < 15
    assert "no answer came in time" in server.log()


def test_the_handshake_has_its_own_limit(weir, own, responder):     # noqa: F811
    own.issue("a", url=responder.url)
    responder.delay = 3
    server = weir(http=site("client_header_timeout 1s;"))
    with connect(server, ctx=client(own, "a")) as s:
        assert exchange(s, b"GET / HTTP/1.0\r\n\r\n") == b""


def test_nobody_else_waits(weir, own, responder):                   # noqa: F811
    own.issue("slow", url=responder.url)
    own.issue("fast", url="http://127.0.0.1:1")
    responder.delay = 8
    with_fast = Responder(own)
    server = weir(http=site(f"ssl_ocsp_responder {responder.url};") +
                  f" server {{ listen 127.0.0.1:@PORT2@ ssl; ssl_ocsp_responder {with_fast.url}; {INSIDE} }}")
    results = []
    waiting = threading.Thread(target=lambda: results.append(verdict(server, client(own, "slow"))))
    waiting.start()
    wait_asked(responder, 1)
    begun = time.monotonic()
    for _ in range(5):
        with connect(server, ctx=client(own, "fast"), port=server.port_of("@PORT2@")) as s:
            assert Response(exchange(s, b"GET / HTTP/1.0\r\n\r\n")).status == 200
    assert time.monotonic() - begun < 6 and not results
    waiting.join()
    assert results == [(200, "SUCCESS:.")]
    with_fast.stop()


def test_clients_that_leave_meanwhile(weir, own, responder):        # noqa: F811
    own.issue("a", url=responder.url)
    responder.delay = 0.5
    server = weir(http=site())
    for _ in range(5):
        connect(server, ctx=client(own, "a")).close()
    abrupt = connect(server, ctx=client(own, "a"))
    abrupt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    abrupt.close()
    time.sleep(1)
    assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")


@pytest.mark.parametrize("mode,wanted,asked", [
    ("leaf", (200, "SUCCESS:."), ["a"]),
    ("on", (400, "FAILED:certificate revoked:."), ["a", "int"]),
])
def test_leaf_or_all(weir, own, responder, mode, wanted, asked):    # noqa: F811
    own.issue("int", url=responder.url, is_ca=True)
    own.issue("a", "int", url=responder.url)
    own.join("chain", "a", "int")
    (own.dir / "chain.key").write_bytes((own.dir / "a.key").read_bytes())
    responder.status = {"a": Status(signer="int"), "int": Status("revoked")}
    server = weir(http=site(rules=RULES.replace("leaf", mode)))
    assert verdict(server, client(own, "chain")) == wanted
    assert responder.asked == asked
    responder.status["int"] = Status()
    assert verdict(server, client(own, "chain")) == (200, "SUCCESS:.")
    responder.status["a"] = Status(signer="ca")         # above its issuer is not its issuer
    assert verdict(server, client(own, "chain")) == (400, FAILED)


def test_a_certificate_that_is_trusted_itself(weir, own):
    server = weir(http=site())
    assert verdict(server, client(own, "ca")) == (200, "SUCCESS:.")


def test_optional(weir, own, responder):                            # noqa: F811
    own.issue("a", url=responder.url)
    own.root("stranger")
    server = weir(http=site(rules=RULES.replace("client on", "client optional")))
    assert verdict(server, client(own, None)) == (200, "NONE:.")
    status, verify = verdict(server, client(own, "stranger"))
    assert status == 400 and verify.startswith("FAILED:self")
    assert responder.asked == []
    responder.status["a"] = Status("revoked")
    assert verdict(server, client(own, "a")) == (400, "FAILED:certificate revoked:.")


def test_cache_is_shared_by_workers(weir, own, responder):          # noqa: F811
    own.issue("a", url=responder.url)
    own.issue("b", url=responder.url)
    responder.status["b"] = Status("revoked")
    server = weir(http=site("ssl_ocsp_cache shared:o:64k;"), master="on", main="worker_processes 2;")
    assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")
    assert verdict(server, client(own, "b")) == (400, "FAILED:certificate revoked:.")
    responder.down()
    for _ in range(10):
        assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")
        assert verdict(server, client(own, "b")) == (400, "FAILED:certificate revoked:.")
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")
    assert responder.asked == ["a", "b"]


def test_cached_verdicts_end(weir, own, responder):                 # noqa: F811
    own.issue("a", url=responder.url)
    responder.status["a"] = Status(until=3)
    server = weir(http=site("ssl_ocsp_cache shared:o:64k;"))
    assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")
    assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")
    responder.status["a"] = Status("revoked")
    time.sleep(3.2)
    assert verdict(server, client(own, "a")) == (400, "FAILED:certificate revoked:.")
    assert responder.asked == ["a", "a"]


def test_failures_are_not_cached(weir, own, responder):             # noqa: F811
    own.issue("a", url=responder.url)
    responder.status["a"] = Status(code=3)
    server = weir(http=site("ssl_ocsp_cache shared:o:64k;"))
    assert verdict(server, client(own, "a")) == (400, FAILED)
    responder.status["a"] = Status()
    assert verdict(server, client(own, "a")) == (200, "SUCCESS:.")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumed_sessions_are_asked_about(weir, own, responder, version):      # noqa: F811
    own.issue("a", url=responder.url)
    server = weir(http=site("ssl_session_cache shared:s:1m;"))
    ctx, kept = client(own, "a", maximum_version=version), []
    assert verdict(server, ctx, keep=kept) == (200, "SUCCESS:.")
    assert verdict(server, ctx, session=kept[0]) == (200, "SUCCESS:r")
    responder.status["a"] = Status("revoked")
    assert verdict(server, ctx, session=kept[0]) == (400, "FAILED:certificate revoked:r")


def test_http2(weir, own, responder):                               # noqa: F811
    own.issue("a", url=responder.url)
    responder.delay = 0.3
    server = weir(http=site("http2 on;"))
    run = ["curl", "-sk", "--http2", "--cert", own.dir / "a.crt", "--key", own.dir / "a.key", "-o", "/dev/null",
           "-w", "%{http_version} %{http_code}", f"https://127.0.0.1:{server.port}/"]
    assert subprocess.run(run, capture_output=True).stdout == b"2 200"
    responder.status["a"] = Status("revoked")
    assert subprocess.run(run, capture_output=True).stdout == b"2 400"


def test_other_rules_are_no_way_around(weir, own, responder):       # noqa: F811
    own.issue("a", url=responder.url)
    responder.status["a"] = Status("revoked")
    server = weir(http=site().replace("ssl_ocsp leaf;", "") + f"server {{ listen 127.0.0.1:@PORT@ ssl; "
                  f"server_name strict; ssl_ocsp leaf; {INSIDE} }}")
    ctx = client(own, "a")
    assert ask(server, ctx)[0] == 200
    assert ask(server, ctx, name="strict", host="strict")[:2] == (400, "FAILED:certificate revoked:.")
    assert ask(server, ctx, host="strict")[0] == 421


def test_many_at_once(weir, own, responder):                        # noqa: F811
    own.issue("a", url=responder.url)
    responder.delay = 0.2
    server = weir(http=site())
    results, ctx = [], client(own, "a")
    threads = [threading.Thread(target=lambda: results.append(verdict(server, ctx))) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [(200, "SUCCESS:.")] * 30


def test_reload_while_a_client_is_checked(weir, own, responder):    # noqa: F811
    own.issue("a", url=responder.url)
    responder.delay = 1
    server = weir(http=site(), master="on", main="worker_processes 1;")
    results = []
    t = threading.Thread(target=lambda: results.append(verdict(server, client(own, "a"))))
    t.start()
    wait_asked(responder, 1)
    server.process.send_signal(signal.SIGHUP)
    t.join()
    assert results == [(200, "SUCCESS:.")]


@pytest.mark.parametrize("extra,rules,text", [
    ("", RULES.replace("client on", "client optional_no_ca"),
     '"ssl_ocsp" is incompatible with "ssl_verify_client optional_no_ca"'),
    ("ssl_ocsp_responder https://x/;", RULES, 'invalid URL prefix in OCSP responder "https://x/"'),
    ("ssl_ocsp_responder http:///x;", RULES, 'no host in OCSP responder'),
    ("ssl_ocsp_responder http://x:0/;", RULES, 'invalid port in OCSP responder'),
    ("ssl_ocsp_cache builtin;", RULES, 'invalid OCSP cache "builtin"'),
    ("ssl_ocsp_cache shared:x;", RULES, 'invalid zone size'),
    ("ssl_session_cache shared:x:1m; ssl_ocsp_cache shared:x:1m;", RULES, 'something else already'),
])
def test_mistakes(own, extra, rules, text):
    code, out = check_conf(own.dir, site(extra, rules))
    assert code == 1 and text in out, out


def test_nothing_to_check(own):
    code, out = check_conf(own.dir, site(rules=RULES.replace("client on", "client off")))
    assert code == 0 and '"ssl_ocsp" has nothing to check' in out
