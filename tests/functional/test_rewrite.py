"""rewrite, set, if, break and return."""
import subprocess

import pytest

import conftest


def body(server, path, **more):
    r = server.get(path, **more)
    assert r.status == 200, r
    return r.body.decode()


SHOW = 'return 200 "$uri|$args|$x";'


def test_set_and_return(weir):
    s = weir("""
        set $x "server:$arg_a";
        location / { %s }
        location /own { set $x "own $x"; set $y $x$x; return 200 $y; }
        location /code { return 418 "no coffee"; }
        location /empty { return 200; }
        location /gone { return 410; error_page 410 /; }
        location /to { return 301 /there?$args; }
        location /url { return https://example.com$request_uri; }
        location /close { return 444; }
        location /args { set $args a=7; return 200 "$arg_a $args"; }
        location /field { set $http_x_own made; return 200 $http_x_own; }
        location /sent { return 200 "<$http_x_own>"; }
    """ % SHOW)
    assert body(s, "/p?a=1") == "/p|a=1|server:1"
    assert body(s, "/own?a=2") == "own server:2own server:2"
    assert s.get("/code").status == 418 and s.get("/code").body == b"no coffee"
    assert s.get("/empty").header("content-length") == "0"
    assert s.get("/gone").status == 410 and s.get("/gone").body.startswith(b"/|")
    assert s.get("/to?q").header("location") == f"http://localhost:{s.port}/there?q"
    assert s.get("/url?q").header("location") == "https://example.com/url?q"
    assert s.raw(b"GET /close HTTP/1.0\r\n\r\n") == b""
    assert body(s, "/args?a=1") == "7 a=7"
    assert body(s, "/field", headers={"X-Own": "sent"}) == "made"
    assert body(s, "/sent", headers={"X-Own": "sent"}) == "<sent>"


def test_rewrite(weir):
    s = weir("""
        set $x -;
        rewrite ^/server/(.*) /in/$1;
        location /in { set $x in; %s }
        location /last { rewrite ^/last/(.*)$ /in/$1?b=$1 last; return 500; }
        location /none { rewrite ^/none/(.*)$ /in/$1 last; return 200 "not matched"; }
        location /drop { rewrite ^ /in? last; }
        location /query { rewrite ^ /in?only=1? last; }
        location /break { rewrite ^/break/(.*) /in/$1 break; %s }
        location /alone { rewrite ^ /in; break; }
        location /on { rewrite ^/on /in; set $x on; rewrite /in /in2; }
        location /named { rewrite ^/named/(?<first>[^/]*)/(?P<rest>.*) /in/$rest?$first; }
        location /loop { rewrite ^/loop(.*) /loop/x$1 last; }
        location /zero { rewrite ^ $arg_nothing; }
        location /302 { rewrite ^/302(.*) /to$1 redirect; }
        location /301 { rewrite ^/301(.*) /to$1?x=y permanent; }
        location /abs { rewrite ^ $scheme://else/$uri; return 500; }
        location /noargs { rewrite ^ http://else/?; }
    """ % (SHOW, SHOW), files={"html/in": "file"})
    assert body(s, "/server/p?q") == "/in/p|q|in"
    assert body(s, "/last/p?q") == "/in/p|b=p&q|in"
    assert body(s, "/none?q") == "not matched"
    assert body(s, "/drop?q") == "/in||in"
    assert body(s, "/query?q") == "/in|only=1|in"
    assert s.get("/break/p").status == 404             # "break" stops before return: /in/p is a file
    assert body(s, "/alone") == "file"
    assert body(s, "/on") == "/in2||in"
    assert body(s, "/named/a/b/c") == "/in/b/c|a|in"
    assert s.get("/loop").status == 500
    s.wait_log("rewrite or internal redirection cycle while processing")
    assert s.get("/zero").status == 500
    s.wait_log("the rewritten URI has a zero length")
    assert s.get("/302/p?q").header("location") == f"http://localhost:{s.port}/to/p?q"
    assert s.get("/301/p?q").status == 301
    assert s.get("/301/p?q").header("location").endswith("/to/p?x=y&q")
    assert s.get("/abs").header("location") == "http://else//abs"
    assert s.get("/noargs?q").header("location") == "http://else/"


