"""referer, secure_link, userid, browser, empty_gif, random_index and stub_status."""
import base64
import hashlib
import re
import subprocess
import time

import conftest


def check(tmp_path, text):
    conf = tmp_path / "t.conf"
    conf.write_text("error_log stderr;\nevents { }\nhttp { access_log off; server { %s } }\n" % text)
    return subprocess.run([conftest.BINARY, "-t", "-p", str(tmp_path), "-c", str(conf)],
                          capture_output=True, text=True)


# ---- referer ----

def test_referer(weir):
    s = weir("""
        server_name own.example *.wild.example ~^re(x)$;
        location / { valid_referers none blocked server_names Other.example/dir ~^a.*/b$;
                     if ($host ~ (.)) { return 200 "$invalid_referer$1"; } }
        location /unset { return 200 "$invalid_referer"; }
        location /none { valid_referers none; return 200 "$invalid_referer"; }
        location /some { valid_referers a.example; return 200 "$invalid_referer"; }
    """)

    def bad(path, referer=None):
        r = s.get(path, headers={"Referer": referer} if referer is not None else {})
        return r.body.decode()

    good = [None, "", "blanked", "http://own.example", "https://OWN.example:80/x?y",
            "http://a.wild.example/", "http://rex/", "http://other.example/dir/x", "http://ab/b"]
    for referer in good:
        assert bad("/", referer) == "l", referer
    for referer in ("http://else.example/", "http://other.example/", "http://ab/c",
                    "http://" + "a" * 300, "http://wild.example"):
        assert bad("/", referer) == "1l", referer
    assert bad("/unset", "http://x/y/z") == ""
    assert bad("/none", "http://else.example/") == ""      # as in nginx: there is no name to compare
    assert bad("/some") == "1" and bad("/some", "nothing") == "1"


def test_referer_mistakes(tmp_path):
    for text, want in (('valid_referers "";', 'invalid referer ""'),
                       ("valid_referers a.b a.b;", 'conflicting parameter "a.b"'),
                       ("valid_referers a*b;", 'invalid hostname or wildcard "a*b"'),
                       ("valid_referers ~(;", "regular expression")):
        result = check(tmp_path, text)
        assert result.returncode == 1 and want in result.stderr, (text, result.stderr)


# ---- secure_link ----

def md5_url(text):
    return base64.urlsafe_b64encode(hashlib.md5(text.encode()).digest()).decode().rstrip("=")


def test_secure_link(weir):
    s = weir("""
        location / { secure_link $arg_h,$arg_e; secure_link_md5 "$uri key $arg_e";
                     return 200 "[$secure_link][$secure_link_expires]"; }
        location /old/ { secure_link_secret word; return 200 "[$secure_link]";
            location /old/new { secure_link $arg_h; secure_link_md5 x; return 200 "[$secure_link]"; } }
        location /off { return 200 "[$secure_link][$secure_link_expires]"; }
    """)
    later, before = int(time.time()) + 1000, int(time.time()) - 1000
    assert s.get(f"/p?h={md5_url(f'/p key {later}')}&e={later}").body.decode() == f"[1][{later}]"
    assert s.get(f"/p?h={md5_url(f'/p key {before}')}&e={before}").body.decode() == f"[0][{before}]"
    assert s.get(f"/q?h={md5_url(f'/p key {later}')}&e={later}").body.decode() == f"[][{later}]"
    assert s.get(f"/p?h={md5_url('/p key x')}&e=x").body == b"[][]"
    assert s.get("/p").body == b"[][]"
    assert s.get("/off").body == b"[][]"
    digest = hashlib.md5(b"a/b?c=dword").hexdigest()
    assert s.get(f"/old/{digest}/a/b?c=d").body == b"[a/b?c=d]"
    assert s.get(f"/old/{digest.upper()}/a/b?c=d").body == b"[a/b?c=d]"
    assert s.get(f"/old/{digest}/a/b").body == b"[]"
    assert s.get("/old/").body == b"[]"
    assert s.get(f"/old/new?h={md5_url('x')}").body == b"[1]"


