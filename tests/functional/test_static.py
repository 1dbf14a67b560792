"""Files as they are: types, validators, conditions, folders, alias, try_files, symbolic links."""
import os
import pwd
import socket
import struct
import subprocess
import time

import pytest

ROOT = "root @DIR@/html;\n"
WHEN = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
ETAG = '"%x-5"' % WHEN


def put(server_or_dir, name, content, when=WHEN):
    path = getattr(server_or_dir, "dir", server_or_dir) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (when, when))
    return path


def test_head_of_a_file(weir, tmp_path):
    put(tmp_path, "html/a.html", b"hello")
    server = weir(ROOT + "types { text/html html; }")
    r = server.get("/a.html")
    assert r.status == 200 and r.body == b"hello"
    names = [name for name, _ in r.fields]
    assert names == ["Server", "Date", "Content-Type", "Content-Length", "Last-Modified", "Connection",
                     "ETag", "Accept-Ranges"]
    assert r.header("Content-Type") == "text/html"
    assert r.header("Content-Length") == "5"
    assert r.header("Last-Modified") == DATE
    assert r.header("ETag") == '"%x-%x"' % (WHEN, 5)
    assert r.header("Accept-Ranges") == "bytes"
    head = server.get("/a.html", method="HEAD")
    assert head.body == b"" and [n for n, _ in head.fields] == names
    assert head.header("Content-Length") == "5"


def test_methods(weir):
    server = weir(ROOT, files={"html/a": "x", "html/d/b": "x"})
    assert server.get("/a", method="POST", body=b"1234").status == 405
    assert server.get("/no", method="POST", body=b"1234").status == 404
    assert server.get("/a", method="DELETE").status == 405
    assert server.get("/d/", method="DELETE").status == 405
    assert server.get("/a", method="OPTIONS").status == 405


def test_not_found_and_its_log(weir):
    server = weir(ROOT + "location /quiet/ { log_not_found off; }", files={"html/a": "x"})
    assert server.get("/no").status == 404
    assert server.get("/a/b").status == 404
    assert server.get("/quiet/no").status == 404
    log = server.log()
    assert f'[error]' in log and f'open() "{server.dir}/html/no" failed (2: No such file' in log
    assert f'open() "{server.dir}/html/a/b" failed (20: Not a directory)' in log
    assert "quiet" not in log


def test_folders(weir):
    server = weir(ROOT + "location /i/ { index first $arg_x /a; } location /w/ { index w.html index.html; }",
                  files={"html/a": "A", "html/d/index.html": "index", "html/d e/x": "x",
                         "html/none/x": "x", "html/i/x": "x", "html/i/y": "Y", "html/w/index.html": "W"})
    assert server.get("/d/").body == b"index"
    assert server.get("/w/").body == b"W"
    r = server.get("/d?q=1&r")
    assert r.status == 301
    assert r.header("Location") == f"http://localhost:{server.port}/d/?q=1&r"
    assert server.get("/d%20e").header("Location") == f"http://localhost:{server.port}/d%20e/"
    r = server.get("/none/")
    assert r.status == 403
    assert f'directory index of "{server.dir}/html/none/" is forbidden' in server.log()
    assert server.get("/absent/").status == 404
    assert server.get("/i/").body == b"A"
    assert server.get("/i/?x=y").body == b"Y"
    assert server.get("/a/").status == 404


def test_alias(weir):
    server = weir(ROOT + """
        location /i/ { alias @DIR@/data/; }
        location /slash { alias @DIR@/data/; }
        location = /one { alias @DIR@/data/f; }
        location ~ ^/re/(.*)$ { alias @DIR@/data/$1; }
        location ~ ^/open(.*)$ { alias @DIR@/data/$1; }
        location /nested/ { alias @DIR@/data/; location ~ f$ { } }
        """, files={"data/f": "F", "data/sub/g": "G", "secret": "S", "html/x": "x"})
    assert server.get("/i/f").body == b"F"
    assert server.get("/i/sub/g").body == b"G"
    assert server.get("/one").body == b"F"
    assert server.get("/re/sub/g").body == b"G"
    assert server.get("/nested/f").body == b"F"
    assert server.get("/slash/f").status in (200, 404)
    assert server.get("/i/sub").header("Location").endswith("/i/sub/")
    for path in ("/slash../secret", "/slash%2e%2e/secret", "/slash..%2fsecret", "/open../secret",
                 "/re/../secret", "/i/..%2f..%2fsecret", "/re/..%2fsecret"):
        r = server.get(path)
        assert r.status >= 400 and b"S" != r.body, path