def test_escaping(weir):
    s = weir("""
        location /args { rewrite ^(.*) $1?c=$1; return 200 "$uri $args"; }
        location /redirect { rewrite ^/redirect(.*) http://else$1 redirect; }
        location /set { if ($uri ~ ^/set/(.*)) { set $x $1; return 200 $x; } }
        location /after { rewrite ^/after/(.*) /$1; set $x $1; return 200 $x; }
        location /text { rewrite ^ http://else/%41%20%25%zz?%41 redirect; }
    """)
    assert body(s, "/args/%25&+") == "/args/%25&+ c=/args/%25&+".replace("%25&+ ", "%&+ ", 1).replace(
        "%25&+", "%25%26%2B")
    assert body(s, "/args/&") == "/args/& c=/args/&"
    assert s.get("/redirect/%20%22%C3%A4&%23").header("location") == "http://else/%20%22%C3%A4&%23"
    assert body(s, "/set/%20") == "%20"
    assert body(s, "/after/%20") == " "
    assert s.get("/text").header("location") == "http://else/A%20%25zz?%41"


def test_if(weir):
    s = weir("""
        set $x -;
        if ($http_x_server) { set $x "$x server"; }
        if ($request_method = DELETE) { return 403; }
        location /true { if ($arg_a) { return 200 yes; } return 200 no; }
        location /equal { if ($arg_a = $arg_b) { return 200 yes; } return 200 no; }
        location /differs { if ( $arg_a != x) { return 200 yes; } return 200 no; }
        location /match { if ($arg_a ~ ^(\\w)(?<n>x)) { return 200 "$1 $n"; } return 200 "no $1"; }
        location /nocase { if ($arg_a ~* ^x) { return 200 yes; } return 200 no; }
        location /not { if ($arg_a !~ ^x ) { return 200 yes; } return 200 no; }
        location /notcase { if ($arg_a !~* ^x) { return 200 yes; } return 200 no; }
        location /many {
            if ($arg_a) { set $x "$x a"; }
            set $x "$x middle";
            if ($arg_b) { set $x "$x b"; break; }
            return 200 $x;
        }
    """)
    for value, want in (("", "no"), ("0", "no"), ("00", "yes"), ("1", "yes"), ("no", "yes")):
        assert body(s, "/true?a=" + value) == want, value
    assert body(s, "/equal?a=1&b=1") == "yes" and body(s, "/equal?a=1&b=2") == "no"
    assert body(s, "/differs?a=x") == "no" and body(s, "/differs?a=y") == "yes"
    assert body(s, "/match?a=yx") == "y x" and body(s, "/match?a=-") == "no "
    assert body(s, "/nocase?a=X") == "yes" and body(s, "/nocase?a=y") == "no"
    assert body(s, "/not?a=X") == "yes" and body(s, "/not?a=x") == "no"
    assert body(s, "/notcase?a=X") == "no" and body(s, "/notcase?a=y") == "yes"
    assert body(s, "/many?a=1", headers={"X-Server": "1"}) == "- server a middle"
    assert s.get("/many?b=1").status == 404
    assert s.get("/", method="DELETE").status == 403


def test_if_takes_the_locations_place(weir):
    s = weir("""
        error_page 404 = @none;
        location @none { return 200 none; }
        location / { root one; if ($arg_a) { root a; } if ($arg_b) { root b; }
                     if ($arg_c) { set $x 1; } }
        location /try { root one; try_files /f =404; if ($arg_a) { set $x 1; } }
        location /limited { limit_except GET { deny all; } if ($arg_a) { return 200 if; } }
        location /alias/ { alias a/; if ($arg_b) { error_page 404 =402 /f; } }
    """, files={"one/f": "one", "a/f": "a", "b/f": "b", "one/try/g": "g"})
    assert body(s, "/f") == "one"
    assert body(s, "/f?a=1") == "a"
    assert body(s, "/f?b=1") == "b"
    assert body(s, "/f?a=1&b=1") == "b"
    assert body(s, "/f?a=1&c=1") == "one"      # the last block counts, which has the location's root
    assert body(s, "/try/g") == "one"
    assert body(s, "/try/g?a=1") == "g"        # as in nginx: try_files is not carried over
    assert body(s, "/alias/f") == "a" and body(s, "/alias/f?b=1") == "a"
    assert s.get("/alias/g?b=1").status == 402
    assert s.get("/limited?a=1").body == b"if"
    assert s.get("/limited?a=1", method="POST").status == 403  # as in nginx: its own block has no "if"


