"""Groups with a zone: what workers share, what a reload keeps; and active health checks."""
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import wait_until
from peers import Peer, ok
from test_proxy_http2 import frame, serve


class Backend(Peer):
    """Answers as it is told at the moment; remembers what it was asked."""

    def __init__(self, body=b"well", status=b"200 OK", fields=()):
        self.body, self.status, self.fields = body, status, fields
        self.delay = 0
        self.probes = []
        super().__init__(self.serve_conn)

    def serve_conn(self, conn):
        while True:
            head, _ = conn.request()
            path = head.split(b" ")[1]
            if path.startswith(b"/health"):
                self.probes.append((time.monotonic(), head))
                if self.delay:
                    time.sleep(self.delay)
                conn.send(b"HTTP/1.1 " + self.status + b"\r\nContent-Length: %d\r\n" % len(self.body)
                          + b"".join(f + b"\r\n" for f in self.fields) + b"\r\n" + self.body)
            else:
                conn.send(ok(b"%d" % self.port))


@pytest.fixture
def backends():
    made = []

    def start(count=2, **how):
        made.extend(Backend(**how) for _ in range(count))
        return made[-count:]

    yield start
    for b in made:
        b.stop()


@pytest.fixture
def weir(weir):
    """With a log that tells of changes."""
    def start(http, main="", **how):
        s = weir(http=http, main="error_log error.log notice;" + main, **how)
        wait_log = s.wait_log
        s.wait_log = lambda text: wait_log(text, 6)
        return s
    return start


def conf(backends, check="", match="", group="zone z 64k;", parameters="", location=""):
    servers = "".join(f"server 127.0.0.1:{b.port} {parameters};\n" for b in backends)
    return (f"{match}\nupstream u {{ {group} {servers} }}\n"
            "server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://u; %s\n"
            "%s } }" % (location, check))


def who(s, count=8):
    """Ports that answer, each time over a new connection."""
    return {s.get("/").body.decode() for _ in range(count)}


def workers(s):
    out = subprocess.run(["pgrep", "-P", str(s.process.pid)], capture_output=True, text=True)
    return sorted(int(pid) for pid in out.stdout.split())


def test_sick_and_well(weir, backends):
    a, b = backends()
    s = weir(http=conf([a, b], "health_check interval=50ms uri=/health;"))
    assert who(s) == {str(a.port), str(b.port)}
    a.status = b"500 Broken"
    s.wait_log("peer is unhealthy while checking status code")
    assert who(s) == {str(b.port)}
    a.status = b"200 OK"
    s.wait_log("peer is healthy")
    assert who(s) == {str(a.port), str(b.port)}


def test_request_of_a_probe(weir, backends):
    (a,) = backends(1)
    weir(http=conf([a], "health_check interval=50ms uri=/health/x?y;",
                   location="proxy_set_header Host h.example; proxy_set_header X-Probe yes;"
                            "proxy_set_header X-Var $host;"))
    wait_until(lambda: a.probes)
    lines = a.probes[0][1].split(b"\r\n")
    assert lines[0] == b"GET /health/x?y HTTP/1.1"
    assert sorted(lines[1:]) == [b"Connection: close", b"Host: h.example", b"X-Probe: yes"]


def test_variables_of_a_probe(weir, backends):
    """Those that need no client have their values, fields of the others are left out."""
    (a,) = backends(1)
    weir(http=f"""upstream u {{ zone z 64k; server 127.0.0.1:{a.port}; }}
        map $host $mapped {{ site.example yes; }}
        server {{ listen 127.0.0.1:@PORT@; server_name other.example; }}
        server {{ listen 127.0.0.1:@PORT@; server_name site.example; set $mine 1;
        location / {{ proxy_pass http://u; proxy_set_header Host $host;
            proxy_set_header X-Proxy $proxy_host:$proxy_port; proxy_set_header X-Mapped $mapped;
            proxy_set_header X-Uri "$request_method $request_uri $uri $args"; proxy_set_header X-Name $hostname;
            proxy_set_header X-User $remote_user; proxy_set_header X-Cookie $http_cookie;
            proxy_set_header X-Mine $mine; proxy_set_header X-Up $upstream_addr$upstream_http_x;
            proxy_set_header X-Tls $ssl_protocol; proxy_set_header Connection $http_connection;
            health_check interval=50ms uri=/health?y; }} }}""")
    wait_until(lambda: a.probes)
    lines = a.probes[0][1].split(b"\r\n")
    assert sorted(lines) == sorted([
        b"GET /health?y HTTP/1.1", b"Host: site.example", b"X-Proxy: u:80", b"X-Mapped: yes",
        b"X-Uri: GET /health?y /health y", b"X-Name: " + socket.gethostname().encode().lower(), b"Connection: close"])


