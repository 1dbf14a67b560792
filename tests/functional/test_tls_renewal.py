"""Certificates that are renewed on disk are served without a reload; broken ones are not."""
import subprocess
import time

import pytest

from conftest import BINARY
from test_tls import ANSWER, PAIR, Authority, connect, http, pki, pytestmark, served_name  # noqa: F401


@pytest.fixture
def server(weir, pki):
    pki.own("a", subject="old")
    pki.own("b", subject="new")
    return weir(http=http(PAIR + ANSWER % "one"), main="worker_processes 2;", master="on")


def workers(server):
    path = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    return sorted(open(path).read().split())


def replace(pki, key=True):
    if key:
        (pki.dir / "a.key").write_bytes((pki.dir / "b.key").read_bytes())
    (pki.dir / "a.crt").write_bytes((pki.dir / "b.crt").read_bytes())


def wait_name(server, name, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if served_name(server) == name:
            return True
        time.sleep(0.05)
    return False


def ask(s):
    s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return s.recv(65536)


def test_renewed_pair_is_served(server, pki):
    while len(workers(server)) < 2:    # it listens before they are born
        time.sleep(0.02)
    before = workers(server)
    s = connect(server)
    assert b"one" in ask(s)
    replace(pki)
    assert wait_name(server, "new", 2.5)
    assert workers(server) == before
    assert b"one" in ask(s)


def test_edited_configuration_stays_out(server, pki):
    path = server.dir / "weir.conf"
    path.write_text(path.read_text().replace("one", "two"))
    replace(pki)
    assert wait_name(server, "new", 2.5)
    assert b"one" in ask(connect(server))


def test_broken_key_keeps_the_old_one_until_repaired(server, pki):
    (pki.dir / "a.key").write_text("no key\n")
    server.wait_log("stays in use, its certificate is good until")
    server.allow("emerg")
    time.sleep(2)
    assert server.log().count("stays in use") == 1
    assert served_name(server) == "old"
    replace(pki)
    assert wait_name(server, "new", 2.5)


def test_certificate_before_its_key(server, pki):
    replace(pki, key=False)
    server.allow("emerg")
    server.wait_log("is good until")
    assert served_name(server) == "old"
    replace(pki)
    assert wait_name(server, "new", 2.5)



@pytest.mark.parametrize("days, warns", [(5, True), (60, False)])
def test_end_that_comes_near(pki, days, warns):
    pki.own("a", days=days)
    site = http(PAIR).replace("@PORT@", "1").replace("@DIR@", str(pki.dir))
    (pki.dir / "logs").mkdir()
    (pki.dir / "t.conf").write_text("events {}\nhttp { %s }\n" % site)
    run = subprocess.run([BINARY, "-t", "-p", pki.dir, "-c", "t.conf"], capture_output=True)
    assert run.returncode == 0 and (b"renew it" in run.stderr) == warns
    assert not warns or (b"[warn]" in run.stderr and b"t.conf:" in run.stderr)
