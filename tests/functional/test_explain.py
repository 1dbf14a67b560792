"""weir explain: how a request would go, without a server; compared with what the server then does."""
import json
import re
import subprocess

import pytest

from conftest import BINARY, free_port

CONF = """
events { }
error_log logs/error.log;
http {
    types { text/html html; image/png png; text/plain txt; }
    add_header X-A 1;
    limit_req_zone $remote_addr zone=z:1m rate=1r/s;
    server {
        listen 127.0.0.1:@PORT@;
        server_name example.com *.example.org mail.* ~^api(?<n>\\d+)\\.;
        root html;
        error_page 404 /404.html;
        rewrite ^/old/(.*)$ /images/$1 last;
        location / { try_files $uri $uri/ @app; }
        location = /exact { return 204; }
        location ^~ /docs/ { gzip on; allow 10.0.0.0/8; deny all; }
        location /images/ {
            limit_req zone=z burst=5;
            expires 1d;
            location ~ \\.png$ { etag off; }
        }
        location ~* \\.(gif|jpg)$ { expires 30d; }
        location ~ \\.txt$ {
            set $kind "text-$arg_x";
            if ($http_cookie ~ "id=([0-9]+)") { rewrite ^ /images/a.png break; }
            if ($arg_deny) { return 403; }
            if (-f $document_root/app.txt) { add_header X-File yes; }
        }
        location /members/ { auth_basic "Members"; auth_basic_user_file htpasswd; }
        location /read/ { limit_except GET { deny all; } }
        location /loop { rewrite ^ /loop last; }
        location @app { return 200 "app\\n"; }
        location /gone { internal; }
        location /close { return 444; }
    }
    server {
        listen 127.0.0.1:@PORT@ default_server;
        server_name _;
        return 301 http://example.com$request_uri;
    }
}
"""


class Explained:
    def __init__(self, data):
        self.data = data
        self.steps = data["steps"]
        self.status = data["response"]["status"]
        self.server_why = data["server"]["why"]
        self.directives = {d["text"]: d for d in data["directives"]}

    def part(self, name):
        return [(s["mark"], s["what"], s["result"]) for s in self.steps if s["part"] == name]

    def marked(self, part, mark):
        return [what for m, what, _ in self.part(part) if m == mark]

    def line(self, what):
        """The line of the configuration that a step names."""
        return int(next(s for s in self.steps if s["what"] == what)["place"].rpartition(":")[2])

    def field(self, name):
        for field in self.data["response"]["fields"]:
            if field.lower().startswith(name.lower() + ": "):
                return field.partition(": ")[2]
        return None