VARIABLES = """
    arg_name_x args binary_remote_addr body_bytes_sent bytes_sent connection connection_requests
    connection_time connections_active connections_reading connections_waiting connections_writing
    content_length content_type cookie_name_x date_gmt date_local document_root document_uri gzip_ratio
    host hostname http2 http_name_x https invalid_referer is_args is_request_port limit_conn_status
    limit_rate limit_req_status msec nginx_version pid pipe proxy_add_x_forwarded_for proxy_host proxy_port
    proxy_protocol_addr proxy_protocol_port proxy_protocol_server_addr proxy_protocol_server_port
    proxy_protocol_tlv_aws_vpce_id proxy_protocol_tlv_azure_pel_id proxy_protocol_tlv_gcp_conn_id
    query_string realip_remote_addr realip_remote_port realpath_root remote_addr remote_port remote_user
    request request_body request_body_file request_completion request_filename request_id request_length
    request_method request_port request_time request_uri scheme secure_link secure_link_expires
    sent_http_name sent_trailer_name server_addr server_name server_port server_protocol slice_range
    ssl_alpn_protocol ssl_cipher ssl_ciphers ssl_client_cert ssl_client_escaped_cert ssl_client_fingerprint
    ssl_client_i_dn ssl_client_i_dn_legacy ssl_client_raw_cert ssl_client_s_dn ssl_client_s_dn_legacy
    ssl_client_serial ssl_client_sigalg ssl_client_v_end ssl_client_v_remain ssl_client_v_start
    ssl_client_verify ssl_curve ssl_curves ssl_early_data ssl_ech_outer_server_name ssl_ech_status
    ssl_protocol ssl_server_name ssl_session_id ssl_session_reused ssl_sigalg ssl_sigalgs status
    time_iso8601 time_iso8601_ms time_local uid_got uid_reset uid_set upstream_addr upstream_bytes_received
    upstream_bytes_sent upstream_connect_time upstream_cookie_name upstream_header_time upstream_http_name
    upstream_last_addr upstream_last_server_name upstream_queue_time upstream_response_length
    upstream_response_time upstream_status upstream_trailer_name uri"""


def test_every_variable_may_stand_in_a_probe(weir, backends):
    """Whatever it speaks of: none brings the worker down."""
    (a,) = backends(1)
    fields = "".join(f'proxy_set_header X-{i} "<${name}>";' for i, name in enumerate(VARIABLES.split()))
    required = "".join(f"${name} " for name in VARIABLES.split())
    s = weir(http=conf([a], "health_check interval=50ms uri=/health match=m;", match=f"match m {{ require {required}; }}",
                       location=fields))
    s.wait_log("peer is unhealthy while checking required variables")
    assert a.probes[0][1].count(b"X-") > 100
    assert who(s, 1) == {str(a.port)} or s.get("/").status == 502


def over_http2(status="200", body=b"all is well done", fields=(("x-state", "fine"),), trailers=()):
    """A back end that speaks it, with a table of fields, interim responses and padding, as they come."""
    def handler(c, stream, head, data):
        c.h2.send_headers(stream, [(":status", "103"), ("link", "x")])
        c.answer(stream, body, status=status, fields=list(fields), trailers=trailers)
    return serve(handler)


