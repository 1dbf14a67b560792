"""Peers whose addresses come from DNS while the server runs, against a name server that is scripted."""
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import BINARY, free_port, wait_until
from fake_dns import DROP, NameServer, free_address, needs_namespace, own_files
from peers import Peer, forever, ok

ADDRESSES = [f"127.0.0.{i}" for i in range(1, 6)]


@pytest.fixture
def dns():
    servers = []

    def start(*args, **kwargs):
        servers.append(NameServer(*args, **kwargs))
        return servers[-1]

    yield start
    for s in servers:
        s.stop()


def http(d, servers, more="", options="valid=1s", timeout="1s", listen=ADDRESSES[:3]):
    """The back end tells by which address it was reached; 127.0.0.4 and so on refuse."""
    backs = "".join(f"listen {a}:@PORT2@;" for a in listen)
    return (f"resolver 127.0.0.1:{d.port} {options}; resolver_timeout {timeout};\n"
            f"upstream u {{ {more} {servers} }}\n"
            "server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://u;\n"
            "add_header X-Peers $upstream_addr always; } }\n"
            f"server {{ {backs} return 200 $server_addr; }}")


def seen(s, count=12):
    return {s.get("/").body.decode() for _ in range(count)}


def test_changes_are_followed(weir, dns):
    d = dns({"a.test": {"A": ["127.0.0.1"]}})
    s = weir(http=http(d, "server a.test:@PORT2@ resolve;"))
    wait_until(lambda: s.get("/").status == 200)
    assert seen(s) == {"127.0.0.1"}
    d.records["a.test"] = {"A": ["127.0.0.2", "127.0.0.3"]}
    begin = time.monotonic()
    wait_until(lambda: seen(s) == {"127.0.0.2", "127.0.0.3"})
    assert time.monotonic() - begin < 2
    d.records["a.test"] = {"CNAME": "b.test"}
    d.records["b.test"] = {"A": ["127.0.0.3"]}
    wait_until(lambda: seen(s) == {"127.0.0.3"})


def test_ttl_counts_without_valid(weir, dns):
    d = dns({"a.test": {"A": ["127.0.0.1"]}}, ttl=2)
    s = weir(http=http(d, "server a.test:@PORT2@ resolve;", options=""))
    d.wait_for("a.test", 6, seconds=9)
    times = [q.time for q in d.asked("a.test", "A")]
    assert 1.8 < times[1] - times[0] < 3 and 1.8 < times[2] - times[1] < 3
    assert s.get("/").status == 200


@pytest.mark.parametrize("zone", ["", "zone z 1m;"])
def test_every_worker_follows(weir, dns, zone):
    d = dns({"a.test": {"A": ["127.0.0.1"]}})
    s = weir(http=http(d, "server a.test:@PORT2@ resolve;", more=zone), master="on",
             main="worker_processes 3;")
    wait_until(lambda: seen(s, 20) == {"127.0.0.1"})
    d.records["a.test"] = {"A": ["127.0.0.2"]}
    wait_until(lambda: seen(s, 30) == {"127.0.0.2"})
    assert len(d.asked("a.test", "A")) >= 6            # each worker asks for itself


def test_name_that_is_gone_and_one_that_nobody_tells(weir, dns):
    d = dns({"a.test": {"A": ["127.0.0.1"]}})
    s = weir(http=http(d, "server a.test:@PORT2@ resolve;"))
    wait_until(lambda: s.get("/").status == 200)
    d.records["a.test"] = 2
    s.wait_log('a.test could not be resolved (2: Server failure) in upstream "u"')
    d.script = lambda q: DROP
    s.wait_log('a.test could not be resolved (110: Operation timed out) in upstream "u"')
    assert s.get("/").status == 200                    # the last that was known
    d.script = None
    del d.records["a.test"]
    wait_until(lambda: s.get("/").status == 502)       # it is known to have no address
    d.records["a.test"] = {"A": ["127.0.0.2"]}
    wait_until(lambda: s.get("/").status == 200)


def test_beside_other_servers(weir, dns):
    d = dns({"a.test": {"A": ["127.0.0.2"]}, "b.test": {"A": ["127.0.0.3"]}})
    s = weir(http=http(d, "server a.test:@PORT2@ resolve; server 127.0.0.1:@PORT2@;"
                          "server b.test:@PORT2@ resolve backup;"))
    wait_until(lambda: seen(s) == {"127.0.0.1", "127.0.0.2"})
    del d.records["a.test"]
    wait_until(lambda: seen(s) == {"127.0.0.1"})
    assert d.asked("b.test")


