"""limit_req and limit_conn."""
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import BINARY, wait_until


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def statuses(server, path, count):
    return [server.get(path).status for _ in range(count)]


def http(zones, server):
    return f"{zones}\nserver {{ listen 127.0.0.1:@PORT@; root html; {server} }}\n"


# ---- limit_req ----

def test_burst_and_nodelay(weir):
    server = weir(http=http(
        "limit_req_zone $arg_k zone=one:1m rate=1r/m;",
        """location /none { limit_req zone=one; }
           location /burst { limit_req zone=one burst=2 nodelay; }
           location /status { limit_req zone=one; limit_req_status 429; }"""),
        files={"html/none": "", "html/burst": "", "html/status": ""})
    assert statuses(server, "/none?k=a", 3) == [200, 503, 503]
    assert statuses(server, "/burst?k=b", 5) == [200, 200, 200, 503, 503]
    assert statuses(server, "/status?k=c", 2) == [200, 429]
    assert statuses(server, "/none", 3) == [200, 200, 200]      # an empty key does not count
    assert 'limiting requests, excess: 1.000 by zone "one"' in server.log()


def test_retry_after(weir):
    server = weir(http=http(
        "limit_req_zone $arg_k zone=minute:1m rate=2r/m; limit_req_zone $arg_k zone=second:1m rate=1r/s;",
        """location /minute { limit_req zone=minute; }
           location /second { limit_req zone=second; error_page 503 /sorry; }
           location /sorry { }"""),
        files={"html/minute": "", "html/second": "", "html/sorry": "SORRY"})
    server.get("/minute?k=1")
    refused = server.get("/minute?k=1")
    assert refused.status == 503
    assert 29 <= int(refused.header("Retry-After")) <= 31
    server.get("/second?k=1")
    refused = server.get("/second?k=1")
    assert refused.body == b"SORRY"
    assert refused.header("Retry-After") in ("1", "2")
    time.sleep(int(refused.header("Retry-After")))
    assert server.get("/second?k=1").status == 200


def test_delay(weir):
    server = weir(http=http(
        "error_log error.log warn; limit_req_zone $arg_k zone=one:1m rate=2r/s;",
        """location /all { limit_req zone=one burst=4; }
           location /some { limit_req zone=one burst=4 delay=2; }"""),
        files={"html/all": "", "html/some": ""})

    def timed(path):
        start = time.monotonic()
        assert server.get(path).status == 200
        return time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        waits = sorted(pool.map(timed, ["/all?k=a"] * 3))
        assert waits[1] - waits[0] > 0.2 and waits[2] - waits[1] > 0.2 and 0.7 < waits[2] < 5
        waits = sorted(pool.map(timed, ["/some?k=b"] * 4))
        assert waits[2] < 0.4 and 0.25 < waits[3] < 5
    assert "delaying request, excess: 1." in server.log()


