"""charset: names in Content-Type, and bodies converted between charsets."""
import conftest


MAPS = """
    charset_map koi8-r utf-8 { C1 D0B0; C2 D0B1 ; 80 E29480; }
    charset_map windows-1251 koi8-r { E0 C1; e1 C2; }
    charset_map B A { 58 59; }
"""


def start(weir, server, files, http=""):
    return weir(http=f"{MAPS} {http} types {{ text/html html; text/plain txt; image/gif gif; }}\n"
                     f"server {{ listen 127.0.0.1:@PORT@;\n{server}\n}}", files=files)


def test_names(weir):
    s = start(weir, """
        charset utf-8;
        location /off/ { charset off; }
        location /all/ { charset_types *; }
        location /arg/ { charset $arg_c; }
        location /if/ { if ($arg_c) { charset koi8-r; } }
        location /json { default_type application/json; charset_types application/json; return 200 "{}"; }
        location /to { return 301 /; }
        location /404 { return 404; }
    """, {f"html{folder}/a.{kind}": "x" for folder in ("", "/off", "/all", "/arg", "/if")
          for kind in ("html", "gif")})
    kinds = [("/a.html", "text/html; charset=utf-8"), ("/a.gif", "image/gif"),
             ("/off/a.html", "text/html"), ("/all/a.gif", "image/gif; charset=utf-8"),
             ("/arg/a.html", "text/html"), ("/arg/a.html?c=x-y", "text/html; charset=x-y"),
             ("/if/a.html", "text/html; charset=utf-8"),
             ("/if/a.html?c=1", "text/html; charset=koi8-r"),
             ("/json", "application/json; charset=utf-8"), ("/to", "text/html"),
             ("/404", "text/html; charset=utf-8")]
    for path, kind in kinds:
        assert s.get(path).header("content-type") == kind, path
    r = s.get("/a.html")
    assert r.body == b"x" and r.header("content-length") == "1" and r.header("accept-ranges")


def test_bytes(weir):
    for more in ("", "sendfile on;", "aio threads;"):
        text = b"X-\xff" * 40000
        s = start(weir, more + "charset A; source_charset B; output_buffers 2 5000;", {"html/a.html": text})
        want = text.replace(b"X", b"Y").replace(b"\xff", b"?")
        r = s.get("/a.html")
        assert r.body == want and r.header("content-length") == str(len(want))
        assert r.header("content-type") == "text/html; charset=A"
        r = s.get("/a.html", headers={"Range": "bytes=3-10"})
        assert r.status == 206 and r.body == want[3:11]
        r = s.get("/a.html", headers={"Range": "bytes=90001-90003,1-2"})
        assert r.status == 206
        assert b"\r\n\r\n" + want[90001:90004] + b"\r\n" in r.body and b"\r\n\r\n-?\r\n" in r.body
        assert s.get("/a.html", method="HEAD").header("content-length") == str(len(want))
        s.stop()


def test_utf8(weir):
    s = start(weir, """
        location /to/ { charset utf-8; source_charset koi8-r; }
        location /from/ { charset koi8-r; source_charset utf-8; }
        location /back/ { charset windows-1251; source_charset koi8-r; }
    """, {"html/to/a.html": b"a\xc1\xc2\x80\xff" * 20000,
          "html/from/a.html": "aаб─я😀".encode() * 20000 + b"\xd0",
          "html/from/bad.html": b"\xffa\xc0\x80\xe2\x94a\xed\xa0\x80\xf5\xd0",
          "html/back/a.html": b"a\xc1\xc2"})
    r = s.get("/to/a.html")
    assert r.body == "aаб─?".encode() * 20000
    assert r.header("content-length") is None and r.header("accept-ranges") is None
    assert s.get("/to/a.html", headers={"Range": "bytes=0-1"}).status == 200
    assert s.get("/from/a.html").body == b"a\xc1\xc2\x80&#1103;&#128512;" * 20000 + b"?"
    assert s.get("/from/bad.html").body == b"?a???a???"
    assert s.get("/back/a.html").body == b"a\xe0\xe1"
    assert s.get("/to/a.html", method="HEAD").status == 200


def test_no_table(weir):
    s = start(weir, "charset $arg_c; source_charset koi8-r;", {"html/a.html": b"\xc1"})
    assert s.get("/a.html?c=utf-8").body == "а".encode()
    r = s.get("/a.html?c=latin1")
    assert r.body == b"\xc1" and r.header("content-type") == "text/html"
    s.wait_log('no "charset_map" between the charsets "koi8-r" and "latin1"')


def test_mistakes(tmp_path):
    import subprocess
    for text, want in (
            ("charset_map a a { }", '"charset_map" between the same charsets "a" and "a"'),
            ("charset_map a b { } charset_map B A { }", 'duplicate "charset_map" between "B" and "A"'),
            ("charset_map a b { 1 2 3; }", "invalid parameters number"),
            ("charset_map a b { 100 2; }", 'invalid value "100"'),
            ("charset_map a b { 1 xy; }", 'invalid value "xy"'),
            ("charset_map a utf-8 { 80 C080; }", 'invalid value "C080"'),
            ("charset_map a utf-8 { 80 F09F9880; }", 'invalid value "F09F9880"'),
            ("charset a; source_charset b;", 'no "charset_map" between the charsets "b" and "a"')):
        conf = tmp_path / "t.conf"
        conf.write_text("error_log stderr;\nevents { }\nhttp { access_log off; %s\n}\n" % text)
        result = subprocess.run([conftest.BINARY, "-t", "-p", str(tmp_path), "-c", str(conf)],
                                capture_output=True, text=True)
        assert result.returncode == 1 and want in result.stderr, (text, result.stderr)
