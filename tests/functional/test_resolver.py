"""The resolver: names in proxy_pass that variables give, against a name server that is scripted."""
import random
import socket
import subprocess
import threading
import time

import pytest

from conftest import BINARY, free_port
from fake_dns import DROP, NameServer, free_address, needs_namespace, own_files, record, reply
from peers import Peer, forever, ok


@pytest.fixture
def dns():
    servers = []

    def start(*args, **kwargs):
        servers.append(NameServer(*args, **kwargs))
        return servers[-1]

    yield start
    for s in servers:
        s.stop()


@pytest.fixture
def peer():
    p = Peer(forever(ok(b"peer")))
    yield p
    p.stop()


def conf(port, *servers, options="", timeout="5s", more=""):
    addresses = " ".join(f"127.0.0.1:{s.port if hasattr(s, 'port') else s}" for s in servers)
    return (f"location / {{ resolver {addresses} {options}; resolver_timeout {timeout};\n"
            f"proxy_pass http://$arg_h:{port}; proxy_connect_timeout 5s; {more}\n"
            "add_header X-Peers $upstream_addr always; }")


def status(server, name):
    return server.get(f"/?h={name}").status


def test_name_is_kept_for_its_ttl(weir, dns, peer):
    d = dns({"a.test": {"A": ["127.0.0.1"]}}, ttl=1)
    s = weir(conf(peer.port, d))
    for _ in range(5):
        assert s.get("/?h=A.Test").body == b"peer"
    assert sorted(q.type for q in d.queries) == ["A", "AAAA"]
    time.sleep(1.1)
    assert status(s, "a.test") == 200
    assert len(d.queries) == 4
    assert peer.requests[0].startswith(b"GET /?h=A.Test HTTP/1.1\r\nHost: A.Test:")


def test_valid_overrules_the_ttl(weir, dns, peer):
    d = dns({"a.test": {"A": ["127.0.0.1"]}}, ttl=1)
    s = weir(conf(peer.port, d, options="valid=30s ipv6=off"))
    status(s, "a.test")
    time.sleep(1.2)
    assert status(s, "a.test") == 200
    assert [q.type for q in d.queries] == ["A"]


def test_ids_and_ports_differ(weir, dns, peer):
    names = {f"n{i}.test": {"A": ["127.0.0.1"]} for i in range(40)}
    d = dns(names)
    s = weir(conf(peer.port, d, options="ipv6=off"))
    for name in names:
        assert status(s, name) == 200
    assert len({q.id for q in d.queries}) > 35
    assert len({q.port for q in d.queries}) > 30


def test_alias_that_the_server_does_not_follow(weir, dns, peer):
    d = dns({"a.test": {"CNAME": "b.test", "lame": True}, "b.test": {"CNAME": "c.test", "lame": True},
             "c.test": {"A": ["127.0.0.1"]}})
    s = weir(conf(peer.port, d))
    assert status(s, "a.test") == 200
    assert status(s, "a.test") == 200
    assert len(d.asked("c.test")) == 2


def test_alias_loop_ends(weir, dns, peer):
    d = dns({"a.test": {"CNAME": "b.test", "lame": True}, "b.test": {"CNAME": "a.test", "lame": True}})
    s = weir(conf(peer.port, d))
    assert status(s, "a.test") == 502
    assert "a.test could not be resolved (3: Host not found)" in s.log()
    assert len(d.queries) <= 2 * 52


def test_failures_are_told_and_not_kept(weir, dns, peer):
    d = dns({"servfail.test": 2, "refused.test": 5})
    s = weir(conf(peer.port, d))
    assert status(s, "none.test") == 502
    assert status(s, "servfail.test") == 502
    assert status(s, "refused.test") == 502
    for text in ("none.test could not be resolved (3: Host not found)",
                 "servfail.test could not be resolved (2: Server failure)",
                 "refused.test could not be resolved (5: Operation refused)"):
        assert text in s.log()
    d.records["none.test"] = {"A": ["127.0.0.1"]}
    assert status(s, "none.test") == 200


