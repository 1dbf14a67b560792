"""The server under test: a real one, in the foreground, on a free port of 127.0.0.1.

    def test_x(weir):
        server = weir("location / { root html; }", files={"html/a": "A"})
        assert server.get("/a").body == b"A"

weir() takes the inside of a server block (or, with http=, all inside of http) and writes the
configuration into the test's own folder.  @PORT@, @PORT2@... and @DIR@ are put in.  Binary:
$WEIR, else build/weir.
"""
import collections
import os
import pathlib
import random
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

from peers import Peer

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
START_SECONDS = 20
STOP_SECONDS = 20
SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:)")

# Thousands of connections and logs are open; where the limit of all is less, only root may go beyond it.
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if 0 <= soft < 8192:
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(hard, 8192) if hard >= 0 else hard))

given = collections.deque(maxlen=100)


def free_port():
    """Below what the kernel gives to clients, and another for each of pytest-xdist's processes, so
    that nobody takes it before the server does."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4
    while True:
        port = random.randrange(2500, 8000) * 4 + process
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given:
            given.append(port)
            return port


class Response:
    def __init__(self, data, method="GET"):
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.raw = data
        self.line = lines[0]
        self.status = int(lines[0].split(" ")[1])
        self.fields = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "")
                       for line in lines[1:]]
        self.body = body
        if (self.header("transfer-encoding") or "").lower() == "chunked" and method != "HEAD":
            self.body = dechunk(body)

    def header(self, name):
        """The value of a field, None without it; several are joined."""
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def __repr__(self):
        return f"<{self.line} {dict(self.fields)} {self.body[:200]!r}>"


def wait_until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def open_files(pid):
    """What the descriptors of a process lead to; those that close meanwhile are left out."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return found


def dechunk(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        size = int(size.split(b";")[0], 16)
        if size == 0:
            return out
        assert data[size:size + 2] == b"\r\n", "a chunk is cut off"
        out, data = out + data[:size], data[size + 2:]
    raise AssertionError("the last chunk is missing")


class Server:
    def __init__(self, folder, conf):
        self.dir = folder
        self.ports = {}
        self.allowed = []
        self.process = None
        self.write_conf(conf)

    def port_of(self, name):
        return self.ports.setdefault(name, free_port())

    @property
    def port(self):
        return self.port_of("@PORT@")

    def write_conf(self, conf):
        conf = re.sub(r"@PORT\d*@", lambda m: str(self.port_of(m[0])), conf)
        (self.dir / "weir.conf").write_text(conf.replace("@DIR@", str(self.dir)))

    def start(self):
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="print_stacktrace=1")
        self.output = open(self.dir / "output", "wb")
        self.process = subprocess.Popen(
            [BINARY, "-p", str(self.dir), "-c", "weir.conf", "-e", "error.log"],
            stdout=self.output, stderr=self.output, env=environment)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, "weir did not start:\n" + self.texts()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("weir does not listen:\n" + self.texts())

    def connect(self, timeout=10, port=None):
        return socket.create_connection(("127.0.0.1", port or self.port), timeout)

    def raw(self, data, timeout=10, port=None):
        """Sends bytes, gives all that comes until the server closes."""
        with self.connect(timeout, port) as s:
            s.sendall(data)
            out = b""
            while True:
                try:
                    piece = s.recv(65536)
                except ConnectionResetError:
                    return out
                if not piece:
                    return out
                out += piece

    def get(self, path, headers=None, method="GET", body=b"", host="localhost", version="1.1"):
        fields = {"Host": host, "Connection": "close", **(headers or {})}
        if body:
            fields["Content-Length"] = str(len(body))
        head = f"{method} {path} HTTP/{version}\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in fields.items())
        return Response(self.raw(head.encode("latin-1") + b"\r\n" + body), method)

    def log(self):
        path = self.dir / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def texts(self):
        return (self.dir / "output").read_text(errors="replace") + self.log()

    def wait_log(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.log():
            assert time.monotonic() < end, f"not in the log: {text}\n" + self.log()
            time.sleep(0.02)

    def allow(self, text):
        """Lines of level alert, emerg or crit with that text are meant to come."""
        self.allowed.append(text)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("weir does not end after SIGQUIT:\n" + self.texts())

    def check(self):
        texts = self.texts()
        assert not SANITIZER.search(texts), texts
        bad = [line for line in texts.splitlines()
               if re.search(r"\[(alert|emerg|crit)\]", line)
               and not any(text in line for text in self.allowed)]
        assert not bad, "\n".join(bad)


def write_files(folder, files):
    for name, content in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def weir(tmp_path):
    servers = []

    def start(server="", http=None, main="", files=None, folder=None, master="off", events=""):
        where = folder or tmp_path
        write_files(where, files)
        inside = http if http is not None else f"server {{ listen 127.0.0.1:@PORT@;\n{server}\n}}"
        user = "user root;\n" if os.geteuid() == 0 and "user " not in main else ""
        conf = (f"daemon off;\nmaster_process {master};\npid weir.pid;\n{user}{main}\n"
                f"events {{ {events} }}\nhttp {{\naccess_log off;\n{inside}\n}}\n")
        s = Server(where, conf)
        servers.append(s)
        s.start()
        return s

    yield start
    for s in servers:
        s.stop()
    for s in servers:
        s.check()


@pytest.fixture
def peer():
    """Starts back ends by their scripts: see peers.py."""
    peers = []

    def start(script):
        peers.append(Peer(script))
        return peers[-1]

    yield start
    for p in peers:
        p.stop()