def test_client_that_leaves_while_delayed(weir):
    server = weir(http=http("limit_req_zone $arg_k zone=one:1m rate=2r/s;",
                            "location / { limit_req zone=one burst=5; }"), files={"html/a": ""})
    for _ in range(4):
        with server.connect() as s:
            s.sendall(b"GET /a?k=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.02)
    assert server.get("/a?k=2").status == 200


@pytest.mark.parametrize("page", [
    'location /page { ssi on; }', "location /page { add_after_body /limited; }",
    "location /page { auth_request /limited; }", "location /page { mirror /limited; }"])
def test_delayed_subrequests(weir, page):
    """They go on when their turn comes, whatever the response of the main request waits for."""
    server = weir(http=http("limit_req_zone $server_port zone=one:1m rate=5r/s;",
                            "location /limited { limit_req zone=one burst=9; }" + page),
                  files={"html/page.html": '<!--#include virtual="/limited" -->', "html/limited": "L"})
    for _ in range(3):
        assert server.get("/page.html").status == 200
    start = time.monotonic()
    assert server.get("/page.html").status == 200
    assert time.monotonic() - start < 1.5


def test_several_zones(weir):
    server = weir(http=http(
        """limit_req_zone $arg_a zone=a:1m rate=1r/m; limit_req_zone $arg_b zone=b:1m rate=1r/m;
           log_format f "$limit_req_status"; access_log log f;""",
        "location / { limit_req zone=a burst=1 nodelay; limit_req zone=b burst=3 nodelay; }"),
        files={"html/x": ""})
    assert statuses(server, "/x?a=1&b=1", 3) == [200, 200, 503]
    # What one limit refused has not counted in the other.
    assert statuses(server, "/x?a=2&b=1", 3) == [200, 200, 503]
    assert statuses(server, "/x?a=3&b=1", 1) == [503]
    assert server.get("/x").status == 200
    lines = (server.dir / "log").read_text().split()
    assert lines == ["PASSED", "PASSED", "REJECTED", "PASSED", "PASSED", "REJECTED", "REJECTED", "-"]


def test_dry_run(weir):
    server = weir(http=http(
        """limit_req_zone $arg_k zone=one:1m rate=1r/m;
           log_format f "$limit_req_status"; access_log log f;""",
        """location / { limit_req zone=one burst=1; limit_req_dry_run on; }"""), files={"html/x": ""})
    assert statuses(server, "/x?k=1", 3) == [200, 200, 200]
    assert (server.dir / "log").read_text().split() == ["PASSED", "DELAYED_DRY_RUN",
                                                         "REJECTED_DRY_RUN"]
    assert "limiting requests, dry run, excess" in server.log()


def test_counts_once_over_redirects(weir):
    server = weir(http=http("limit_req_zone $arg_k zone=one:1m rate=1r/m; limit_req zone=one burst=1 nodelay;",
                            "index i.html; location = /i.html { }"), files={"html/i.html": "I"})
    assert statuses(server, "/?k=1", 3) == [200, 200, 503]


def test_full_zone_puts_out_the_oldest(weir):
    server = weir(http=http("limit_req_zone $arg_k zone=small:32k rate=1r/m;",
                            "keepalive_requests 10000; location / { limit_req zone=small; }"), files={"html/x": ""})
    with server.connect() as s:
        stream = s.makefile("rb")
        for i in range(3000):
            s.sendall(f"HEAD /x?k={i} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert b" 200 " in stream.readline()
            while stream.readline() != b"\r\n":
                pass
            if i == 1000:
                assert server.get("/x?k=1000").status == 503
    assert server.get("/x?k=2999").status == 503
    assert server.get("/x?k=0").status == 200


def test_long_key(weir):
    server = weir(http=http("limit_req_zone $arg_k$arg_k$arg_k$arg_k$arg_k$arg_k$arg_k$arg_k zone=z:1m rate=1r/m;"
                            "large_client_header_buffers 4 32k;",
                            "location / { limit_req zone=z; }"), files={"html/x": ""})
    assert statuses(server, "/x?k=" + "a" * 7000, 2) == [200, 503]
    assert statuses(server, "/x?k=" + "a" * 9000, 2) == [200, 200]
    assert "more than 65535 bytes" in server.log()


def test_zone_keeps_its_contents_over_a_reload(weir):
    conf = http("limit_req_zone $arg_k zone=one:1m rate=1r/m; limit_conn_zone $arg_k zone=two:1m;",
                "location / { limit_req zone=one; } # 1\n")
    server = weir(http=conf, files={"html/x": ""}, master="on", main="worker_processes 2;")
    assert statuses(server, "/x?k=a", 2) == [200, 503]
    text = (server.dir / "weir.conf").read_text()
    (server.dir / "weir.conf").write_text(text.replace("# 1", "location /new { return 204; }"))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.get("/new").status == 204)
    assert statuses(server, "/x?k=a", 2) == [503, 503]
    # Another size is another zone.
    (server.dir / "weir.conf").write_text(text.replace("one:1m", "one:2m"))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.get("/x?k=a").status == 200)


def test_zones_are_defined_anywhere_in_http(weir):
    server = weir(http="""
        limit_req zone=one; limit_conn two 1;
        server { listen 127.0.0.1:@PORT@; root html; }
        limit_req_zone $arg_k zone=one:1m rate=1r/m; limit_conn_zone $arg_k zone=two:1m;
    """, files={"html/x": ""})
    assert statuses(server, "/x?k=a", 2) == [200, 503]


@pytest.mark.parametrize("conf, message", [
    ("limit_req zone=no;", 'zero size shared memory zone "no"'),
    ("limit_conn no 1;", 'zero size shared memory zone "no"'),
    ("server { limit_req zone=no; }", 'zero size shared memory zone "no"'),
    ("limit_conn one 1; limit_req_zone $uri zone=one:1m rate=1r/s;", '"one"'),
    ("limit_req_zone $uri zone=one:1m rate=1r/s; limit_req_zone $uri zone=one:1m rate=1r/s;",
     '"one" is already bound to key "$uri"'),
    ("limit_req_zone $uri zone=one:1m rate=0r/s;", 'invalid rate "rate=0r/s"'),
    ("limit_req_zone $uri zone=one:1k rate=1r/s;", 'zone "one" is too small'),
    ("limit_req_zone $uri rate=1r/s zone=one;", "invalid zone size"),
    ("limit_req_zone $uri zone=one:1m rate=1r/s; limit_req zone=one; limit_req zone=one;",
     '"limit_req" directive is duplicate'),
])
def test_mistakes(tmp_path, conf, message):
    (tmp_path / "weir.conf").write_text(f"events {{ }} http {{ access_log off; {conf} }}")
    done = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", "weir.conf", "-e", "stderr"],
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert message in done.stderr