def test_if_files(weir):
    tests = "".join(f"location /{name} {{ if ({op} @DIR@$arg_p) {{ return 200 yes; }} return 200 no; }}\n"
                    for name, op in (("f", "-f"), ("d", "-d"), ("e", "-e"), ("x", "-x"),
                                     ("nf", "!-f"), ("nd", "!-d"), ("ne", "!-e"), ("nx", "!-x")))
    for more in ("", "aio threads;", "open_file_cache max=10;", "aio threads; open_file_cache max=10;"):
        s = weir(more + tests, files={"data/file": "x"})
        results = {path: "".join(name for name in ("f", "d", "e", "x", "nf", "nd", "ne", "nx")
                                 if body(s, f"/{name}?p={path}") == "yes") for path in
                   ("/data/file", "/data", "/none", "/data/file/none")}
        assert results == {"/data/file": "fendnx", "/data": "dexnf", "/none": "nfndnenx",
                           "/data/file/none": "nfndnenx"}, more
        s.stop()


def test_steps_go_on_after_a_wait(weir):
    s = weir("""
        aio threads;
        location / {
            set $x "$x 1";
            if (-f @DIR@/weir.conf) { set $x "$x 2"; }
            if (-d @DIR@) { set $x "$x 3"; rewrite ^/(.*) /other/$1; set $x "$x 4"; }
            if (!-e @DIR@/none) { set $x "$x 5"; }
        }
        location /other { return 200 "$uri$x"; }
        uninitialized_variable_warn off;
    """)
    assert body(s, "/p") == "/other/p 1 2 3 4 5"


def test_rewrite_log_and_warning(weir):
    s = weir("""
        location /on { rewrite_log on; rewrite ^/on/no /x; rewrite ^/on /to?a; return 200 $never; }
        location /off { rewrite ^/off /to; return 200 "$never"; }
        location /quiet { uninitialized_variable_warn off; return 200 "$other"; }
        location /set { set $never 1; set $other 1; }
    """, main="error_log error.log notice;")
    assert body(s, "/quiet") == ""
    assert "uninitialized" not in s.log()
    assert body(s, "/on/x?b") == ""
    log = s.log()
    assert '"^/on/no" does not match "/on/x"' in log
    assert '"^/on" matches "/on/x"' in log
    assert 'rewritten data: "/to", args: "a&b"' in log
    assert 'using uninitialized "never" variable' in log
    before = log.count("matches")
    assert body(s, "/off") == ""
    assert s.log().count("matches") == before


def test_a_pattern_that_gives_up(weir):
    s = weir("""
        location /bad { rewrite "(a+)+\\1$" /x; return 200 done; }
        location /badif { if ($uri ~ "(a+)+\\1$") { return 200 yes; } return 200 done; }
    """)
    for path in ("/bad/", "/badif/"):
        assert s.get(path + "a" * 5000 + "b").status in (200, 500)
    assert s.get("/bad/" + "a" * 5000 + "b").status == 500
    s.wait_log('regular expression "(a+)+\\1$"')


def check(tmp_path, server):
    conf = tmp_path / "t.conf"
    conf.write_text("error_log stderr;\nevents { }\nhttp { access_log off; server { listen 127.0.0.1:%d;\n%s\n} }\n"
                    % (conftest.free_port(), server))
    return subprocess.run([conftest.BINARY, "-t", "-p", str(tmp_path), "-c", str(conf)],
                          capture_output=True, text=True)