@pytest.mark.parametrize("match, status, good", [
    ("status 200;", "200", True), ("status 200;", "503", False), ("header X-State = fine;", "200", True),
    ("header X-State = bad;", "200", False), ("body ~ 'well done$';", "200", True),
    ("body ~ undone;", "200", False), ("require $upstream_http_x_state;", "200", True), ("header ! Link;", "200", True),
])
@pytest.mark.parametrize("trailers", [(), (("x-end", "1"),)], ids=["", "trailers"])
def test_over_http2(weir, peer, match, status, good, trailers):
    p = peer(over_http2(status, trailers=trailers))
    s = weir(http=f"""upstream u {{ zone z 64k; server 127.0.0.1:{p.port}; }} match m {{ {match} }}
        server {{ listen 127.0.0.1:@PORT@; server_name h.example; location / {{ proxy_pass http://u;
        proxy_http_version 2; proxy_set_header Host $host; proxy_set_header X-Probe $proxy_host;
        proxy_set_header Connection x; health_check interval=50ms match=m uri=/health?x mandatory; }} }}""")
    s.wait_log("peer is healthy" if good else "peer is unhealthy while checking")
    head, body = p.requests[0]
    assert head == {":method": "GET", ":scheme": "http", ":path": "/health?x", ":authority": "h.example",
                    "x-probe": "u"}


def test_large_body_over_http2(weir, peer):
    p = peer(over_http2(body=b"x" * 200_000 + b"well done"))
    s = weir(http=f"""upstream u {{ zone z 64k; server 127.0.0.1:{p.port}; }} match m {{ body ~ "well done"; }}
        server {{ listen 127.0.0.1:@PORT@; location / {{ proxy_pass http://u; proxy_http_version 2;
        health_check interval=50ms match=m; }} }}""")
    wait_until(lambda: len(p.requests) > 2)
    assert "unhealthy" not in s.log()


@pytest.mark.parametrize("answer", [
    b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", frame(4), frame(4) + frame(1, 5, 1, b"\x84") + b"\0\0",
    frame(4) + frame(1, 5, 1, b"\xff\xff\xff"), frame(1, 5, 1, b"\x88"), frame(4) + frame(3, 0, 1, b"\0\0\0\1"),
    frame(4) + frame(7, 0, 0, bytes(8)), frame(4) + frame(0, 1, 1, b"x"), frame(4) + frame(1, 4, 1, b"\x88"),
    frame(4) + frame(1, 4, 1, b"\x88") + frame(0, 8, 1, b"\xff"), frame(4) + frame(1, 0, 1, b"\x88") + frame(6, 0, 0, bytes(8)),
    frame(4) + frame(1, 4, 3, b"\x88"), frame(4) + frame(5, 4, 1, b"\0\0\0\2\x82"), b"\0\x7f\xff\1\5\0\0\0\1" + bytes(40000),
], ids=range(15))
def test_answers_that_are_none_over_http2(weir, peer, answer):
    def script(conn):
        conn.more()
        conn.send(answer)
        conn.sock.shutdown(socket.SHUT_WR)
        conn.more()
    p = peer(script)
    s = weir(http=f"""upstream u {{ zone z 64k; server 127.0.0.1:{p.port}; }} match m {{ status 200; body ~ .; }}
        server {{ listen 127.0.0.1:@PORT@; location / {{ proxy_pass http://u; proxy_http_version 2;
        health_check interval=50ms match=m; }} }}""")
    s.wait_log("peer is unhealthy while reading")


def test_host_is_the_groups_name(weir, backends):
    (a,) = backends(1)
    weir(http=conf([a], "health_check interval=50ms uri=/health;"))
    wait_until(lambda: a.probes)
    assert b"\r\nHost: u\r\n" in a.probes[0][1] + b"\r\n"