def test_the_64_bits_that_a_client_has(weir):
    server = weir(http=http(
        """limit_req_zone $binary_remote_addr_64 zone=one:1m rate=1r/m;
           set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;""",
        "location / { limit_req zone=one; }"), files={"html/x": ""})

    def status(ip):
        return server.get("/x", {"X-Real-IP": ip}).status

    assert status("2001:db8:0:1::1") == 200
    assert status("2001:db8:0:1:2:3:4:5") == 503
    assert status("2001:db8:0:2::1") == 200
    assert status("10.0.0.1") == 200
    assert status("10.0.0.2") == 200
    assert status("::ffff:10.0.0.3") == 200
    assert status("::ffff:10.0.0.4") == 200
    assert status("10.0.0.1") == 503


# ---- limit_conn ----

CONN = """location / { limit_conn zone 1; limit_rate 1k; limit_rate_after 1k; }
          location /free { } location /dry { limit_conn zone 1; limit_conn_dry_run on; limit_rate 1k; }"""
FILES = {"html/big": "x" * 100000, "html/free": "", "html/dry": "d" * 10000}


def begin(server, path):
    s = server.connect()
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert s.recv(12).startswith(b"HTTP/1.1")
    return s


def test_conn(weir):
    server = weir(http=http(
        """limit_conn_zone $arg_k zone=zone:1m;
           log_format f "$uri $limit_conn_status"; access_log log f;""", CONN), files=FILES)
    with begin(server, "/big?k=1"):
        assert server.get("/big?k=1").status == 503
        assert server.get("/dry?k=1").status == 200
        with begin(server, "/big?k=2"):
            assert server.get("/big?k=2", method="HEAD").status == 503
        assert server.get("/free?k=1").status == 200
    wait_until(lambda: server.get("/big?k=1", method="HEAD").status == 200)
    assert 'limiting connections by zone "zone"' in server.log()
    lines = (server.dir / "log").read_text().splitlines()
    assert "/big REJECTED" in lines and "/big PASSED" in lines
    assert "/dry REJECTED_DRY_RUN" in lines and "/free -" in lines


def test_conn_over_a_reload(weir):
    """Requests that began before a reload still count after it."""
    server = weir(http=http("limit_conn_zone $arg_k zone=zone:1m;", CONN + "# 1\n"), files=FILES,
                  master="on", main="worker_processes 2;")
    with begin(server, "/big?k=1"):
        path = server.dir / "weir.conf"
        path.write_text(path.read_text().replace("# 1", "location /new { return 204; }"))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.get("/new").status == 204)
        time.sleep(0.1)
        assert server.get("/big?k=1", method="HEAD").status == 503
    wait_until(lambda: server.get("/big?k=1", method="HEAD").status == 200)


def test_counts_of_a_killed_worker_go_with_it(weir):
    server = weir(http=http("limit_conn_zone $arg_k zone=zone:1m;", CONN), files=FILES, master="on",
                  main="worker_processes 2;")
    server.allow("exited on signal 9")
    held = [begin(server, f"/big?k={i}") for i in range(20)]
    assert all(server.get(f"/big?k={i}", method="HEAD").status == 503 for i in range(20))
    workers = children(server.process.pid)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(children(server.process.pid)) >= 2 and
               not set(workers) & set(children(server.process.pid)))

    def passes(i):
        try:
            return server.get(f"/big?k={i}", method="HEAD").status == 200
        except (OSError, IndexError, ValueError):
            return False

    for i in range(20):
        wait_until(lambda: passes(i))
    for s in held:
        s.close()


def test_conn_zone_full_of_live_ones_refuses_nobody(weir):
    server = weir(http=http("error_log error.log warn; limit_conn_zone $arg_k zone=zone:32k;", CONN), files=FILES,
                  events="worker_connections 1000;")
    held = [begin(server, f"/big?k={'x' * 500}{i}") for i in range(60)]
    assert "is full, a connection is not counted" in server.log()
    for s in held:
        s.close()
    wait_until(lambda: server.get("/big?k=" + "x" * 500 + "0", method="HEAD").status == 200)
    with begin(server, "/big?k=new"):
        assert server.get("/big?k=new", method="HEAD").status == 503