def test_mistakes(tmp_path):
    for server, want in (
            ("if $a { }", 'invalid condition "$a"'),
            ("if ($host { }", 'invalid condition "($host"'),
            ("if ($host = a b) { }", 'invalid condition "($host"'),
            ("if ($host == a) { }", 'unexpected "==" in condition'),
            ("if (-q /x) { }", 'invalid condition "(-q"'),
            ("if (-f) { }", 'invalid condition "(-f)"'),
            ("if () { }", 'invalid condition "()"'),
            ("if ($nothing) { }", 'unknown "nothing" variable'),
            ("if ($host ~ () { }", "regular expression"),
            ("if ($host) { root /; }", '"root" directive is not allowed here'),
            ("rewrite ^ \"\";", "empty replacement"),
            ("rewrite ^ / lats;", 'invalid parameter "lats"'),
            ("rewrite ( /;", "regular expression"),
            ("set x 1;", 'invalid variable name "x"'),
            ("set $host 1;", 'the duplicate "host" variable'),
            ("return 1000;", 'invalid return code "1000"'),
            ("return x;", 'invalid return code "x"')):
        result = check(tmp_path, server)
        assert result.returncode == 1 and want in result.stderr, (server, result.stderr)


def test_warnings(tmp_path):
    result = check(tmp_path, """
        location / { try_files $uri =404;
            if ($arg_a = 1) { root a; }
            if ($arg_a = 2) { root b; }
            if ($arg_b) { set $x 1; }
            if ($arg_c) { return 403; }
            if ($arg_d) { rewrite ^ /x last; }
        }""")
    assert result.returncode == 0, result.stderr
    warnings = [line for line in result.stderr.splitlines() if "[warn]" in line]
    assert sum('"try_files"' in line for line in warnings) == 3
    assert [line.rsplit(":", 1)[1] for line in warnings if "only the last one" in line] == ["8"]


def test_other_advice(tmp_path):
    result = check(tmp_path, """
        server_name a.example;
        location /slash/ { alias html; }
        location /good/ { alias html/; }
        location /same { alias html; }
    } server { listen 127.0.0.1:8080; server_name _; } server { listen 127.0.0.1:8080; server_name b;
    } server { listen 127.0.0.1:8081; server_name c; } server { listen 127.0.0.1:8081; server_name d;
    } server { listen 127.0.0.1:8082; server_name e;
    } server { listen 127.0.0.1:8082 default_server; server_name f; """)
    assert result.returncode == 0, result.stderr
    warnings = [line for line in result.stderr.splitlines() if "[warn]" in line]
    assert len(warnings) == 2, warnings
    assert "the alias has no" in warnings[0] and ":6" in warnings[0]
    assert "on 127.0.0.1:8081 this server answers for all names" in warnings[1]


def test_redirects_forget_a_rewrite(weir):
    s = weir("""
        location /error { rewrite ^ /elsewhere; error_page 404 @named; return 404; }
        location @named { set $y 1; return 200 "named $uri"; }
        location /elsewhere { return 200 elsewhere; }
        location /inside { internal; location /inside/more { return 200 more; } }
        location /in { rewrite ^/in(.*) /inside/more last; }
    """)
    assert s.get("/error").body == b"named /elsewhere"
    assert s.get("/inside/more").status == 404
    assert s.get("/into").status == 200


@pytest.mark.parametrize("page", ["/x", "@x"])
def test_error_pages_that_fail_come_to_an_end(weir, page):
    s = weir(f"""recursive_error_pages on; error_page 404 500 {page};
        location / {{ return 404; }}
        location @x {{ return 404; }}""")
    assert s.get("/x").status == 500
    s.wait_log("rewrite or internal redirection cycle while internally redirecting to")


def test_slash_is_added_where_nothing_else_is_there(weir):
    """As nginx: "/x" is redirected to a proxied "/x/" where no location is its own."""
    s = weir("""location /a/ { proxy_pass http://127.0.0.1:@PORT@/there/; }
        location /b { return 200 own; }
        location /b/ { proxy_pass http://127.0.0.1:@PORT@/there/; }
        location = /c { return 200 exact; }
        location /c/ { proxy_pass http://127.0.0.1:@PORT@/there/; }
        location /there { return 200 there; }""")
    assert s.get("/a").header("location") == f"http://localhost:{s.port}/a/"
    assert body(s, "/b") == "own"
    assert body(s, "/c") == "exact"
    assert body(s, "/b/") == "there"