@pytest.mark.parametrize("name", ["a..test", ".", "x" * 70 + ".test", "a" * 300])
def test_impossible_names(weir, dns, peer, name):
    d = dns({})
    s = weir(conf(peer.port, d))
    assert status(s, name) == 502
    assert d.queries == []


def test_address_needs_no_name_server(weir, dns, peer):
    d = dns({})
    s = weir(conf(peer.port, d))
    assert status(s, "127.0.0.1") == 200
    assert d.queries == []


def test_many_addresses_all_are_tried_and_take_turns(weir, dns, peer):
    """127.0.0.2 and 3 refuse; who comes next begins with another address."""
    d = dns({"a.test": {"A": ["127.0.0.2", "127.0.0.1", "127.0.0.3"]}})
    s = weir(conf(peer.port, d, options="ipv6=off"))
    seen = set()
    for _ in range(30):
        r = s.get("/?h=a.test")
        assert r.status == 200
        seen.add(r.header("x-peers").split(",")[0])
    assert len(seen) == 3


def test_long_answer_by_tcp(weir, dns, peer):
    many = [f"127.0.0.{i}" for i in range(1, 200)]
    d = dns({"big.test": {"A": many, "AAAA": ["::1"] * 100}})
    s = weir(conf(peer.port, d))
    assert status(s, "big.test") in (200, 502)
    assert {(q.type, q.by) for q in d.queries} == {("A", "udp"), ("AAAA", "udp"), ("A", "tcp"),
                                                  ("AAAA", "tcp")}
    assert "could not be resolved" not in s.log()


def test_truncated_and_no_tcp(weir, dns, peer):
    """The next server is asked in time."""
    bad = dns({}, script=lambda q: [reply(q, truncated=True)], tcp=False)
    good = dns({"a.test": {"A": ["127.0.0.1"]}})
    s = weir(conf(peer.port, bad, good, options="ipv6=off", timeout="10s"))
    assert status(s, "a.test") == 200
    assert status(s, "a.test") == 200


def test_server_that_is_not_there(weir, dns, peer):
    good = dns({f"n{i}.test": {"A": ["127.0.0.1"]} for i in range(6)})
    s = weir(conf(peer.port, free_port(), good, free_port()))
    begin = time.monotonic()
    for i in range(6):
        assert status(s, f"n{i}.test") == 200
    assert time.monotonic() - begin < 1.5


def test_silent_server(weir, dns, peer):
    """Costs one wait, and is asked last for a while."""
    silent = dns({}, script=lambda q: DROP)
    good = dns({f"n{i}.test": {"A": ["127.0.0.1"]} for i in range(8)})
    s = weir(conf(peer.port, silent, good, timeout="10s"))
    begin = time.monotonic()
    for i in range(8):
        assert status(s, f"n{i}.test") == 200
    assert time.monotonic() - begin < 4
    assert len(silent.queries) <= 4


@pytest.mark.parametrize("bad", [
    lambda q: [reply(q)[:7] + b"\x09" + reply(q)[8:]], lambda q: [reply(q, truncated=True)],
], ids=["malformed", "truncated"])
def test_answers_that_tell_nothing(weir, dns, peer, bad):
    """They are no word on whether there is such a name."""
    s = weir(conf(peer.port, dns({}, script=bad)))
    assert status(s, "a.test") == 502
    assert "a.test could not be resolved (2: Server failure)" in s.log()


def test_lost_datagram_is_sent_again(weir, dns, peer):
    lost = []

    def script(q):
        if q.type == "A" and not lost:
            lost.append(q)
            return DROP
    d = dns({"a.test": {"A": ["127.0.0.1"]}}, script=script)
    s = weir(conf(peer.port, d))
    assert status(s, "a.test") == 200
    assert len(d.asked("a.test", "A")) == 2 and len(d.asked("a.test", "AAAA")) == 1


def test_timeout(weir, dns, peer):
    d = dns({}, script=lambda q: DROP)
    s = weir(conf(peer.port, d, timeout="500ms"))
    begin = time.monotonic()
    assert status(s, "a.test") == 502
    assert 0.4 < time.monotonic() - begin < 2
    assert "a.test could not be resolved (110: Operation timed out)" in s.log()