def test_secure_link_ways_do_not_mix(tmp_path):
    result = check(tmp_path, "location / { secure_link $arg_a; secure_link_secret x; }")
    assert result.returncode == 1 and "cannot be mixed with" in result.stderr


# ---- userid ----

COOKIE = re.compile(r"^uid=([A-Za-z0-9+/]{22}(..))(.*)$")


def hex_of(text):
    raw = base64.b64decode(text[:22] + "==")
    return "".join(raw[i:i + 4][::-1].hex().upper() for i in range(0, 16, 4))


def test_userid(weir):
    s = weir("""
        userid on; userid_p3p 'CP="x"';
        add_header X-Got "$uid_got"; add_header X-Set "$uid_set";
        location /v1 { userid v1; userid_service 258; }
        location /log { userid log; return 200 "$uid_got|$uid_set"; }
        location /off { userid off; return 200 "$uid_got|$uid_set"; }
        location /all { userid_domain d.example; userid_path /p; userid_expires 1d;
                        userid_flags secure httponly samesite=lax; }
        location /max { userid_expires max; userid_mark z; }
        location /reset { set $uid_reset log; error_log error.log notice; return 204; }
    """, files={f"html/{name}": "x" for name in ("a", "v1", "all", "max")})
    r = s.get("/a")
    first = COOKIE.match(r.header("set-cookie"))
    assert first[2] == "==" and first[3] == "; path=/"
    raw = base64.b64decode(first[1])
    assert raw[:4] == bytes([127, 0, 0, 1])
    assert abs(int.from_bytes(raw[4:8], "big") - time.time()) < 100
    assert r.header("x-set") == "uid=" + hex_of(first[1]) and r.header("x-got") is None
    assert r.header("p3p") == 'CP="x"'
    again = s.get("/a").header("set-cookie")
    assert again != r.header("set-cookie")
    r = s.get("/a", headers={"Cookie": "x=1; uid=" + first[1]})
    assert r.header("set-cookie") is None
    assert r.header("x-got") == "uid=" + hex_of(first[1]) and r.header("x-set") is None
    assert s.get("/log", headers={"Cookie": "uid=" + first[1]}).body.decode() == \
        f"uid={hex_of(first[1])}|"
    assert s.get("/off", headers={"Cookie": "uid=" + first[1]}).body == b"|"
    assert base64.b64decode(COOKIE.match(s.get("/v1").header("set-cookie"))[1])[:4] == b"\2\1\0\0"
    rest = COOKIE.match(s.get("/all").header("set-cookie"))[3]
    assert re.fullmatch(r"; expires=\w{3}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT; domain=d.example; "
                        r"path=/p; secure; httponly; samesite=lax", rest), rest
    r = s.get("/max", headers={"Cookie": "uid=" + first[1]})
    marked = COOKIE.match(r.header("set-cookie"))
    assert marked[1] == first[1][:22] + "z=" and "; expires=Thu, 31-Dec-37 23:55:55 GMT;" in marked[3]
    assert s.get("/max", headers={"Cookie": "uid=" + marked[1]}).header("set-cookie") is None
    for sent in ("short", "-" * 24):
        assert s.get("/a", headers={"Cookie": "uid=" + sent}).header("set-cookie")
    s.wait_log('client sent too short userid cookie "short"')
    s.wait_log("client sent invalid userid cookie")
    r = s.get("/reset", headers={"Cookie": "uid=" + first[1]})
    assert not r.header("set-cookie").startswith("uid=" + first[1][:22])
    s.wait_log(f'userid cookie "uid={hex_of(first[1])}" was reset')


