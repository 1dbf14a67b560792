"""add_header, add_trailer, expires, and how they are inherited."""
import calendar
import email.utils
import os
import subprocess
import time

import pytest

from conftest import BINARY


def test_values_and_statuses(weir):
    server = weir("""
        root html; add_header X-A "$uri and $arg_x"; add_header X-Always 1 always; add_header X-Empty "$arg_no";
        location /moved { return 301 /a; }
        location /teapot { return 418; }
        location /made { return 201 x; }
    """, files={"html/a": "A"})
    good = server.get("/a?x=1")
    assert good.header("X-A") == "/a and 1"
    assert good.header("X-Always") == "1"
    assert good.header("X-Empty") is None
    for path, status, has in (("/moved", 301, True), ("/made", 201, True), ("/teapot", 418, False),
                              ("/none", 404, False)):
        response = server.get(path)
        assert response.status == status
        assert (response.header("X-A") is not None) == has, path
        assert response.header("X-Always") == "1"
    match = server.get("/a", {"If-None-Match": good.header("ETag")})
    assert match.status == 304 and match.header("X-Always") == "1"


def test_no_line_breaks_through_a_variable(weir):
    server = weir(r'location ~ (?s)^/(.*)$ { add_header X-A "$1"; return 200 x; }')
    response = server.get("/a%0d%0aX-Evil:%20yes")
    assert response.status == 200
    assert response.header("X-Evil") is None
    assert response.header("X-A") == "a  X-Evil: yes"


def test_fields_that_the_response_has_itself(weir):
    server = weir("""
        root html;
        location /none { alias @DIR@/html; add_header Last-Modified ""; add_header ETag ""; }
        location /other { alias @DIR@/html; add_header Last-Modified "Sun, 06 Nov 1994 08:49:37 GMT";
                          add_header ETag '"x"'; }
        location /twice { alias @DIR@/html; add_header Cache-Control a; add_header Cache-Control b;
                          add_header Link c; add_header Link d; }
    """, files={"html/a": "A"})
    none = server.get("/none/a")
    assert none.header("Last-Modified") is None and none.header("ETag") is None
    other = server.get("/other/a")
    assert other.header("Last-Modified") == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert other.header("ETag") == '"x"'
    twice = server.get("/twice/a")
    assert twice.header("Cache-Control") == "a, b" and twice.header("Link") == "c, d"


INHERIT = """
    root html; add_header X-Outer 1; add_trailer X-End outer;
    location /plain { add_header X-Inner 1; }
    location /off { add_header_inherit off; location /off/own { add_header X-Inner 1; } }
    location /merge { add_header_inherit merge; add_header X-Inner 1;
                      location /merge/deep { add_header X-Deep 1; } location /merge/none { } }
    location /same { }
    location /if { if ($arg_x) { add_header X-If 1; } }
"""


def test_inherit(weir):
    names = ["plain", "off/a", "off/own", "merge/a", "merge/deep", "merge/none", "same", "if"]
    server = weir(INHERIT, files={f"html/{name}": "" for name in names})

    def added(path):
        return {name for name, _ in server.get(path).fields if name.startswith("X-")}

    assert added("/same") == {"X-Outer"}
    assert added("/plain") == {"X-Inner"}
    assert added("/off/a") == set()
    assert added("/off/own") == {"X-Inner"}
    assert added("/merge/a") == {"X-Outer", "X-Inner"}
    assert added("/merge/deep") == {"X-Outer", "X-Inner", "X-Deep"}
    assert added("/merge/none") == {"X-Outer", "X-Inner"}
    assert added("/if") == {"X-Outer"}
    assert added("/if?x=1") == {"X-If"}