def test_slow_answer_is_kept_for_the_next(weir, dns, peer):
    d = dns({"a.test": {"A": ["127.0.0.1"]}}, script=lambda q: 1.0)
    s = weir(conf(peer.port, d, timeout="300ms"))
    assert status(s, "a.test") == 502
    time.sleep(1.2)
    assert status(s, "a.test") == 200
    assert len(d.queries) == 2


def test_forged_replies_are_ignored(weir, dns, peer):
    """Wrong ids, another name, another type, a question, rubbish: the right one counts."""
    def script(q):
        if q.type != "A":
            return None
        evil = [record(q.name, "A", 600, "127.0.0.9")]
        wrong = [reply(q, evil, id=(q.id + i) & 0xffff) for i in range(1, 50)]
        wrong += [reply(q, evil, name="b.test"), reply(q, evil, name="A.TEST"),
                  reply(q._replace(type="AAAA"), evil), q.raw, b"", b"\0" * 12, q.raw[:7]]
        return wrong + [reply(q, [record(q.name, "A", 60, "127.0.0.1")])]
    d = dns({}, script=script)
    d.records["a.test"] = {}
    s = weir(conf(peer.port, d))
    assert status(s, "a.test") == 200
    assert s.get("/?h=a.test").header("x-peers") == f"127.0.0.1:{peer.port}"


def test_records_of_other_names_are_ignored(weir, dns, peer):
    def script(q):
        if q.type == "A":
            return [reply(q, [record("other.test", "A", 60, "127.0.0.9"),
                              record(q.name, "A", 60, "127.0.0.1")])]
    d = dns({"a.test": {}}, script=script)
    s = weir(conf(peer.port, d))
    assert s.get("/?h=a.test").header("x-peers") == f"127.0.0.1:{peer.port}"


def test_rubbish_in_replies(weir, dns, peer):
    chooser = random.Random(4)

    def script(q):
        good = reply(q, [record(q.name, "CNAME", 9, "b.test"), record("b.test", q.type, 60, {
            "A": "127.0.0.1", "AAAA": "::1"}[q.type])])
        bad = bytearray(good)
        for _ in range(chooser.randrange(1, 6)):
            bad[chooser.randrange(12, len(bad))] = chooser.randrange(256)
        return [bytes(bad[:chooser.randrange(12, len(bad) + 1)])]
    d = dns({}, script=script)
    s = weir(conf(peer.port, d, timeout="100ms"))
    for i in range(60):
        assert status(s, f"n{i}.test") in (200, 502, 504)


