"""Reading a configuration: weir -t and -T, and how mistakes are shown."""
import os
import pty
import re
import subprocess
import time

import pytest

from conftest import BINARY


class Conf:
    """A prefix with a configuration in it."""

    def __init__(self, folder):
        self.dir = folder
        for name in ("conf", "logs", "html"):
            (folder / name).mkdir()

    def write(self, text, name="weir.conf"):
        path = self.dir / "conf" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run(self, *options):
        return subprocess.run([BINARY, "-p", str(self.dir), "-c", "conf/weir.conf", *options],
                              capture_output=True, timeout=60, check=False)

    def test(self, text, *options):
        """-t: exit code, and what was said less the last line and this folder."""
        self.write(text)
        result = self.run("-t", *options)
        said = result.stderr.decode(errors="replace").replace(f"{self.dir}/conf/", "")
        return result.returncode, said.splitlines()

    def mistakes(self, text, *options):
        """First lines of all mistakes."""
        code, lines = self.test(text, *options)
        assert code == 1, lines
        assert lines[-1].endswith("test failed")
        return [line.removeprefix("weir: [emerg] ") for line in lines
                if line.startswith("weir: [emerg] ")]


@pytest.fixture(name="conf")
def fixture_conf(tmp_path):
    return Conf(tmp_path)


def http(text):
    return "events { }\nhttp {\n" + text + "\n}\n"