def test_userid_mistakes(tmp_path):
    for text, want in (("userid maybe;", "maybe"), ("userid_mark xx;", "value must be"),
                       ("userid_expires never;", "never"), ("userid_service x;", "a number below"),
                       ("userid_flags samesite;", "samesite")):
        result = check(tmp_path, text)
        assert result.returncode == 1 and want in result.stderr, (text, result.stderr)


# ---- browser ----

def test_browser(weir):
    s = weir("""
        modern_browser msie 5.5; modern_browser gecko 1.0.1; modern_browser safari 100;
        modern_browser_value new; ancient_browser_value old;
        location / { return 200 "$modern_browser$ancient_browser$msie"; }
        location /unlisted { modern_browser unlisted; ancient_browser Lynx netscape4;
                             return 200 "$modern_browser$ancient_browser"; }
    """)

    def tell(agent, path="/"):
        return s.get(path, headers={"User-Agent": agent} if agent is not None else {}).body.decode()

    msie = "Mozilla/4.0 (compatible; MSIE %s; Windows NT 5.1)"
    for agent, want in ((msie % "6.0", "new1"), (msie % "5.5", "new1"), (msie % "5.01", "old1"),
                        (msie % "6.0" + " Opera 8.0", "old1"), ("Opera/9.01", "old"),
                        ("Mozilla/5.0 (X11; Linux; rv:1.0.1) Gecko/2", "new"),
                        ("Mozilla/5.0 (X11; Linux; rv:1.0) Gecko/2", "old"),
                        ("Mozilla/5.0 (Mac) Safari/125.7", "new"), ("x", "old"), (None, "old")):
        assert tell(agent) == want, agent
    for agent, want in (("Lynx/2", "old"), ("Mozilla/4.7 [en] (X11)", "old"), ("x", "new"),
                        (None, "new")):
        assert tell(agent, "/unlisted") == want, agent


def test_browser_mistakes(tmp_path):
    for text, want in (("modern_browser lynx 1;", 'unknown browser name "lynx"'),
                       ("modern_browser msie x;", 'invalid browser version "x"'),
                       ("modern_browser msie;", "unlisted")):
        result = check(tmp_path, text)
        assert result.returncode == 1 and want in result.stderr, (text, result.stderr)


# ---- empty_gif, random_index, stub_status ----

def test_empty_gif(weir):
    s = weir("location = /x { empty_gif; }")
    r = s.get("/x")
    assert r.status == 200 and r.header("content-type") == "image/gif"
    assert r.body[:6] == b"GIF89a" and len(r.body) == 43 and r.body[-1:] == b";"
    assert r.header("last-modified") == "Mon, 28 Sep 1970 06:00:00 GMT"
    assert s.get("/x", headers={"If-Modified-Since": r.header("last-modified")}).status == 304
    assert s.get("/x", method="POST").status == 405


def test_random_index(weir):
    files = {f"html/d/{i}": str(i) for i in range(4)}
    s = weir("location / { random_index on; }",
             files={**files, "html/d/.hidden": "no", "html/d/folder/x": "no", "html/e/sub/x": "no"})
    seen = {s.get("/d/").body for _ in range(100)}
    assert seen == {b"0", b"1", b"2", b"3"}
    assert s.get("/e/").status == 403
    assert s.get("/none/").status == 404
    assert s.get("/d/2").body == b"2"


def test_stub_status(weir):
    s = weir("location /s { stub_status; } location /v { return 200 $connections_active; }")
    r = s.get("/s")
    assert re.fullmatch(rb"Active connections: 1 \nserver accepts handled requests\n \d+ \d+ \d+ \n"
                        rb"Reading: 0 Writing: 1 Waiting: 0 \n", r.body), r.body
    assert r.header("content-type") == "text/plain"
    with s.connect(), s.connect():
        end = time.monotonic() + 10
        while b"Waiting: 2" not in s.get("/s").body:
            assert time.monotonic() < end, s.get("/s").body
        assert s.get("/v").body == b"3"
    assert s.get("/s", method="PUT").status == 405