def test_services(weir, dns):
    """The first priority is asked, by weight; the second only when that is gone."""
    one, two, three = Peer(forever(ok(b"1"))), Peer(forever(ok(b"2"))), Peer(forever(ok(b"3")))
    for name in ("_http._tcp.a.test", "_x._udp.a.test"):
        records = {name: {"SRV": [(10, 3, one.port, "one.test"), (20, 1, three.port, "one.test"),
                                  (10, 0, two.port, "two.test")]},
                   "one.test": {"A": ["127.0.0.1"]}, "two.test": {"A": ["127.0.0.1"]}}
        service = "http" if name.startswith("_http") else "_x._udp"
        d = dns(records)
        s = weir(http=http(d, f"server a.test service={service} resolve max_fails=0;"))
        wait_until(lambda: s.get("/").status == 200)
        got = [s.get("/").body for _ in range(40)]
        assert got.count(b"1") == 30 and got.count(b"2") == 10
        records[name] = {"SRV": [(20, 1, three.port, "one.test"), (10, 1, free_port(), "one.test")]}
        wait_until(lambda: s.get("/").body == b"3")
        s.stop()
    for p in (one, two, three):
        p.stop()


def test_service_without_some_targets(weir, dns):
    d = dns({"_http._tcp.a.test": {"SRV": [(1, 1, 1, "none.test"), (1, 1, 2, "."),
                                          (1, 1, 3, "silent.test")]}})
    p = Peer(forever(ok(b"1")))
    s = weir(http=http(d, "server a.test service=http resolve;"))
    s.wait_log("_http._tcp.a.test could not be resolved (3: Host not found)")
    d.records["_http._tcp.a.test"]["SRV"].append((1, 1, p.port, "one.test"))
    d.records["one.test"] = {"A": ["127.0.0.1"]}
    wait_until(lambda: s.get("/").body == b"1")
    p.stop()


@pytest.mark.parametrize("zone", ["", "zone z 1m;"])
def test_reload_keeps_what_is_known(weir, dns, zone):
    d = dns({"a.test": {"A": ["127.0.0.2"]}})
    s = weir(http=http(d, "server a.test:@PORT2@ resolve;", more=zone), master="on")
    wait_until(lambda: s.get("/").status == 200)
    d.script = lambda q: DROP
    for _ in range(3):
        time.sleep(0.7)
        s.process.send_signal(signal.SIGHUP)
        for _ in range(10):
            assert s.get("/").body == b"127.0.0.2"


def test_state_of_peers_that_stay(weir, dns):
    """127.0.0.4 refuses and rests; it still does so when another address comes."""
    d = dns({"a.test": {"A": ["127.0.0.1", "127.0.0.4"]}})
    s = weir(http=http(d, "server a.test:@PORT2@ resolve fail_timeout=60s;"))

    def refused():
        return [line for line in s.log().splitlines() if "connect()" in line and "127.0.0.4:" in line]
    wait_until(lambda: s.get("/").status == 200)
    for _ in range(6):
        assert s.get("/").status == 200
    assert len(refused()) == 1
    d.records["a.test"] = {"A": ["127.0.0.4", "127.0.0.2", "127.0.0.1"]}
    wait_until(lambda: seen(s) == {"127.0.0.1", "127.0.0.2"})
    assert len(refused()) == 1


def test_request_at_a_peer_that_goes(weir, dns):
    go = threading.Event()

    def slow(conn):
        conn.request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        go.wait(10)
        conn.send(b"cd")
    p = Peer(slow)
    d = dns({"_http._tcp.a.test": {"SRV": [(1, 1, p.port, "one.test")]}, "one.test": {"A": ["127.0.0.1"]}})
    s = weir(http=http(d, "server a.test service=http resolve;"))
    d.wait_for("one.test")
    time.sleep(0.2)
    got = []
    t = threading.Thread(target=lambda: got.append(s.get("/")))
    t.start()
    wait_until(lambda: p.requests)
    del d.records["_http._tcp.a.test"]
    s.wait_log("_http._tcp.a.test could not be resolved (3: Host not found)")
    assert s.get("/").status == 502
    go.set()
    t.join()
    assert got[0].body == b"abcd" and got[0].header("x-peers") == f"127.0.0.1:{p.port}"
    p.stop()


