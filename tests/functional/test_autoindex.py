"""Lists of folders, compared with what nginx writes."""
import json
import os
import re
import xml.etree.ElementTree as xml

import pytest

WHEN = 784111777


@pytest.fixture
def server(weir, tmp_path):
    folder = tmp_path / "html"
    (folder / "dir").mkdir(parents=True)
    (folder / "empty").mkdir()
    names = ["file", "with space", "a:b", "q?%", 'h<>&"', "l" * 60, "\u0444" * 60, ".hidden"]
    for name in names:
        (folder / name).write_bytes(b"x" * 12345)
    os.symlink("dir", folder / "link")
    os.symlink("nowhere", folder / "broken")
    os.mkfifo(folder / "fifo")
    for name in os.listdir(folder):
        os.utime(folder / name, (WHEN, WHEN), follow_symlinks=False)
    for path in (folder / "dir", folder):
        os.utime(path, (WHEN, WHEN))
    return weir("""root @DIR@/html; autoindex on;
        location /round/ { alias @DIR@/html/; autoindex_exact_size off; autoindex_localtime on; }
        location /json/ { alias @DIR@/html/; autoindex_format json; }
        location /jsonp/ { alias @DIR@/html/; autoindex_format jsonp; }
        location /xml/ { alias @DIR@/html/; autoindex_format xml; }
        location /off/ { alias @DIR@/html/; autoindex off; }
        location /threads/ { alias @DIR@/html/; aio threads; }
        """)


def lines(r):
    return r.body.decode().split("<pre>")[1].split("</pre>")[0].split("\r\n")[:-1]


def test_html(server):
    r = server.get("/")
    assert r.status == 200 and r.header("Content-Type") == "text/html"
    rows = lines(r)
    assert rows[0] == '<a href="../">../</a>'
    assert rows[1] == '<a href="dir/">dir/</a>' + " " * 47 + "06-Nov-1994 08:49" + " " * 19 + "-"
    assert [re.search('href="([^"]*)"', row)[1] for row in rows[1:]] == [
        "dir/", "empty/", "link/", "a%3Ab", "broken", "fifo", "file", "h%3C%3E%26%22", "l" * 60,
        "q%3F%25", "with%20space", "%D1%84" * 60]
    row = next(row for row in rows if 'href="file"' in row)
    assert row == '<a href="file">file</a>' + " " * 47 + "06-Nov-1994 08:49" + " " * 15 + "12345"
    assert ">h&lt;&gt;&amp;&quot;</a>" in r.body.decode()
    assert ">" + "l" * 47 + "..&gt;</a> 06" in r.body.decode()
    assert ">" + "\u0444" * 47 + "..&gt;</a> 06" in r.body.decode()
    assert "hidden" not in r.body.decode()
    assert "<title>Index of /</title>" in r.body.decode()
    row = next(row for row in lines(server.get("/round/")) if 'href="file"' in row)
    assert row.endswith("     12K")
    assert lines(server.get("/threads/")) == rows
    assert lines(server.get("/empty/")) == rows[:1]


def test_json(server):
    data = json.loads(server.get("/json/").body)
    assert {e["name"]: e["type"] for e in data} == {
        "dir": "directory", "empty": "directory", "link": "directory", "a:b": "file",
        "broken": "other", "fifo": "other", "file": "file", 'h<>&"': "file", "l" * 60: "file",
        "q?%": "file", "with space": "file", "\u0444" * 60: "file"}
    assert data[6] == {"name": "file", "type": "file", "mtime": "Sun, 06 Nov 1994 08:49:37 GMT",
                       "size": 12345}
    assert server.get("/json/").header("Content-Type") == "application/json"
    assert json.loads(server.get("/json/empty/").body) == []


def test_jsonp(server):
    r = server.get("/jsonp/?a=1&callback=f.x$_1")
    assert r.header("Content-Type") == "application/javascript"
    assert r.body.startswith(b"/* callback */\r\nf.x$_1([\r\n") and r.body.endswith(b"\r\n]);")
    assert server.get("/jsonp/").header("Content-Type") == "application/json"
    assert server.get("/jsonp/?callback=alert(1)").status == 400
    assert server.get("/jsonp/?callback=" + "a" * 129).status == 400


def test_xml(server):
    r = server.get("/xml/")
    assert r.header("Content-Type") == "text/xml; charset=utf-8"
    tree = xml.fromstring(r.body)
    assert tree.tag == "list"
    assert [(e.tag, e.text) for e in tree][:4] == [("directory", "dir"), ("directory", "empty"),
                                                   ("directory", "link"), ("file", "a:b")]
    entry = next(e for e in tree if e.text == "file")
    assert entry.attrib == {"mtime": "1994-11-06T08:49:37Z", "size": "12345"}


def test_no_list(server):
    assert server.get("/off/").status == 403
    assert server.get("/absent/").status == 404
    assert server.get("/file/").status == 404
    assert server.get("/", method="POST").status == 403
    head = server.get("/", method="HEAD")
    assert head.status == 200 and head.body == b""


def test_index_comes_first(server):
    (server.dir / "html/dir/index.html").write_text("index")
    assert server.get("/dir/").body == b"index"


def test_title_is_escaped(server):
    (server.dir / "html/<&>").mkdir()
    assert b"<h1>Index of /&lt;&amp;&gt;/</h1>" in server.get("/%3C%26%3E/").body


@pytest.mark.parametrize("location", ["/big/", "/json/big/", "/threads/big/"])
def test_huge_folder(server, location):
    """More names than are read at once: a thread reads the rest, and the page is still in order."""
    (server.dir / "html/big").mkdir()
    names = [f"{i * 7919 % 5000:04}" for i in range(5000)]
    for name in names:
        (server.dir / "html/big" / name).touch()
    for _ in range(2):
        r = server.get(location)
        if "json" in location:
            found = [e["name"] for e in json.loads(r.body)]
        else:
            found = re.findall(r'<a href="(\d+)"', r.body.decode())
        assert found == sorted(names)
    for _ in range(5):                          # clients that don't wait
        with server.connect() as s:
            s.sendall(f"GET {location} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert server.get("/file").status == 200