def test_fails_and_passes(weir, backends):
    a, b = backends()
    s = weir(http=conf([a, b], "health_check interval=60ms fails=3 passes=2 uri=/health;"))
    wait_until(lambda: a.probes)
    a.status, before = b"500 Broken", len(a.probes)
    s.wait_log("peer is unhealthy")
    assert len(a.probes) - before >= 3
    a.status, before = b"200 OK", len(a.probes)
    s.wait_log("peer is healthy")
    assert len(a.probes) - before >= 2


@pytest.mark.parametrize("match,good", [
    ("status 200;", True), ("status ! 200;", False), ("status 201 300-399;", False),
    ("status ! 400-599 303;", True),
    ("header X-State;", True), ("header ! X-State;", False), ("header ! X-None;", True),
    ("header X-State = fine;", True), ("header X-State = bad;", False), ("header x-state != bad;", True),
    ("header X-State ~ ^f;", True), ("header X-State !~ ^f;", False), ("header X-None = fine;", False),
    ("header X-State !~ ^g;", True), ("header X-None != fine;", False), ("header X-None !~ ^f;", False),
    ("header X-None ~ .;", False), ("status 199-201;", True), ("status ! 199-201;", False),
    ("require $upstream_status;", True), ("require $good;", True), ("require $good $bad;", False),
    ("require $good; require $bad;", False), ("require $upstream_http_x_state $zero;", False),
    ("require $upstream_http_x_state;", True), ("require $upstream_http_x_none;", False),
    ("require $remote_user;", False), ("require $upstream_addr $upstream_last_addr $hostname $proxy_host;", True),
    ("body ~ 'we+ll$';", False), ("body ~ 'well done';", True), ("body !~ maintenance;", True),
    ("status 200; header X-State = fine; body ~ done;", True),
    ("status 200; header X-State = fine; body ~ undone;", False),
])
def test_match(weir, backends, match, good):
    (a,) = backends(1, body=b"all is well done", fields=[b"X-State: fine"])
    (b,) = backends(1)
    s = weir(http=conf([a], "health_check interval=50ms match=m uri=/health mandatory;",
                       match="match m { %s } map $upstream_status $good { 200 1; } "
                             "map $upstream_status $bad { 200 0; default 1; } "
                             "map $upstream_status $zero { default 0; }" % match))
    s.wait_log("peer is healthy" if good else "peer is unhealthy")
    assert 'health check "m" of peer' in s.log()
    assert s.get("/").status == (200 if good else 502)


def test_match_chunked_body(weir, backends):
    (a,) = backends(1)

    def script(conn):
        conn.request()
        for piece in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwe", b"ll\r\n",
                      b"5;x\r\n done\r\n0\r\n\r\n"):
            conn.send(piece)
            time.sleep(0.03)
        time.sleep(1)
    a.script = script
    s = weir(http=conf([a], "health_check interval=50ms match=m uri=/health mandatory;",
                       match="match m { body ~ '^well done$'; }"))
    s.wait_log("peer is healthy")