def test_root_with_variables(weir):
    server = weir("root @DIR@/$arg_site;", files={"one/a": "1", "two/a": "2", "secret": "S"})
    assert server.get("/a?site=one").body == b"1"
    assert server.get("/a?site=two").body == b"2"
    assert server.get("/secret?site=one/..").status == 500


def test_try_files(weir):
    server = weir(ROOT + """
        location / { try_files $uri $uri/ /fallback?from=$uri; }
        location /fallback { return 200 "fallback $arg_from"; }
        location /code/ { try_files $uri =410; }
        location /name/ { try_files $uri @other; }
        location @other { return 200 "other $uri"; }
        location /al/ { alias @DIR@/data/; try_files $uri $uri.html =404; }
        location ~ ^/re { alias @DIR@/data; try_files $uri =404; }
        location /var/ { try_files /$arg_a /$arg_b =404; }
        """, files={"html/a": "A", "html/d/index.html": "index", "data/x": "X", "data/y.html": "Y",
                    "data/re": "RE"})
    assert server.get("/a").body == b"A"
    assert server.get("/d/").body == b"index"
    assert server.get("/d").status == 301
    assert server.get("/no").body == b"fallback /no"
    assert server.get("/code/no").status == 410
    assert server.get("/name/no").body == b"other /name/no"
    assert server.get("/al/x").body == b"X"
    assert server.get("/al/y").body == b"Y"
    assert server.get("/al/z").status == 404
    assert server.get("/re").body == b"RE"
    assert server.get("/var/?a=no&b=a").body == b"A"
    assert server.get("/var/?a=../secret&b=a").status == 500


CONDITIONS = [
    ({"If-Modified-Since": DATE}, 304),
    ({"If-Modified-Since": "Sun, 06 Nov 1994 08:49:38 GMT"}, 200),
    ({"If-None-Match": '"x", W/' + ETAG}, 304),
    ({"If-None-Match": '"x"'}, 200),
    ({"If-None-Match": '"x"', "If-Modified-Since": DATE}, 200),
    ({"If-Match": ETAG}, 200),
    ({"If-Match": '"x"'}, 412),
    ({"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:36 GMT"}, 412),
    ({"If-Unmodified-Since": DATE}, 200),
]


@pytest.mark.parametrize("cache", ["", "open_file_cache max=10;"])
def test_conditions(weir, tmp_path, cache):
    put(tmp_path, "html/a", b"hello")
    server = weir(ROOT + cache + """
        location /before/ { alias @DIR@/html/; if_modified_since before; }
        location /off/ { alias @DIR@/html/; if_modified_since off; }
        location /noetag/ { alias @DIR@/html/; etag off; }
        """)
    for fields, status in CONDITIONS * 2:
        r = server.get("/a", fields)
        assert r.status == status, fields
        if status == 304:
            assert r.body == b"" and r.header("ETag") == ETAG and r.header("Last-Modified") == DATE
            assert r.header("Content-Length") is None and r.header("Content-Type") is None
    late = {"If-Modified-Since": "Sun, 06 Nov 1994 08:49:38 GMT"}
    assert server.get("/before/a", late).status == 304
    assert server.get("/off/a", {"If-Modified-Since": DATE}).status == 200
    assert server.get("/noetag/a").header("ETag") is None
    assert server.get("/noetag/a", {"If-None-Match": ETAG}).status == 200


LARGE = bytes(range(256)) * 4096 + b"end"


def check_body(r, content, status=200):
    same = r.body == content                    # pytest would spend minutes on telling the difference
    assert same and r.status == status, r


