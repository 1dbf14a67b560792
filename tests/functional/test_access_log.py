"""access_log, log_format, open_log_file_cache."""
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import BINARY, open_files, wait_until


def lines(server, name="log"):
    path = server.dir / name
    return path.read_text(errors="surrogateescape").splitlines() if path.exists() else []


def site(formats, inside):
    return f"{formats}\nserver {{ listen 127.0.0.1:@PORT@; root html; {inside} }}"


def test_combined(weir):
    server = weir(http=site("access_log log;", ""), files={"html/a": "A"})
    server.get("/a?b=c", {"User-Agent": 'x"y', "Referer": "http://r/", "Authorization": "Basic dTpw"})
    assert re.fullmatch(r'127\.0\.0\.1 - u \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
                        r'"GET /a\?b=c HTTP/1\.1" 200 1 "http://r/" "x\\x22y"', lines(server)[0])
    server.raw(b"nonsense\r\n\r\n")
    assert '"nonsense" 400' in lines(server)[1]


def test_escapes(weir):
    server = weir(http=site(r"""
        log_format default '$arg_none|$http_x|"';
        log_format json escape=json '{"x":"$http_x","none":"$arg_none"}';
        log_format none escape=none '$http_x $arg_none.';
        access_log default default; access_log json json; access_log none none;""", ""))
    value = 'a"b\\c\té\x7f'
    server.get("/", {"X": value})
    assert lines(server, "default") == [r'-|a\x22b\x5Cc\x09\xE9\x7F|"']
    text = (server.dir / "json").read_bytes().decode("latin-1").strip()
    assert json.loads(text) == {"x": value, "none": ""}
    assert (server.dir / "none").read_bytes() == value.encode("latin-1") + b" .\n"


def test_no_line_breaks(weir):
    server = weir(http=site(r"""
        log_format default '$uri'; log_format json escape=json '$uri'; log_format none escape=none '$uri';
        access_log default default; access_log json json; access_log none none;""", ""))
    server.get("/a%0d%0ab%1b")
    assert lines(server, "default") == [r"/a\x0D\x0Ab\x1B"]
    assert lines(server, "json") == [r"/a\r\nb\u001B"]
    assert (server.dir / "none").read_bytes().count(b"\n") == 1


def test_inheritance_off_and_several(weir):
    server = weir(http=site("log_format f '$uri'; access_log log f; access_log second f;", """
        location /off { access_log off; } location /own { access_log own f; }
        location /if { access_log on f if=$arg_log; }"""))
    for path in ("/a", "/off", "/own", "/if", "/if?log=0", "/if?log=", "/if?log=00"):
        server.get(path)
    assert lines(server) == lines(server, "second") == ["/a"]
    assert lines(server, "own") == ["/own"]
    assert lines(server, "on") == ["/if"]


def test_format_named_like_a_parameter(weir):
    server = weir(http=site("log_format gzip '$uri'; access_log log gzip;", ""))
    server.get("/a")
    assert lines(server) == ["/a"]


def test_buffer_and_flush(weir):
    server = weir(http=site("log_format f '$uri'; access_log log f buffer=64 flush=300ms;", """
        location /own { access_log other f buffer=1m; }"""))
    server.get("/a")
    assert lines(server) == []
    for _ in range(30):
        server.get("/bbb")
    assert lines(server)[:2] == ["/a", "/bbb"] and len(lines(server)) < 31
    wait_until(lambda: len(lines(server)) == 31)
    server.get("/own/" + "x" * 100)
    server.get("/" + "y" * 100)                # longer than the buffer: at once
    assert lines(server)[-1] == "/" + "y" * 100
    server.stop()
    assert lines(server, "other") == ["/own/" + "x" * 100]


def test_gzip(weir):
    server = weir(http=site("log_format f '$uri'; access_log log f gzip=9 buffer=1k flush=10s;",
                            "location /own { access_log own f gzip; }"))
    for i in range(100):
        server.get(f"/{i:040}")
    server.get("/long" + "x" * 3000)
    server.get("/own")
    server.stop()
    text = gzip.decompress((server.dir / "log").read_bytes()).decode().split()
    assert text == [f"/{i:040}" for i in range(100)] + ["/long" + "x" * 3000]
    assert (server.dir / "log").stat().st_size < 2500
    assert gzip.decompress((server.dir / "own").read_bytes()) == b"/own\n"