@pytest.mark.parametrize("method", ["", "least_conn;", "ip_hash;", "hash $request_uri;",
                                    "hash $request_uri consistent;", "random;", "random two least_conn;",
                                    "zone z 1m;", "zone z 1m; random two;"])
def test_flapping_under_load(weir, dns, method):
    """Addresses come and go each second; 127.0.0.1 is always good.  No client sees an error."""
    d = dns({"a.test": {"A": ["127.0.0.1"]}})
    workers = 2 if "zone" in method else 1
    s = weir(http=http(d, "server a.test:@PORT2@ resolve;", more=method), main=f"worker_processes {workers};",
             master="on" if workers > 1 else "off")
    wait_until(lambda: seen(s, 20) == {"127.0.0.1"})
    chooser, bad, stop, served = random.Random(7), [], threading.Event(), [0]

    def client(number):
        while not stop.is_set():
            with s.connect() as c:
                for i in range(50):
                    c.sendall(f"GET /{number}/{i} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                    data = c.recv(65536)
                    served[0] += 1
                    if not data.startswith(b"HTTP/1.1 200"):
                        bad.append(data)
                        break
    threads = [threading.Thread(target=client, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for _ in range(8):
        more = chooser.sample(ADDRESSES[1:], chooser.randrange(0, 4))
        d.records["a.test"] = {"A": chooser.sample(["127.0.0.1"] + more, 1 + len(more))}
        time.sleep(0.5)
    stop.set()
    for t in threads:
        t.join()
    assert not bad, bad[:3]
    assert served[0] > 500
    assert len(d.asked("a.test", "A")) >= 4


@pytest.mark.parametrize("line,message", [
    ("server a.test service=http;", 'service upstream "a.test" requires "resolve" parameter'),
    ("server a.test:80 service=http resolve;", 'service upstream "a.test:80" may not have port'),
    ("server a.test service= resolve;", 'invalid parameter "service="'),
])
def test_mistakes(tmp_path, line, message):
    (tmp_path / "weir.conf").write_text("events {} http { upstream u { %s } }" % line)
    r = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", "weir.conf"], capture_output=True,
                       text=True)
    assert r.returncode == 1 and message in r.stderr


@needs_namespace
def test_plain_name_heals(tmp_path):
    """Not there at start: one warning; 502; and it is found without a reload."""
    address, port = free_address(), free_port()
    p = Peer(forever(ok(b"healed")))
    (tmp_path / "resolv.conf").write_text(f"nameserver {address}\noptions timeout:1 attempts:1\n")
    (tmp_path / "weir.conf").write_text(
        "daemon off; worker_processes 2; error_log error.log; pid weir.pid; events {}"
        f"http {{ access_log off; upstream u {{ server late.test:{p.port}; }}"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://u; }}"
        f"location /b {{ proxy_pass http://late.test:{p.port}/; }} }} }}")
    command = own_files(tmp_path, [BINARY, "-p", str(tmp_path), "-c", "weir.conf"])

    def get(path):
        with socket.create_connection(("127.0.0.1", port), 10) as c:
            c.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return c.recv(65536)[9:12]

    def listens():
        try:
            return get("/")
        except OSError:
            return None
    with NameServer({}, port=53, address=address) as d:
        r = subprocess.run(command + ["-t"], capture_output=True, text=True)
        assert r.returncode == 0 and r.stderr.count("[warn]") == 2
        assert 'host not found in upstream "late.test"' in r.stderr
        with open(tmp_path / "output", "wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            wait_until(listens)
            assert get("/") == b"502" and get("/b") == b"502"
            d.records["late.test"] = {"A": ["127.0.0.1"]}
            wait_until(lambda: {get("/"), get("/b")} == {b"200"}, 15)
            texts = (tmp_path / "output").read_text() + (tmp_path / "error.log").read_text()
            assert texts.count("[warn]") == 2 and "could not be resolved" not in texts
            time.sleep(6)                              # it is not asked for any more
            count = len(d.queries)
            time.sleep(6)
            assert len(d.queries) == count
        finally:
            process.terminate()
            process.wait()
    p.stop()