WAYS = {
    "sendfile": "sendfile on;",
    "chunks": "sendfile on; sendfile_max_chunk 10k;",
    "read": "sendfile off;",
    "buffers": "sendfile off; output_buffers 1 512;",
    "threads": "aio threads;",
    "aio": "aio on; output_buffers 2 10000;",
    "direct": "directio 4k; directio_alignment 5k; output_buffers 2 8k;",
    "read_ahead": "read_ahead 1k;",
    "direct_threads": "directio 512; aio threads; sendfile on;",
    "cache": "open_file_cache max=100; sendfile on;",
    "cache_threads": "open_file_cache max=100; aio threads;",
    "cache_direct": "open_file_cache max=100; directio 1m;",
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_of_sending(weir, way):
    server = weir(ROOT + WAYS[way],
                  files={"html/large": LARGE, "html/small": LARGE[:1000], "html/empty": b"",
                         "html/32k": LARGE[:32768], "html/32k+1": LARGE[:32769]})
    for _ in range(3):
        check_body(server.get("/large"), LARGE)
        check_body(server.get("/small"), LARGE[:1000])
        check_body(server.get("/empty"), b"")
        check_body(server.get("/32k"), LARGE[:32768])
        check_body(server.get("/32k+1"), LARGE[:32769])
        check_body(server.get("/large", {"Range": "bytes=5000-800000"}), LARGE[5000:800001], 206)
        check_body(server.get("/large", {"Range": "bytes=-3"}), b"end", 206)
        check_body(server.get("/small", {"Range": "bytes=10-11"}), LARGE[10:12], 206)
        r = server.get("/large", {"Range": "bytes=700000-700009,5-9"})
        assert LARGE[700000:700010] in r.body and LARGE[5:10] in r.body
        assert len(r.body) == int(r.header("Content-Length"))
        assert server.get("/no").status == 404
        assert server.get("/large", method="HEAD").header("Content-Length") == str(len(LARGE))


@pytest.mark.parametrize("way", ["sendfile", "read", "threads"])
def test_clients_that_go(weir, way):
    """A client that closes in the middle leaves nothing behind."""
    server = weir(ROOT + WAYS[way], files={"html/large": LARGE * 8})
    for _ in range(10):
        with server.connect() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(1000)
    check_body(server.get("/large"), LARGE * 8)


@pytest.mark.parametrize("way", ["sendfile", "read", "threads", "cache"])
def test_truncated_while_sent(weir, way):
    server = weir(ROOT + WAYS[way], files={"html/large": b"x" * (20 << 20)})
    server.allow("truncated")
    with server.connect() as s:
        s.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        got = len(s.recv(1000))
        os.truncate(server.dir / "html/large", 1 << 20)
        while True:
            try:
                data = s.recv(1 << 16)
            except ConnectionResetError:
                break
            if not data:
                break
            got += len(data)
    assert got < 20 << 20
    server.wait_log("truncated while")
    assert server.get("/large").status == 200


def test_replaced_while_sent(weir):
    """A new file of that name does not get into the response that is under way."""
    server = weir(ROOT + "sendfile on;", files={"html/large": b"a" * (20 << 20)})
    with server.connect() as s:
        s.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = s.recv(1000)
        put(server, "html/new", b"b" * (20 << 20))
        os.rename(server.dir / "html/new", server.dir / "html/large")
        while data := s.recv(1 << 20):
            got += data
    same = got.partition(b"\r\n\r\n")[2] == b"a" * (20 << 20)
    assert same
    assert server.get("/large").body[:1] == b"b"


def test_odd_files(weir):
    server = weir(ROOT, files={"html/a": "x"})
    os.mkfifo(server.dir / "html/fifo")
    server.allow("is not a regular file")
    assert server.get("/fifo").status == 404
    assert server.get("/a").status == 200
    assert server.get("/" + "n" * 300).status == 404
    assert server.get("/" + "n/" * 1500).status in (404, 414)


@pytest.mark.parametrize("cache", ["", "open_file_cache max=100; open_file_cache_errors on;"])
def test_symlinks(weir, tmp_path, cache):
    for name in ("html/a", "html/d/b", "outside/c"):
        put(tmp_path, name, name.encode())
    os.symlink("a", tmp_path / "html/link")
    os.symlink("../outside", tmp_path / "html/out")
    os.symlink(tmp_path / "html", tmp_path / "www")
    server = weir("root @DIR@/www;" + cache + """
        location /any/ { alias @DIR@/www/; }
        location /no/ { alias @DIR@/www/; disable_symlinks on; }
        location /from/ { alias @DIR@/www/; disable_symlinks on from=@DIR@/www; }
        location /owner/ { alias @DIR@/www/; disable_symlinks if_not_owner; }
        location /try/ { alias @DIR@/html/; disable_symlinks on; try_files $uri /any/a; }
        """)
    for _ in range(2):
        assert server.get("/any/out/c").body == b"outside/c"
        assert server.get("/no/a").status == 403
        assert server.get("/from/a").body == b"html/a"
        assert server.get("/from/d/b").body == b"html/d/b"
        assert server.get("/from/link").status == 403
        assert server.get("/from/out/c").status == 403
        assert server.get("/from/none").status == 404
        assert server.get("/owner/link").body == b"html/a"
        assert server.get("/try/a").body == b"html/a"
        assert server.get("/try/link").body == b"html/a"
    if os.geteuid() == 0:
        os.lchown(tmp_path / "html/out", 12345, 12345)
        assert server.get("/owner/out/c?").status in (200, 403)
    assert "(40: Too many levels of symbolic links)" in server.log()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to serve as another user")
def test_403_explains_itself(weir, tmp_path):
    user = pwd.getpwnam("nobody")
    folder = tmp_path
    while folder != folder.parent:              # pytest's folders are private
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o011)
        folder = folder.parent
    put(tmp_path, "html/closed/sub/f", b"x")
    put(tmp_path, "html/f", b"x")
    os.chmod(tmp_path / "html/closed", 0o700)
    os.chmod(tmp_path / "html/f", 0o600)
    server = weir(ROOT, main="user nobody;", master="on")
    assert server.get("/closed/sub/f").status == 403
    assert server.get("/f").status == 403
    log = server.log()
    who = f'user "nobody" (uid {user.pw_uid}) may not'
    assert f'{who} search "{tmp_path}/html/closed" (owner root, mode 0700)' in log
    assert f'{who} read "{tmp_path}/html/f" (owner root, mode 0600)' in log
    assert f'open() "{tmp_path}/html/f" failed (13: Permission denied)' in log