@pytest.mark.parametrize("answer,why", [
    (b"", "end is missing"), (b"HTTP/1.1 200", "end is missing"), (b"SSH-2.0-x\r\n", "reading response header"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwell", "end is missing"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "reading response body"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "reading response header"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000, "reading response header"),
])
def test_answers_that_are_none(weir, backends, answer, why):
    (a,) = backends(1)

    def script(conn):
        conn.request()
        conn.send(answer)
    a.script = script
    s = weir(http=conf([a], "health_check interval=50ms match=m uri=/health;",
                       match="match m { status 200; body ~ well; }"))
    s.wait_log("peer is unhealthy while")
    assert why in s.log()


def test_nobody_listens(weir, backends):
    a, b = backends()
    s = weir(http=conf([a, b], "health_check interval=50ms uri=/health;"))
    a.stop()
    s.wait_log("peer is unhealthy while")      # connecting, or an answer is cut off
    assert who(s) == {str(b.port)}


def test_silent_server(weir, backends):
    """It takes the connection and says nothing."""
    a, b = backends()
    a.delay = 30
    s = weir(http=conf([a, b], "health_check interval=50ms uri=/health;",
                       location="proxy_read_timeout 300ms;"))
    s.wait_log("peer is unhealthy while waiting for the answer")
    assert len(a.probes) < 3, "the next probe waits for the answer of the last"
    assert who(s) == {str(b.port)}


def test_mandatory(weir, backends):
    a, b = backends()
    a.delay = 1.5
    s = weir(http=conf([a, b], "health_check interval=50ms uri=/health mandatory;"))
    s.wait_log(f"peer 127.0.0.1:{b.port} in upstream")
    assert who(s) == {str(b.port)}
    s.wait_log(f"peer 127.0.0.1:{a.port} in upstream")
    assert who(s) == {str(a.port), str(b.port)}


@pytest.mark.parametrize("persistent", [False, True])
def test_mandatory_over_reload(weir, backends, persistent):
    (a,) = backends(1)
    check = "health_check interval=200ms uri=/health mandatory %s;" % ("persistent" if persistent else "")
    s = weir(http=conf([a], check), master="on", main="worker_processes 2;")
    s.wait_log("peer is healthy")
    a.delay = 1
    time.sleep(0.3)
    s.process.send_signal(signal.SIGHUP)
    time.sleep(0.6)
    assert s.get("/").status == (200 if persistent else 502)
    wait_until(lambda: s.get("/").status == 200)


def test_result_stays_over_reload(weir, backends):
    a, b = backends(status=b"200 OK")
    s = weir(http=conf([a, b], "health_check interval=100ms uri=/health;"), master="on",
             main="worker_processes 2;")
    a.status = b"503 Sick"
    s.wait_log("peer is unhealthy")
    a.delay = 5
    for _ in range(3):
        s.process.send_signal(signal.SIGHUP)
        time.sleep(0.4)
        assert who(s) == {str(b.port)}
    assert s.log().count("peer is unhealthy") == 1


def test_one_worker_asks_for_all(weir, backends):
    (a,) = backends(1)
    s = weir(http=conf([a], "health_check interval=200ms uri=/health;"), master="on",
             main="worker_processes 4;")
    wait_until(lambda: a.probes)
    a.probes.clear()
    time.sleep(2)
    assert 7 <= len(a.probes) <= 11
    s.process.send_signal(signal.SIGHUP)       # one goes on after a reload
    time.sleep(0.5)
    a.probes.clear()
    time.sleep(2)
    assert 7 <= len(a.probes) <= 11


def test_another_worker_takes_over(weir, backends):
    a, b = backends()
    s = weir(http=conf([a, b], "health_check interval=100ms uri=/health;"), master="on",
             main="worker_processes 2;")
    s.allow("exited on signal 9")
    for _ in range(3):                         # whoever it is
        for pid in workers(s):
            os.kill(pid, signal.SIGKILL)
            before = len(a.probes)
            wait_until(lambda: len(a.probes) > before + 2)
    a.status = b"500 Broken"
    s.wait_log("peer is unhealthy")
    assert who(s) == {str(b.port)}


def test_keepalive(weir, backends):
    (a,) = backends(1)
    weir(http=conf([a], "health_check interval=50ms uri=/health keepalive_time=600ms;"))
    wait_until(lambda: len(a.probes) > 25)
    assert 2 <= a.connections <= 6
    assert b"Connection" not in a.probes[0][1]


def test_type_tcp_and_port(weir, backends):
    a, b = backends()
    s = weir(http=conf([a], f"health_check interval=50ms type=tcp port={b.port};"))
    wait_until(lambda: b.connections > 3)
    assert not b.requests and a.connections == 0
    b.stop()
    s.wait_log("peer is unhealthy while connecting")


def test_two_checks(weir, backends):
    """One that fails is enough."""
    a, b = backends()
    s = weir(http=conf([a, b], "health_check interval=50ms uri=/health;"
                       f"health_check interval=50ms type=tcp port={b.port};"))
    a.status = b"500 Broken"
    s.wait_log("peer is unhealthy")
    time.sleep(0.3)
    assert who(s) == {str(b.port)}
    assert s.log().count("peer is healthy") == 0


def test_descriptors_stay(weir, backends):
    a, b = backends()
    s = weir(http=conf([a, b], "health_check interval=10ms uri=/health;"))

    def count():
        return len(os.listdir(f"/proc/{s.process.pid}/fd"))
    wait_until(lambda: len(a.probes) > 5)
    before = count()
    for _ in range(5):
        a.status, a.delay = b"500 Broken", 0.05
        time.sleep(0.2)
        a.status, a.delay = b"200 OK", 0
        time.sleep(0.2)
    a.stop()
    time.sleep(0.5)
    assert count() <= before + 4


def test_quits_with_probes_under_way(weir, backends):
    (a,) = backends(1)
    a.delay = 30
    s = weir(http=conf([a], "health_check interval=50ms uri=/health;",
                       location="proxy_read_timeout 500ms;"), master="on")
    wait_until(lambda: a.probes)
    s.stop()


def test_slow_start_waits_for_health(weir, backends):
    a, b = backends()
    s = weir(http=conf([a, b], "health_check interval=50ms uri=/health;", parameters="slow_start=30s"))
    a.status = b"500 Broken"
    s.wait_log("peer is unhealthy")
    a.status = b"200 OK"
    s.wait_log("peer is healthy")
    answers = [s.get("/").body.decode() for _ in range(20)]
    assert answers.count(str(a.port)) <= 3, "its weight grows from nothing"


# ---- mistakes ----


@pytest.mark.parametrize("text,message", [
    ("upstream u { server 127.0.0.1:1; } server { location / { proxy_pass http://u; health_check; } }",
     'health check in upstream "u" must have a zone'),
    ("server { location / { proxy_pass http://127.0.0.1:1; health_check; } }",
     'health check in upstream "127.0.0.1" must have a zone'),
    ("server { location / { health_check; } }", 'no upstream is here for "health_check"'),
    ("upstream u { zone z 64k; server 127.0.0.1:1; } server { location / { proxy_pass http://u;"
     "health_check match=m; } }", 'match "m" is not defined'),
    ("upstream u { zone z 64k; server 127.0.0.1:1; } server { location / { proxy_pass http://u;"
     "health_check fails=0; } }", 'invalid parameter "fails=0"'),
    ("upstream u { zone z 64k; server 127.0.0.1:1; } server { location / { proxy_pass http://u;"
     "health_check persistent; } }", 'requires parameter "mandatory"'),
    ("match m { status 20; }", 'invalid status "20"'),
    ("match m { body ~ '('; }", "regular expression"),
    ("match m { header A > 1; }", "invalid comparison"),
    ("match m { } match m { }", 'duplicate match "m"'),
    ("match m { require good; }", 'invalid variable name "good"'),
    ("match m { require $good; }", 'unknown "good" variable'),
    ("upstream u { zone z 4k; server 127.0.0.1:1; }", 'zone "z" is too small: it needs 32k at least'),
    ("upstream u { zone z 32k; %s }" % "".join(f"server 127.0.0.1:{i};" for i in range(1, 200)),
     'zone "z" is too small: it needs'),
    ("upstream u { zone z; server 127.0.0.1:1; }", 'zero size shared memory zone "z"'),
    ("upstream u { zone z 64k; server 127.0.0.1:1; } upstream v { zone z 128k; server 127.0.0.1:1; }",
     'the size 131072 of shared zone "z" conflicts'),
    ("upstream u { zone z x; server 127.0.0.1:1; }", 'invalid zone size "x"'),
    ("upstream u { server 127.0.0.1:1; state s.conf; }", '"state" may not stand beside "server"'),
])
def test_mistakes(tmp_path, text, message):
    from conftest import BINARY
    (tmp_path / "weir.conf").write_text("events {}\nhttp { access_log off; %s }\n" % text)
    out = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", "weir.conf", "-e", "stderr"],
                         capture_output=True, text=True)
    assert out.returncode != 0 and message in out.stderr