def test_syslog(weir, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        s.bind(str(tmp_path / "syslog"))
        s.settimeout(5)
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        server = weir(http=site(f"""log_format f '$uri';
            access_log syslog:server=unix:@DIR@/syslog,facility=local3,tag=site,severity=notice f;
            access_log syslog:server=127.0.0.1:{udp.getsockname()[1]},nohostname,tag=udp f if=$arg_udp;""",
                                ""))
        server.get("/a")
        assert re.fullmatch(rb"<157>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ site: /a", s.recv(1000))
        server.get("/b?udp=1")
        assert re.fullmatch(rb"<190>\w{3} [ \d]\d \d\d:\d\d:\d\d udp: /b", udp.recv(1000))


def test_variables_in_the_path(weir):
    server = weir(http=site("""log_format f '$uri'; access_log log_$arg_n f;
        open_log_file_cache max=2 inactive=10s valid=1s min_uses=1;""",
                            "location /gone { root @DIR@/nowhere; } location /plain { open_log_file_cache off; }"),
                  files={"html/a": ""})
    for n in "abcab":
        server.get(f"/{n}?n={n}")
        server.get(f"/plain?n={n}")
    assert lines(server, "log_a") == ["/a", "/plain", "/a", "/plain"]
    assert lines(server, "log_c") == ["/c", "/plain"]
    server.get("/gone?n=gone")                 # a log only where there is a site
    assert not (server.dir / "log_gone").exists()
    assert "existence failed" in server.log()
    os.rename(server.dir / "log_b", server.dir / "old")
    time.sleep(2.1)
    server.get("/new?n=b")
    assert lines(server, "log_b") == ["/new"]
    assert sum("/log_" in path for path in open_files(server.process.pid)) <= 2


def test_variable_paths_that_fail(weir):
    server = weir(http=site("log_format f '$uri'; access_log no/such/$arg_n f;", ""), files={"html/a": ""})
    server.allow("lines of the access log are lost")
    for i in range(20):
        assert server.get(f"/a?n={i}").status == 200
    assert server.log().count("lines of the access log are lost") == 1


@pytest.mark.parametrize("how", ["", "buffer=100", "gzip"])
def test_full_disk(weir, how):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    server = weir(http=site(f"log_format f '$uri'; access_log /dev/full f {how};", ""),
                  files={"html/a": "A"})
    server.allow("lines are lost")
    for _ in range(50):
        assert server.get("/a").status == 200
    server.stop()
    assert server.log().count("lines are lost") == 1


def test_reopen(weir):
    server = weir(http=site("log_format f '$uri'; access_log log f; access_log late f buffer=1m;", ""),
                  master="on", main="worker_processes 2;")
    server.get("/a")
    os.rename(server.dir / "log", server.dir / "old")
    server.get("/b")
    assert lines(server, "old") == ["/a", "/b"]
    server.process.send_signal(signal.SIGUSR1)
    wait_until((server.dir / "log").exists)

    def arrives():
        server.get("/c")
        return "/c" in lines(server)

    wait_until(arrives)
    server.stop()
    late = lines(server, "late")               # what was in buffers is not lost
    assert late.count("/a") == late.count("/b") == 1


@pytest.mark.parametrize("conf, message", [
    ("access_log log none;", 'unknown log format "none"'),
    ("access_log log combined what=1;", 'invalid parameter "what=1"'),
    ("access_log log combined buffer=x;", 'invalid buffer size "x"'),
    ("access_log log combined gzip=10;", 'invalid compression level "10"'),
    ("access_log log combined flush=1s;", "no buffer is defined"),
    ("access_log log combined buffer=1k; access_log log combined;", "conflicting parameters"),
    ("access_log syslog:server=127.0.0.1 combined buffer=1k;", "logs to syslog cannot be buffered"),
    ("access_log log_$uri combined buffer=1k;", "both variables in path and buffering"),
    ("log_format a b; log_format a c;", 'duplicate "log_format" name "a"'),
    ("log_format a escape=x b;", 'unknown log format escaping "x"'),
    ("log_format a $no_such_variable;", 'unknown "no_such_variable" variable'),
    ("open_log_file_cache inactive=1s;", 'must have "max"'),
])
def test_mistakes(tmp_path, conf, message):
    (tmp_path / "weir.conf").write_text(f"events {{ }}\nhttp {{ {conf} }}\n")
    done = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", "weir.conf", "-e", "stderr"],
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert message in done.stderr


def test_thousands_of_logs_load_quickly(tmp_path):
    """Each server with files of its own: no search that is as long as there are files."""
    servers = "\n".join(f"server {{ listen 127.0.0.1:1; server_name s{i}; access_log log{i}; }}"
                        for i in range(3000))
    (tmp_path / "weir.conf").write_text(f"events {{ }}\nhttp {{ access_log off; {servers} }}\n")
    start = time.monotonic()
    done = subprocess.run([BINARY, "-T", "-q", "-p", str(tmp_path), "-c", "weir.conf", "-e", "stderr"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 10