def test_good(conf):
    code, lines = conf.test(http("server { listen 127.0.0.1:1; }"))
    assert code == 0
    assert [line for line in lines if "[warn]" not in line][-2:] == [
        "weir: the configuration file weir.conf syntax is ok",
        "weir: configuration file weir.conf test is successful"]
    result = conf.run("-t", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_all_mistakes_are_told(conf):
    assert conf.mistakes(http("""
    sendfile maybe;
    keepalive_timeout 5x;
    server {
        listn 127.0.0.1:1;
        root a b;
        listen 127.0.0.1:1;
        location / { listen 2; }
        gibberish_without_a_neighbour on;
    }""") + "http { }\nserver { }\n}\n") == [
        'invalid value "maybe" in "sendfile" directive, it must be "on" or "off" in weir.conf:4',
        '"keepalive_timeout" directive invalid value in weir.conf:5',
        'unknown directive "listn" in weir.conf:7',
        'invalid number of arguments in "root" directive in weir.conf:8',
        '"listen" directive is not allowed here in weir.conf:10',
        'unknown directive "gibberish_without_a_neighbour" in weir.conf:11',
        '"http" directive is duplicate in weir.conf:14',
        '"server" directive is not allowed here in weir.conf:15',
        'unexpected "}" in weir.conf:16']


def test_place_and_advice(conf):
    _, lines = conf.test(http("  server {\n\tlistn  80;\n  }"))
    at = lines.index('weir: [emerg] unknown directive "listn" in weir.conf:4')
    assert lines[at + 1] == "     4 |  listn  80;"
    assert lines[at + 2] == "       |  ^~~~~"
    assert lines[at + 3] == '       = did you mean "listen"?'


def test_duplicate_tells_the_first(conf):
    _, lines = conf.test("events { }\npid a;\npid b;\n")
    assert 'weir: [emerg] "pid" directive is duplicate in weir.conf:3' in lines
    assert any("weir.conf:2" in line for line in lines)


def test_missing_semicolon(conf):
    _, lines = conf.test(http("server {\nlisten 127.0.0.1:1\nserver_name a;\n}"))
    assert any(line.startswith('weir: [emerg] invalid parameter "server_name"') for line in lines)
    assert any('";"' in line and "line 4" in line for line in lines if line.lstrip()[:1] == "=")


@pytest.mark.parametrize("text, message", [
    ("events { }\nhttp {\n", 'unexpected end of file, expecting "}" in weir.conf:'),
    ("events { }\npid a", 'unexpected end of file, expecting ";" or "}" in weir.conf:2'),
    ("events { }\npid \"a;\n", 'unexpected end of file, expecting ";" or "}" in weir.conf:2'),
    ("events { }\nhttp;\n", 'directive "http" has no opening "{" in weir.conf:2'),
    ("events { }\npid { }\n", 'directive "pid" is not terminated by ";" in weir.conf:2'),
    ("events { }\npid \"a\"b;\n", 'unexpected "b" in weir.conf:2'),
    ("events { };\n", 'unexpected ";" in weir.conf:1'),
    ("events { }\nhttp { pid a }\n", 'unexpected "}" in weir.conf:2'),
    ("{ }\nevents { }\n", 'unexpected "{" in weir.conf:1'),
])
def test_grammar(conf, text, message):
    assert [m for m in conf.mistakes(text) if m.startswith(message)]


def test_included_files(conf):
    conf.write("server { listen 127.0.0.1:1; sevrer_name a; }\n", "sites/b.conf")
    conf.write("\nserver { listen 127.0.0.1:2; }\n", "sites/a.conf")
    assert conf.mistakes(http("include sites/*.conf;")) == [
        'unknown directive "sevrer_name" in sites/b.conf:1']
    _, lines = conf.test(http("include sites/*.conf;"))
    assert "     1 | server { listen 127.0.0.1:1; sevrer_name a; }" in lines
    assert conf.mistakes(http("include nowhere.conf;"))[0].startswith(
        f'open() "nowhere.conf" failed (2: No such file or directory) in weir.conf:3')
    assert conf.test(http("include nowhere/*.conf;"))[0] == 0


def test_include_loop(conf):
    conf.write("include b.conf;\n", "a.conf")
    conf.write("include a.conf;\n", "b.conf")
    assert len(conf.mistakes("events { }\ninclude a.conf;\n")) == 1


def test_globals(conf):
    assert conf.mistakes("events { }\n", "-g", "deamon off;") == [
        'unknown directive "deamon" in command line']
    _, lines = conf.test("events { }\n", "-g", "deamon off;")
    assert any("deamon off;" in line and "|" in line for line in lines)
    assert conf.mistakes("events { }\n", "-g", "daemon off") == [
        'unexpected end of parameter, expecting ";" in command line']


def test_other_texts(conf):
    assert conf.test(b"\xef\xbb\xbfevents {\r\n}\r\n# \xff\r\npid 'a b';\r\n")[0] == 0
    assert len(conf.mistakes("events { }\n".encode("utf-16"))) < 5
    _, lines = conf.test(b"ev\x1b[31ments { }\n")
    assert not any("\x1b" in line for line in lines)


def test_long_word(conf):
    assert conf.test("events { }\npid " + "a" * 1000000 + ";\n")[0] == 0
    said = conf.mistakes("events { }\npid " + "a" * 1100000 + ";\n")
    assert said[0].startswith("too long parameter")


def test_dump_of_files(conf):
    conf.write("pid logs/x.pid;\n", "a.conf")
    main = "events { }\ninclude a.conf;\n"
    conf.write(main)
    result = conf.run("-T")
    assert result.returncode == 0
    assert result.stdout.decode() == (
        f"# configuration file {conf.dir}/conf/weir.conf:\n{main}\n"
        f"# configuration file {conf.dir}/conf/a.conf:\npid logs/x.pid;\n\n")


def on_terminal(conf):
    """What -t writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([BINARY, "-p", str(conf.dir), "-c", "conf/weir.conf", "-t"],
                               stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    said = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:                # Linux: the other side is closed
            break
        if not data:
            break
        said += data
    os.close(ours)
    process.wait(timeout=60)
    return said.decode().replace("\r\n", "\n")


def test_colours_on_a_terminal_alone(conf):
    conf.write("events { }\nlistn 80;\n")
    said = on_terminal(conf)
    assert "\x1b[1;31m[emerg]\x1b[0m" in said
    assert said.count("\x1b[0m") >= 3
    plain = conf.run("-t").stderr.decode()
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", said) == plain


def test_many_servers(conf):
    """5,000 servers: nginx takes about 250 ms and 110 MB for these."""
    server = "server {\nlisten 127.0.0.1:1;\nserver_name s@.example;\nroot /srv/@;\n}\n"
    conf.write(http("".join(server.replace("@", str(i)) for i in range(5000))))
    before = time.monotonic()
    result = conf.run("-t")
    seconds = time.monotonic() - before
    assert result.returncode == 0, result.stderr
    assert seconds < 2                 # far from the usual 40 ms: machines and sanitizers differ