# ---- what a zone shares ----


def test_failures_are_seen_by_all_workers(weir, backends):
    a, b = backends()
    s = weir(http=conf([a, b], parameters="fail_timeout=30s"), master="on", main="worker_processes 4;")
    a.stop()
    for _ in range(40):
        assert s.get("/").status == 200
    assert s.log().count("temporarily disabled") == 1


def test_failures_stay_over_reload(weir, backends):
    a, b = backends()
    s = weir(http=conf([a, b], parameters="fail_timeout=30s"), master="on", main="worker_processes 2;")
    a.stop()
    for _ in range(6):
        assert s.get("/").status == 200
    s.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    for _ in range(20):
        assert s.get("/").status == 200
    assert s.log().count("temporarily disabled") == 1


def slow_peer(seconds):
    def script(conn):
        conn.request()
        time.sleep(seconds)
        conn.send(ok(b"late"))
    return Peer(script)


def test_max_conns_of_all_workers(weir):
    p = slow_peer(1)
    s = weir(http=conf([p], parameters="max_conns=3"), master="on", main="worker_processes 4;")
    results = []
    threads = [threading.Thread(target=lambda: results.append(s.get("/").status)) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(results) == [200] * 3 + [502] * 13
    assert s.get("/").status == 200
    p.stop()


def test_connections_of_a_dead_worker_are_given_back(weir):
    p = slow_peer(30)
    s = weir(http=conf([p], parameters="max_conns=2"), master="on", main="worker_processes 2;")
    s.allow("exited on signal 9")
    held = [s.connect() for _ in range(2)]
    for c in held:
        c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    wait_until(lambda: len(p.requests) == 2)
    assert s.get("/").status == 502
    for pid in workers(s):
        os.kill(pid, signal.SIGKILL)
    p.script = lambda conn: conn.answer(ok(b"quick"))
    wait_until(lambda: s.process.poll() is None and len(workers(s)) == 2)

    def answers():
        try:
            return s.get("/").status == 200
        except (AssertionError, OSError, IndexError):
            return False
    wait_until(answers)
    assert [s.get("/").status for _ in range(4)] == [200] * 4
    p.stop()


def test_groups_share_a_zone(weir, backends):
    a, b = backends()
    s = weir(http=f"""
        upstream u {{ zone z 64k; server 127.0.0.1:{a.port}; }}
        upstream v {{ zone z; server 127.0.0.1:{b.port} max_conns=1; }}
        server {{ listen 127.0.0.1:@PORT@; location /u {{ proxy_pass http://u/; }}
                 location /v {{ proxy_pass http://v/; }} }}""")
    assert s.get("/u").body == b"%d" % a.port
    assert s.get("/v").body == b"%d" % b.port


# ---- state ----


def test_state_file(weir, backends):
    a, b = backends()
    s = weir(http="upstream u { zone z 64k; state @DIR@/u.state; }\n"
                  "server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://u; } }",
             files={"u.state": f"server 127.0.0.1:{a.port};\n# one more\n"
                               f"server 127.0.0.1:{b.port} down;\n"}, master="on")
    assert who(s) == {str(a.port)}
    (s.dir / "u.state").write_text(f"server 127.0.0.1:{b.port};\n")
    s.process.send_signal(signal.SIGHUP)
    wait_until(lambda: who(s, 2) == {str(b.port)})


def test_state_file_that_is_not_there(weir):
    s = weir(http="upstream u { zone z 64k; state @DIR@/none.state; }\n"
                  "server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://u; } }")
    assert s.get("/").status == 502


def test_state_file_with_a_mistake(tmp_path):
    from conftest import BINARY
    (tmp_path / "u.state").write_text("server 127.0.0.1:80;\nserver 127.0.0.1:81 wieght=2;\n")
    (tmp_path / "weir.conf").write_text("events {}\nhttp { upstream u { zone z 64k; state u.state; } }\n")
    out = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", "weir.conf", "-e", "stderr"],
                         capture_output=True, text=True)
    assert out.returncode != 0 and f'invalid parameter "wieght=2" in {tmp_path}/u.state:2' in out.stderr