@pytest.fixture(name="site")
def site_fixture(tmp_path):
    class Site:
        dir = tmp_path
        port = free_port()

        def run(self, *words, code=0):
            result = subprocess.run([BINARY, "explain", "-p", str(tmp_path), "-c", "weir.conf",
                                     *words], capture_output=True, text=True, timeout=60,
                                    check=False)
            assert result.returncode == code, result.stderr
            assert "Sanitizer" not in result.stderr and "runtime error" not in result.stderr
            return result.stdout if code == 0 else result.stderr

        def explain(self, path, *words, host="example.com"):
            url = f"http://{host}:{self.port}{path}"
            return Explained(json.loads(self.run("--json", *words, url)))

        def conf(self, text):
            (tmp_path / "weir.conf").write_text(text.replace("@PORT@", str(self.port)))

        def line_of(self, text):
            lines = (tmp_path / "weir.conf").read_text().splitlines()
            return next(i for i, line in enumerate(lines, 1) if text in line)

    for folder in ("html/images", "html/docs", "logs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "html/index.html").write_text("home")
    (tmp_path / "html/404.html").write_text("<b>404</b>")
    (tmp_path / "html/images/a.png").write_text("png")
    (tmp_path / "html/app.txt").write_text("text")
    site = Site()
    site.conf(CONF)
    return site


@pytest.mark.parametrize("host,why", [
    ("example.com", 'the exact name "example.com"'),
    ("www.example.org", 'the wildcard "*.example.org"'),
    ("mail.example.net", 'the wildcard "mail.*"'),
    ("api7.x", 'the regular expression "~^api(?<n>\\d+)\\."'),
    ("other.net", "no name fits: the default_server of that address"),
])
def test_server(site, host, why):
    e = site.explain("/exact", host=host)
    assert e.server_why == why
    assert e.status == (301 if host == "other.net" else 204)


def test_location_and_rewrite(site):
    e = site.explain("/old/a.png?q=1")
    assert e.part("rewrite") == [
        ("goes", "rewrite ^/old/(.*)$ /images/$1 last", "/old/a.png?q=1 -> /images/a.png?q=1")]
    assert e.line("rewrite ^/old/(.*)$ /images/$1 last") == site.line_of("rewrite ^/old/")
    assert e.marked("location", "yes") == ["/images/"]
    assert e.marked("location", "chosen") == ["~ \\.png$"]
    assert "^~ /docs/" in e.marked("location", "no")
    assert e.line("~ \\.png$") == site.line_of("location ~ \\.png$")
    assert e.part("static") == [("chosen", str(site.dir / "html/images/a.png"),
                                 "a file of 3 bytes")]
    assert (e.status, e.field("Content-Type"), e.field("ETag")) == (200, "image/png", None)


def test_directives_say_where_they_stand(site):
    e = site.explain("/images/a.png")
    expires, etag, root = (e.directives[t] for t in ("expires 1d;", "etag off;", "root html;"))
    assert (etag["from"], expires["from"], root["from"]) == ("", "location /images/", "server")
    assert expires["place"] == f"{site.dir}/weir.conf:{site.line_of('expires 1d')}"
    assert not any(t.startswith("rewrite") for t in e.directives)


def test_nearest_list_replaces(site):
    site.conf("events { } http { deny 1.1.1.1; add_header A 1; server { listen 127.0.0.1:@PORT@;\n"
              "location / { allow all; add_header B 2; add_header C 3; } } }")
    texts = list(site.explain("/").directives)
    assert texts == ["allow all;", "add_header B 2;", "add_header C 3;"]


def test_limits_are_named_not_run(site):
    for _ in range(10):
        e = site.explain("/images/a.png")
        assert e.status == 200
    assert e.marked("limit_req", "assumed") == ["limit_req zone=z burst=5;"]


def test_try_files_and_named_location(site):
    e = site.explain("/nothing")
    path = str(site.dir / "html/nothing")
    assert e.part("try_files")[1:] == [("no", path, "not there"), ("no", path, "not there")]
    assert e.part("redirect") == [("goes", "@app", "internal, by try_files (1 of 10)")]
    assert e.marked("rewrite", "chosen") == ['return 200 "app\\n"']
    assert (e.status, e.data["location"]["name"]) == (200, "@app")


def test_index(site):
    e = site.explain("/")
    assert ("goes", "/index.html", "internal, by index (1 of 10)") in e.part("redirect")
    assert e.field("Content-Length") == "4"


def test_error_page(site):
    e = site.explain("/gone")
    assert e.marked("internal", "refused")
    assert e.part("error_page") == [("note", "error_page 404 /404.html;", "for 404 Not Found")]
    assert e.part("redirect") == [("goes", "/404.html", "internal, by error_page (1 of 10)")]
    assert (e.status, e.field("Content-Length")) == (404, "10")


def test_if_blocks(site):
    e = site.explain("/app.txt?x=5", "-H", "Cookie: id=42")
    rewrite = e.part("rewrite")
    assert ("yes", "set $kind text-$arg_x", '$kind is "text-5"') in rewrite
    assert any(mark == "yes" and 'holds: $http_cookie is "id=42"' == result
               for mark, _, result in rewrite)
    assert e.part("static")[0][1].endswith("/images/a.png")
    e = site.explain("/app.txt?deny=1")
    assert e.status == 403
    e = site.explain("/app.txt")
    assert e.field("X-File") == "yes"
    assert e.data["location"]["name"].startswith("if (")


def test_access(site):
    e = site.explain("/docs/")
    assert e.part("access") == [("refused", "deny all;", "keeps the client out")]
    assert e.status == 403
    e = site.explain("/docs/x", "--from", "10.1.2.3")
    assert e.part("access") == [("yes", "allow 10.0.0.0/8;", "lets the client in")]
    assert e.status == 404


def test_limit_except(site):
    assert site.explain("/read/x").status == 404
    e = site.explain("/read/x", "-X", "POST")
    assert e.status == 403
    assert any(s["result"].startswith("limit_except") for s in e.steps)


def test_password(site):
    e = site.explain("/members/")
    assert (e.status, e.field("WWW-Authenticate")) == (401, 'Basic realm="Members"')
    e = site.explain("/members/", "-H", "Authorization: Basic YTpi")
    assert e.marked("auth_basic", "assumed") == ["auth_basic_user_file htpasswd;"]
    assert e.status in (403, 404)


def test_loop_ends(site):
    e = site.explain("/loop")
    assert e.status == 500
    assert any("rewrite or internal redirection cycle" in s["what"] for s in e.steps)


def test_closed_without_an_answer(site):
    e = site.explain("/close")
    assert e.status == 0
    assert "closed" in e.data["response"]["outcome"]


def test_bad_requests(site):
    assert site.explain("/%zz").status == 400
    assert site.explain("/", "-H", "Host: a b").status == 400
    assert site.explain("/", "-H", "no colon").status == 400


def test_bytes_that_are_no_text(site):
    e = site.explain("/%ff%1b%c3%a4")
    assert e.part("location")[0][1] == "/\\xff\\x1b\u00e4"
    text = site.run(f"http://example.com:{site.port}/%1b%5b31m")
    assert "\x1b" not in text and "/\\x1b[31m" in text


def test_filters(site):
    e = site.explain("/index.html", "-H", "If-None-Match: *")
    assert e.status == 304
    filters = {what: mark for mark, what, _ in e.part("filters")}
    assert filters["not_modified"] == "yes"
    assert "gzip" not in filters


def test_request_in_folders_of_threads(site):
    site.conf("events { } thread_pool default threads=1; http { aio threads;\n"
              "server { listen 127.0.0.1:@PORT@; root html; } }")
    assert site.explain("/app.txt").status == 200


def test_path_alone_and_other_ports(site):
    text = site.run("/exact")
    assert "the first: the URL names none" in text
    assert "nothing listens on port 1 there" in site.run("http://example.com:1/", code=1)
    assert "only http://" in site.run("ftp://example.com/", code=1)
    assert "which URL?" in site.run(code=1)
    assert "only one URL" in site.run("/a", "/b", code=1)
    assert "a value is missing" in site.run("/a", "-H", code=1)
    assert "no address" in site.run("--from", "nowhere", "/a", code=1)


@pytest.mark.parametrize("line,path,asks", [
    ("proxy_pass http://back/b/;", "/a/x%20y?z=1", "back for GET /b/x%20y?z=1 HTTP/1.1"),
    ("proxy_pass http://127.0.0.1:9002;", "/a/x%20y?z=1", "127.0.0.1:9002 for GET /a/x%20y?z=1 HTTP/1.1"),
    ("proxy_pass http://127.0.0.1:$arg_p/q;", "/a/?p=99", "127.0.0.1:99 for GET /q HTTP/1.1"),
])
def test_proxy(site, line, path, asks):
    site.conf("events { } http { upstream back { server 127.0.0.1:9001; } server { gzip on;\n"
              f"listen 127.0.0.1:@PORT@; location /a/ {{ {line} }} }} }}")
    e = site.explain(path)
    assert e.part("handler") == [("assumed", line, "would ask " + asks)]
    assert "gzip" in e.marked("filters", "assumed")
    assert e.status == 0


@pytest.mark.parametrize("more,cookie,order", [
    ("", "", ["1", "2", "4"]),
    ("least_conn;", "", ["1", "2", "4"]),
    ("sticky cookie s;", "s=two", ["2", "1", "4"]),
    ("sticky cookie s;", "s=three", ["3", "1", "2", "4"]),
])
def test_servers_in_their_order(site, more, cookie, order):
    site.conf(f"""events {{ }} http {{ upstream back {{ {more}
        server 127.0.0.1:9001 weight=2; server 127.0.0.1:9002 route=two; server 127.0.0.1:9003 drain
        route=three; server 127.0.0.1:9004 backup; server 127.0.0.1:9005 down; }}
        server {{ listen 127.0.0.1:@PORT@; location / {{ proxy_pass http://back; proxy_method PUT; }} }} }}""")
    e = site.explain("/x", "-H", f"Cookie: {cookie}")
    assert e.part("handler")[0][2] == "would ask back for PUT /x HTTP/1.1"
    steps = e.part("upstream")
    assert steps[0][:2] == ("chosen", "upstream back")
    assert "4 servers and 1 backup" in steps[0][2]
    assert e.line("upstream back") == site.line_of("upstream back")
    asked = [(what[-1], result) for mark, what, result in steps[1:] if mark in ("chosen", "note")]
    assert [what for what, _ in asked] == order
    assert asked[0][1].startswith("asked first") and asked[-1][1].endswith("a backup")
    assert ("bound" in asked[0][1]) == bool(cookie)
    assert [what[-1] for mark, what, _ in steps if mark == "no"] == ["3", "5"]


def test_names_that_may_change(site):
    """No name server is asked for them, nor is it said that there is nobody."""
    site.conf("""events { } http { resolver 127.0.0.1:9; upstream back { zone z 64k;
        server app.internal:9001 resolve; }
        server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://back; } } }""")
    steps = site.explain("/").part("upstream")
    assert [mark for mark, _, _ in steps] == ["chosen", "assumed"]
    assert "while it runs" in steps[1][2]


def test_mistake_in_the_configuration(site):
    site.conf("events { } http { servr { } }")
    assert "servr" in site.run("/", code=1)


def test_text(site):
    text = site.run(f"http://example.com:{site.port}/old/a.png")
    assert "\x1b" not in text
    assert text.startswith(f"GET http://example.com:{site.port}/old/a.png\n")
    place = f"weir\\.conf:{site.line_of('server {')}"
    assert re.search(rf"^server +example\.com +the exact name .* {place}$", text, re.M)
    assert re.search(r"^response +200 OK$", text, re.M)
    assert re.search(r"^ +> ~ \\\.png\$ +the first regular expression that matches", text, re.M)


def test_nothing_is_written(site):
    site.run("/docs/")
    assert list((site.dir / "logs").iterdir()) == []


def test_as_the_server_does(weir):
    """What is explained is what happens."""
    inside = CONF.partition("http {")[2].rpartition("}")[0]
    server = weir(http=inside, files={"html/index.html": "home", "html/404.html": "<b>404</b>",
                                      "html/images/a.png": "png", "html/app.txt": "text"})
    for path in ("/", "/old/a.png", "/images/none.png", "/exact", "/docs/", "/nothing", "/gone",
                 "/loop", "/app.txt", "/app.txt?deny=1", "/members/", "/x.gif", "/index.html"):
        done = subprocess.run(
            [BINARY, "explain", "-p", str(server.dir), "-c", str(server.dir / "weir.conf"), "--json",
             f"http://example.com:{server.port}{path}"], capture_output=True, text=True, timeout=60,
            check=True)
        e = Explained(json.loads(done.stdout))
        answer = server.get(path, host="example.com")
        assert (path, e.status) == (path, answer.status)
        for name in ("Content-Type", "Content-Length", "ETag", "X-A", "X-File"):
            assert (path, name, e.field(name)) == (path, name, answer.header(name))