def test_simultaneous_requests_ask_once(weir, dns, peer):
    d = dns({"a.test": {"A": ["127.0.0.1"]}}, script=lambda q: 0.3)
    s = weir(conf(peer.port, d))
    got = []
    threads = [threading.Thread(target=lambda: got.append(status(s, "a.test"))) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert got == [200] * 30
    assert len(d.queries) == 2


def test_many_names_at_once(weir, dns, peer):
    """More than may be under way at a time: the others get their turn."""
    names = [f"n{i}.test" for i in range(600)]
    peer.listener.listen(1024)
    d = dns({name: {"A": ["127.0.0.1"]} for name in names}, script=lambda q: 0.2)
    s = weir(conf(peer.port, d, options="ipv6=off", timeout="20s"), main="worker_rlimit_nofile 8192;",
             events="worker_connections 4096;")
    socks = []
    for name in names:
        c = s.connect(30)
        c.sendall(f"GET /?h={name} HTTP/1.0\r\n\r\n".encode())
        socks.append(c)
    for c in socks:
        data = c.recv(65536)
        assert data.startswith(b"HTTP/1.1 200"), data
        c.close()
    assert len({q.name for q in d.queries}) == 600


def test_client_that_leaves(weir, dns, peer):
    d = dns({"a.test": {"A": ["127.0.0.1"]}}, script=lambda q: 0.5)
    s = weir(conf(peer.port, d))
    for _ in range(20):
        c = s.connect()
        c.sendall(b"GET /?h=a.test HTTP/1.1\r\nHost: h\r\n\r\n")
        d.wait_for("a.test")
        c.close()
    assert status(s, "a.test") == 200
    assert len(d.queries) == 2 and peer.connections == 1


def test_reload_and_end_with_questions_under_way(weir, dns, peer):
    d = dns({"a.test": {"A": ["127.0.0.1"]}}, script=lambda q: 0.8)
    s = weir(conf(peer.port, d), master="on")
    got = []
    threads = [threading.Thread(target=lambda: got.append(status(s, "a.test"))) for _ in range(8)]
    for t in threads:
        t.start()
    d.wait_for("a.test")
    s.process.send_signal(1)
    for t in threads:
        t.join()
    assert got == [200] * 8
    before = len(d.queries)
    assert status(s, "a.test") == 200
    assert len(d.queries) == before            # what is known stays over a reload
    c = s.connect()
    c.sendall(b"GET /?h=b.test HTTP/1.1\r\nHost: h\r\n\r\n")
    d.wait_for("b.test")
    s.stop()


def test_name_server_changes_with_a_reload(weir, dns, peer):
    one = dns({"a.test": {"A": ["127.0.0.9"]}})
    two = dns({"a.test": {"A": ["127.0.0.1"]}})
    s = weir(conf(peer.port, one), master="on")
    assert status(s, "a.test") == 502
    s.write_conf((s.dir / "weir.conf").read_text().replace(str(one.port), str(two.port)))
    s.process.send_signal(1)
    end = time.monotonic() + 10
    while status(s, "a.test") != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("line,message", [
    ("resolver;", "invalid number of arguments"),
    ("resolver valid=5s;", "no name servers defined"),
    ("resolver 127.0.0.1 valid=x;", "invalid parameter: valid=x"),
    ("resolver 127.0.0.1 ipv6=maybe;", "invalid parameter: ipv6=maybe"),
    ("resolver 127.0.0.1 ipv4=off ipv6=off;", '"ipv4" and "ipv6" cannot both be "off"'),
    ("resolver 127.0.0.1:0;", 'invalid port in resolver "127.0.0.1:0"'),
    ("resolver no-such-host.invalid;", 'host not found in resolver "no-such-host.invalid"'),
    ("resolver 127.0.0.1; resolver 127.0.0.2;", "is duplicate"),
    ("resolver_timeout soon;", "invalid value"),
])
def test_mistakes(tmp_path, line, message):
    (tmp_path / "weir.conf").write_text("events {} http { %s }" % line)
    r = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", "weir.conf"], capture_output=True,
                       text=True)
    assert r.returncode == 1 and message in r.stderr


@needs_namespace
def test_resolv_conf_without_a_resolver(tmp_path, peer):
    """Servers, search and hosts of this machine's files; changes count without a reload."""
    address, port = free_address(), free_port()
    (tmp_path / "resolv.conf").write_text(f"search none.test inside.test\nnameserver {address}\n")
    (tmp_path / "hosts").write_text("127.0.0.1 by-hosts\n")
    (tmp_path / "weir.conf").write_text(
        "daemon off; master_process off; error_log error.log; pid weir.pid; events {}"
        "http { access_log off; server {"
        f"listen 127.0.0.1:{port}; location / {{ proxy_pass http://$arg_h:{peer.port}; }} }} }}")
    with NameServer({"short.inside.test": {"A": ["127.0.0.1"]}, "full.test": {"A": ["127.0.0.1"]}},
                    port=53, address=address) as d:
        process = subprocess.Popen(own_files(tmp_path, [BINARY, "-p", str(tmp_path), "-c", "weir.conf"]))

        def get(name):
            with socket.create_connection(("127.0.0.1", port), 10) as c:
                c.sendall(f"GET /?h={name} HTTP/1.0\r\n\r\n".encode())
                return c.recv(65536)[9:12]
        try:
            end = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < end
                    time.sleep(0.02)
            assert get("by-hosts") == b"200" and d.queries == []
            assert get("full.test") == b"200"
            assert get("short") == b"200"
            assert d.asked("short.none.test") and d.asked("short.inside.test")
            assert get("gone.test") == b"502"
            (tmp_path / "hosts").write_text("127.0.0.1 by-hosts gone.test\n")
            time.sleep(1.2)
            assert get("gone.test") == b"200"
        finally:
            process.terminate()
            process.wait()