def test_many_at_once(weir):
    """Keep-alive, several paths, from several connections."""
    server = weir(ROOT + "aio threads; open_file_cache max=3;",
                  files={f"html/{i}": str(i) * 100 for i in range(10)})
    sockets = [server.connect() for _ in range(20)]
    for turn in range(5):
        for i, s in enumerate(sockets):
            s.sendall(f"GET /{(i + turn) % 10} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for i, s in enumerate(sockets):
            data = b""
            while not data.endswith(str((i + turn) % 10).encode() * 100):
                piece = s.recv(65536)
                assert piece
                data += piece
    for s in sockets:
        s.close()


def test_type_is_that_of_the_path(weir):
    """Of the request's path, not of the file's: what an alias leads to may have another name."""
    server = weir("""types { text/plain txt; } default_type application/json;
        location = /name { alias @DIR@/html/a.txt; }
        location = /b.txt { alias @DIR@/html/b; }
        location / { root @DIR@/html; }
    """, files={"html/a.txt": "A", "html/b": "B", "html/.txt": "dot", "html/d/.txt": "dot"})
    assert server.get("/name").header("Content-Type") == "application/json"
    assert server.get("/b.txt").header("Content-Type") == "text/plain"
    assert server.get("/a.txt").header("Content-Type") == "text/plain"
    for path in ("/.txt", "/d/.txt"):          # a name that begins with its only dot has no extension
        assert server.get(path).header("Content-Type") == "application/json"


def test_rewritten_paths_stay_inside(weir):
    """What a request brings into a path by way of a variable does not lead out of the root."""
    server = weir(ROOT + """
        location /rewrite { rewrite ^ /in/$arg_f break; }
        location /try { try_files /none /in/$arg_f; }
        location /page { error_page 404 /in/$arg_f; return 404; }
        location /index/ { index $arg_f; }
    """, files={"html/in/a": "A", "html/index/a": "I", "secret": "S"})
    for path in ("/rewrite", "/try", "/page"):
        assert server.get(path + "?f=a").body == b"A"
    assert server.get("/index/?f=a").body == b"I"
    for path in ("/rewrite", "/try", "/page", "/index/"):
        assert server.get(path + "?f=../../secret").body != b"S"
        assert server.get(path + "?f=x/../../../secret").body != b"S"
    server.wait_log("is outside of")


def test_empty_path_of_a_redirect(weir):
    server = weir(ROOT + "location /t { try_files /none $arg_f; }")
    assert server.get("/t?f=?a").status == 500
    server.wait_log("empty URI in an internal redirect")
