"""Certificates that are renewed on disk are served without a reload; broken ones are not."""
import re
import signal
import subprocess
import threading
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


def replace(pki, key=True, to="a"):
    if key:
        (pki.dir / f"{to}.key").write_bytes((pki.dir / "b.key").read_bytes())
    (pki.dir / f"{to}.crt").write_bytes((pki.dir / "b.crt").read_bytes())


def wait_name(server, name, seconds, port=None):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if served_name(server, port=port) == name:
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


# ---- one pair of several -----------------------------------------------------------------------

TWO = (PAIR + ANSWER % "one" + "}" + "server { listen 127.0.0.1:@PORT2@ ssl; ssl_certificate c.crt; "
       "ssl_certificate_key c.key;" + ANSWER % "two")


@pytest.mark.parametrize("master", ["on", "off"])
def test_broken_pair_is_named_and_holds_no_other(weir, pki, master):
    for name, subject in (("a", "old"), ("b", "new"), ("c", "old")):
        pki.own(name, subject=subject)
    s = weir(http=http(TWO), main="worker_processes 2;", master=master)
    (pki.dir / "a.key").write_text("no key\n")
    replace(pki, to="c")
    assert wait_name(s, "new", 2.5, port=s.port_of("@PORT2@"))
    assert served_name(s) == "old"
    s.allow("cannot load key")
    s.wait_log("stays in use")
    kept = [line for line in s.log().splitlines() if "stays in use" in line]
    assert len(kept) == 1 and "a.crt" in kept[0] and "is good until" in kept[0]
    assert "cannot load key" in s.log() and "c.crt" not in s.log().split("stays in use")[1]
    replace(pki)
    assert wait_name(s, "new", 2.5)


def test_without_a_master(weir, pki):
    pki.own("a", subject="old")
    pki.own("b", subject="new")
    s = weir(http=http(PAIR + ANSWER % "one"))
    c = connect(s)
    assert b"one" in ask(c)
    replace(pki)
    assert wait_name(s, "new", 2.5)
    assert b"one" in ask(c)
    s.process.send_signal(signal.SIGHUP)
    pki.own("b", subject="newer")
    replace(pki)
    assert wait_name(s, "newer", 2.5)


def test_broken_ca_of_peers_holds_nobody(weir, pki):
    for name, subject in (("a", "old"), ("b", "new"), ("ca", "ca")):
        pki.own(name, subject=subject)
    s = weir(http=http(PAIR + "location / { proxy_pass https://127.0.0.1:@PORT@/x; proxy_ssl_verify on; "
                       "proxy_ssl_trusted_certificate ca.crt; }"), master="on")
    (pki.dir / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\nnothing\n")
    replace(pki)
    assert wait_name(s, "new", 2.5)
    s.allow("cannot load certificate")
    s.wait_log("stays in use")
    assert "ca.crt\" stays in use, its certificate is good until" in s.log()
    assert s.log().count("stays in use") == 1


# ---- the moments in between --------------------------------------------------------------------

class Watcher(threading.Thread):
    """Asks for the certificate all the time: whom it is of, and whether its key fits."""
    def __init__(self, server):
        super().__init__()
        self.server, self.names, self.over = server, [], False
        self.start()

    def run(self):
        while not self.over:
            try:
                name = served_name(self.server)
            except OSError as e:
                name = str(e)
            if name not in self.names[-1:]:
                self.names.append(name)
            time.sleep(0.03)

    def end(self):
        self.over = True
        self.join()
        return self.names


def put(path, content):
    """As careful programs do: the new file takes the old one's place at once."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.rename(path)


def link(path, to):
    new = path.with_name(path.name + ".new")
    new.symlink_to(to)
    new.rename(path)


def two_renames(d, wait):
    for ending in ("crt", "key"):
        put(d / f"a.{ending}", (d / f"b.{ending}").read_bytes())
        wait()


def written_in_place(d, wait):
    """As acme.sh does, the key first; and a writer that is slow."""
    for ending in ("key", "crt"):
        content = (d / f"b.{ending}").read_bytes()
        with open(d / f"a.{ending}", "wb") as f:
            f.write(content[:100])
            f.flush()
            wait()
            f.write(content[100:])
        wait()


def away_for_a_moment(d, wait):
    for ending in ("crt", "key"):
        (d / f"a.{ending}").unlink()
    wait()
    two_renames(d, wait)


def links_of_certbot(d, wait):
    """live/ has links to the files in archive/, and each is swapped by itself."""
    for ending in ("crt", "key"):
        link(d / f"a.{ending}", f"archive/new.{ending}")
        wait()


def links_of_kubernetes(d, wait):
    """The links in the folder stay, the one they lead through is swapped."""
    link(d / "..data", "new")
    wait()


def lay_out(d, swap):
    if swap is links_of_certbot:
        (d / "archive").mkdir()
        for name, to in (("a", "old"), ("b", "new")):
            for ending in ("crt", "key"):
                (d / f"{name}.{ending}").rename(d / "archive" / f"{to}.{ending}")
        for ending in ("crt", "key"):
            (d / f"a.{ending}").symlink_to(f"archive/old.{ending}")
    if swap is links_of_kubernetes:
        for name, to in (("a", "old"), ("b", "new")):
            (d / to).mkdir()
            for ending in ("crt", "key"):
                (d / f"{name}.{ending}").rename(d / to / f"a.{ending}")
        (d / "..data").symlink_to("old")
        for ending in ("crt", "key"):
            (d / f"a.{ending}").symlink_to(f"..data/a.{ending}")


@pytest.mark.parametrize("pause", [0, 2.5])
@pytest.mark.parametrize("swap", [two_renames, written_in_place, away_for_a_moment, links_of_certbot,
                                  links_of_kubernetes])
def test_no_moment_in_between_shows(weir, pki, swap, pause):
    pki.own("a", subject="old")
    pki.own("b", subject="new")
    lay_out(pki.dir, swap)
    s = weir(http=http(PAIR + ANSWER % "one"), main="worker_processes 2;", master="on")
    watcher = Watcher(s)
    swap(pki.dir, lambda: time.sleep(pause))
    good = wait_name(s, "new", 2.5)
    time.sleep(0.5)
    assert watcher.end() == ["old", "new"] and good
    assert not re.search(r"\[(warn|error|crit|alert|emerg)\]", s.log()), s.log()


# ---- ends that come near -----------------------------------------------------------------------

@pytest.mark.parametrize("days, warns", [(5, True), (60, False)])
def test_end_that_comes_near(pki, days, warns):
    pki.own("a", days=days)
    site = http(PAIR).replace("@PORT@", "1").replace("@DIR@", str(pki.dir))
    (pki.dir / "logs").mkdir()
    (pki.dir / "t.conf").write_text("events {}\nhttp { %s }\n" % site)
    run = subprocess.run([BINARY, "-t", "-p", pki.dir, "-c", "t.conf"], capture_output=True)
    assert run.returncode == 0 and (b"renew it" in run.stderr) == warns
    assert not warns or (b"[warn]" in run.stderr and b"t.conf:" in run.stderr)


def test_end_is_told_at_start_and_reload(weir, pki):
    pki.own("a", days=5)
    s = weir(http=http(PAIR + ANSWER % "one"), main="worker_processes 2; error_log error.log notice;",
             master="on")
    s.wait_log("configuration 1 is in use")
    assert s.log().count("renew it") == 1 and s.texts().count("renew it") == 2     # the terminal, too
    s.process.send_signal(signal.SIGHUP)
    s.wait_log("configuration 2 is in use")
    assert s.log().count("renew it") == 2