def check_conf(folder, conf):
    (folder / "weir.conf").write_text(f"events {{ }}\nhttp {{ access_log off; server {{\n{conf}\n}} }}\n")
    done = subprocess.run([BINARY, "-t", "-p", str(folder), "-c", "weir.conf", "-e", "stderr"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_dropped_lines_are_told(tmp_path):
    said = check_conf(tmp_path, """add_header X-Frame-Options DENY; add_header X-B 1;
        location /a {
            add_header X-A 1;
        }""")
    assert '"add_header" here drops those of the outer block: X-Frame-Options, X-B' in said
    assert "weir.conf:5" in said
    for conf in ("add_header X-A 1; location / { add_header x-a 2; add_header X-B 2; }",
                 "add_header X-A 1; location / { add_header_inherit merge; add_header X-B 2; }",
                 "add_header X-A 1; location / { }", "location / { add_header X-A 1; }"):
        assert "drops" not in check_conf(tmp_path, conf), conf


# ---- expires ----

def ages(response):
    """Seconds from Date to Expires, and Cache-Control."""
    def at(name):
        return calendar.timegm(email.utils.parsedate(response.header(name)))
    return at("Expires") - at("Date"), response.header("Cache-Control")


@pytest.mark.parametrize("value, seconds, control", [
    ("1h", 3600, "max-age=3600"), ("+90", 90, "max-age=90"), ("0", 0, "max-age=0"),
    ("-1", -1, "no-cache"), ("1d12h", 129600, "max-age=129600"), ("$arg_e", 60, "max-age=60"),
])
def test_expires(weir, value, seconds, control):
    server = weir(f"root html; expires {value};", files={"html/a": "A"})
    response = server.get("/a?e=60")
    assert ages(response) == (seconds, control)
    assert server.get("/none").header("Expires") is None


def test_expires_fixed(weir):
    server = weir("""
        root html; expires 1h;
        location /epoch { alias @DIR@/html; expires epoch; }
        location /max { alias @DIR@/html; expires max; }
        location /off { alias @DIR@/html; expires off; }
        location /odd { alias @DIR@/html; expires $arg_e; }
    """, files={"html/a": "A"})
    epoch = server.get("/epoch/a")
    assert epoch.header("Expires") == "Thu, 01 Jan 1970 00:00:01 GMT"
    assert epoch.header("Cache-Control") == "no-cache"
    most = server.get("/max/a")
    assert most.header("Expires") == "Thu, 31 Dec 2037 23:55:55 GMT"
    assert most.header("Cache-Control") == "max-age=315360000"
    assert server.get("/off/a").header("Expires") is None
    assert server.get("/odd/a?e=nonsense").header("Expires") is None
    assert server.get("/odd/a?e=epoch").header("Cache-Control") == "no-cache"


def test_expires_modified(weir):
    server = weir("""
        root html; location / { expires modified 1h; }
        location /minus { alias @DIR@/html; expires modified -1h; }
        location /text { expires modified 2h; return 200 x; }
    """, files={"html/new": "A", "html/old": "A"})
    past = time.time() - 7200
    os.utime(server.dir / "html/old", (past, past))
    seconds, control = ages(server.get("/new"))
    assert 3590 <= seconds <= 3600 and control == f"max-age={seconds}"
    seconds, control = ages(server.get("/old"))
    assert -3610 <= seconds <= -3595 and control == "no-cache"
    assert ages(server.get("/minus/new"))[1] == "no-cache"
    assert ages(server.get("/text")) == (7200, "max-age=7200")      # from now: it has no such time


def test_expires_daily(weir):
    soon = time.localtime(time.time() + 3600)
    server = weir(f"root html; expires @{soon.tm_hour}h{soon.tm_min}m;", files={"html/a": "A"})
    seconds, control = ages(server.get("/a"))
    assert 3530 <= seconds <= 3600 and control == f"max-age={seconds}"


def test_expires_replaces(weir):
    server = weir("root html; expires 1h; add_header Cache-Control public;", files={"html/a": "A"})
    assert server.get("/a").header("Cache-Control") == "max-age=3600, public"


@pytest.mark.parametrize("line", ["expires modified epoch;", "expires modified @1h;", "expires @25h;",
                                  "expires x;", "expires modify 1h;", "add_header X-A b sometimes;",
                                  'add_header "" x;', "add_header_inherit maybe;"])
def test_mistakes(tmp_path, line):
    (tmp_path / "weir.conf").write_text(f"events {{ }}\nhttp {{ access_log off; {line} }}\n")
    done = subprocess.run([BINARY, "-t", "-p", str(tmp_path), "-c", "weir.conf", "-e", "stderr"],
                          capture_output=True, text=True)
    assert done.returncode == 1


# ---- trailers ----

def test_trailers(weir):
    server = weir("""
        root html; add_header X-Head 1; add_trailer X-End "$uri"; add_trailer X-Always 1 always;
        location /off { add_trailer_inherit off; }
    """, files={"html/a": "A" * 100, "html/off": "O"})
    raw = server.get("/a", {"TE": "trailers"}).raw
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"chunked" in head and b"X-End" not in head
    assert body.endswith(b"0\r\nX-End: /a\r\nX-Always: 1\r\n\r\n")
    raw = server.get("/none").raw
    assert b"X-Always: 1" in raw and b"X-End" not in raw
    assert b"X-End" not in server.get("/off").raw
    assert b"X-End" not in server.get("/a", version="1.0").raw
