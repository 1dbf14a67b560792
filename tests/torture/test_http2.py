"""Attacks on HTTP/2, each against one process that serves others, too: those keep their latency, and
the memory of the process stays within bounds.

A victim in a process of its own asks again and again, over HTTP/2 and HTTP/1, while the attack runs.
"""
import multiprocessing
import os
import pathlib
import select
import socket
import sys
import time

import pytest

from conftest import functional

_folder = str(pathlib.Path(__file__).resolve().parents[1] / "functional")
if _folder not in sys.path:
    sys.path.append(_folder)
from http2 import *

SECONDS = 0.5 if os.environ.get("WEIR_TORTURE") == "short" else 2
SANITIZED = b"__asan_init" in pathlib.Path(functional.BINARY).read_bytes()
MEMORY = (512 if SANITIZED else 48) << 20      # bytes that an attack may cost; ASan gives back late
LATENCY = 0.5 if SANITIZED else 0.1    # seconds: 99 of 100 answers; an idle server needs less than 1 ms
SLOWEST = 2.0                          # a busy machine has its moments
FILES = {"html/small": "s" * 100, "html/big": bytes(1 << 20)}


@pytest.fixture
def site(weir):
    return weir("""http2 on; root html; client_header_timeout 1s; client_body_timeout 2s; send_timeout 2s;
        keepalive_timeout 3s; keepalive_requests 1000000; location /upload { client_max_body_size 0; proxy_pass http://127.0.0.1:1; }""",
                files=FILES)


def memory(site):
    """Resident bytes of the process."""
    for line in pathlib.Path(f"/proc/{site.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")


def ask_on_and_on(port, stop, results):
    class There:
        @staticmethod
        def connect(timeout, port_=None):
            return socket.create_connection(("127.0.0.1", port), timeout)

    seconds = []
    try:
        c, plain = Http2(There, timeout=20), There.connect(20)
        while not stop.is_set():
            start = time.monotonic()
            assert c.get("/small").body == b"s" * 100
            seconds.append(time.monotonic() - start)
            c.answers.clear()
            if c.next_id > 1 << 20:
                c = Http2(There, timeout=20)
            start = time.monotonic()
            plain.sendall(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"s" * 100):
                piece = plain.recv(4096)
                assert piece
                answer += piece
            seconds.append(time.monotonic() - start)
            time.sleep(0.002)
        results.put(seconds)
    except Exception as error:          # the test shall tell of it
        results.put(repr(error))


class Victim:
    """Others, and the process's memory, while an attack runs."""

    def __init__(self, site, most=MEMORY):
        self.site, self.most = site, most

    def __enter__(self):
        context = multiprocessing.get_context("fork")
        self.stop, self.results = context.Event(), context.Queue()
        self.process = context.Process(target=ask_on_and_on,
                                       args=(self.site.port, self.stop, self.results), daemon=True)
        self.process.start()
        time.sleep(0.2)
        self.before = self.peak = memory(self.site)
        return self

    def look(self):
        self.peak = max(self.peak, memory(self.site))

    def __exit__(self, kind, *_):
        self.look()
        self.stop.set()
        seconds = self.results.get(timeout=60)
        self.process.join()
        if kind:
            return
        assert isinstance(seconds, list), f"the others: {seconds}"
        seconds.sort()
        assert len(seconds) > 20, "the others got next to nothing"
        print(f"others: {len(seconds)} answers, 99% in {seconds[len(seconds) * 99 // 100] * 1e3:.1f} ms, "
              f"slowest {seconds[-1] * 1e3:.1f} ms; memory +{(self.peak - self.before) >> 10} KiB")
        assert seconds[len(seconds) * 99 // 100] < LATENCY and seconds[-1] < SLOWEST
        assert self.peak - self.before < self.most


def attacker(site, values=(), **others):
    c = Http2(site, values, **others)
    c.open_windows = False
    return c


def push(c, data):
    """Sends without ever reading; False when the server has had enough (or takes no more)."""
    c.socket.settimeout(0.5)
    try:
        c.socket.sendall(data)
        return True
    except OSError:
        return False


def flood(site, make, codes=(ENHANCE_YOUR_CALM,), values=(), memory_limit=MEMORY):
    """Connection after connection, each sends what make(c) gives until it is thrown out."""
    ends = []
    with Victim(site, memory_limit) as others:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or not ends:
            with attacker(site, values) as c:
                for data in make(c):           # the server reads on a while behind its GOAWAY
                    if not push(c, data) or time.monotonic() > end:
                        break
                    others.look()
                c.socket.settimeout(10)
                try:
                    ends.append(c.ends_with())
                except TimeoutError:
                    ends.append("open")
    assert set(ends) <= {*codes, None}, ends
    print(f"{len(ends)} connections thrown out")


def head(c, path="/small", method="GET"):
    """A block that leaves no trace in the table."""
    return (b"\x82" if method == "GET" else b"\x83") + b"\x86\x01\x01x\x04" + bytes([len(path)]) + path.encode()


def requests(c, count, more, path="/small", flags=END_STREAM | END_HEADERS, method="GET"):
    """Bytes of `count` requests, each followed by more(stream)."""
    block = head(c, path, method)
    out = []
    for _ in range(count):
        stream = c.new_id()
        out.append(frame(HEADERS, flags, stream, block) + more(stream))
    return b"".join(out)


# ---- floods: the connection is thrown out ----

def test_rapid_reset(site):
    """CVE-2023-44487."""
    flood(site, lambda c: (requests(c, 100, lambda s: frame(RST_STREAM, 0, s, u32(CANCEL)), "/big")
                           for _ in range(2000)))


MADE_YOU_RESET = {
    "window of zero": (END_STREAM, lambda s: frame(WINDOW_UPDATE, 0, s, u32(0))),
    "window overflow": (END_STREAM, lambda s: frame(WINDOW_UPDATE, 0, s, u32(MAX_WINDOW))),
    "size of priority": (END_STREAM, lambda s: frame(PRIORITY, 0, s, bytes(4))),
    "data behind the end": (END_STREAM, lambda s: frame(DATA, 0, s, b"x")),
    "second head": (0, lambda s: frame(HEADERS, END_HEADERS, s, b"\x00\x01x\x01y")),
    "bad length": (0, lambda s: frame(HEADERS, END_HEADERS | END_STREAM, s, b"\x00\x02:x\x01y")),
}


@pytest.mark.parametrize("name", MADE_YOU_RESET)
def test_made_you_reset(site, name):
    """CVE-2025-8671: the server is brought to reset the streams itself."""
    end, more = MADE_YOU_RESET[name]
    flood(site, lambda c: (requests(c, 100, more, "/big" if end else "/upload", end | END_HEADERS,
                                    "GET" if end else "POST") for _ in range(2000)),
          (ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR))         # the latter: of a stream that is gone already


@pytest.mark.parametrize("size", [0, 1, 16384])
def test_continuation_flood(site, size):
    """CVE-2024-27316: a head that never ends."""
    def make(c):
        yield frame(HEADERS, END_STREAM, c.new_id(), head(c))
        for _ in range(5000):
            yield frame(CONTINUATION, 0, 1, (b"\x00\x01a\x01b" * 4000)[:size] if size != 1 else b"\x82") * \
                (100 if size < 2 else 1)

    flood(site, make)


@pytest.mark.parametrize("data", [
    frame(SETTINGS), frame(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 5}) * 100),
    frame(PING, payload=b"12345678"), frame(DATA, 0, 1), frame(DATA, PADDED, 1, b"\x08" + bytes(8)),
    frame(PRIORITY, 0, 1, bytes(4) + b"\x10"), frame(0x42, 0, 0, b""), frame(GOAWAY, 0, 0, bytes(8)),
    frame(WINDOW_UPDATE, 0, 1, u32(1)), frame(PING, ACK, payload=b"12345678"), frame(SETTINGS, ACK),
], ids=["settings", "large settings", "ping", "empty data", "padding", "priority", "unknown", "goaway",
        "window update", "ping acknowledged", "settings acknowledged"])
def test_cheap_frames(site, data):
    """None of them costs much; whoever sends nothing else is thrown out, or waits till the end."""
    def make(c):
        yield frame(HEADERS, END_HEADERS, c.new_id(), head(c, "/upload", "POST"))
        for _ in range(20000):
            yield data * 200

    flood(site, make)


def test_settings_that_move_all_windows(site):
    """Thousands of settings in a frame, each of which counts for a hundred open streams."""
    values = (settings({INITIAL_WINDOW_SIZE: 1}) + settings({INITIAL_WINDOW_SIZE: 0})) * 2700

    def make(c):
        yield requests(c, 100, lambda s: b"", "/big")
        for _ in range(2000):
            yield frame(SETTINGS, payload=values)

    flood(site, make, values={INITIAL_WINDOW_SIZE: 0})


def test_heads_of_streams_that_were_reset(site):
    """Blocks of a stream that the server has reset already: they are read for the table's sake."""
    def make(c):
        yield requests(c, 1, lambda s: frame(WINDOW_UPDATE, 0, s, u32(0)), "/upload", END_HEADERS, "POST")
        for _ in range(2000):
            yield frame(HEADERS, END_HEADERS, 1, b"\x82" * 16000) * 10

    flood(site, make)


def test_priorities_of_streams_that_never_come(site):
    def make(c):
        for i in range(2000):
            yield b"".join(frame(16, 0, 0, u32(2 * i + 1 + 200 * k) + b"u=1, i") for k in range(100))

    flood(site, make)


# ---- memory ----

def test_header_bomb(site):
    """An entry that fills the table, asked for again and again by one byte each."""
    def make(c):
        large = b"\x40\x01x\x7f" + bytes([(4000 - 127) & 127 | 128, (4000 - 127) >> 7]) + b"v" * 4000
        yield frame(HEADERS, END_STREAM | END_HEADERS, c.new_id(), head(c) + large)
        for _ in range(2000):
            yield frame(HEADERS, END_STREAM | END_HEADERS, c.new_id(), head(c) + b"\xbe" * 16000)

    flood(site, make)


def test_many_fields(site):
    """Small fields by the thousand: refused, at a cost that is bounded."""
    with Victim(site) as others:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with attacker(site) as c:
                for _ in range(50):
                    stream = c.new_id()
                    if not push(c, frame(HEADERS, END_STREAM | END_HEADERS, stream,
                                         head(c) + b"\x00\x01a\x00" * 4000)):
                        break
                others.look()


def test_cookie_pieces(site):
    """Pieces of Cookie, which are put together: the cost must not grow with their square."""
    with Victim(site) as others:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with attacker(site) as c:
                block = head(c) + b"\x60\x01a" + b"\xbe" * 16000
                for _ in range(50):
                    if not push(c, frame(HEADERS, END_STREAM | END_HEADERS, c.new_id(), block)):
                        break
                others.look()


def closes(sockets, seconds):
    """How many of them the server closes in that time."""
    poll, closed, end = select.poll(), 0, time.monotonic() + seconds
    by_fd = {s.fileno(): s for s in sockets}
    for s in sockets:
        s.settimeout(0)
        poll.register(s, select.POLLIN | select.POLLHUP)
    while by_fd and (left := end - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            try:
                gone = not by_fd[fd].recv(65536)
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                poll.unregister(fd)
                del by_fd[fd]
                closed += 1
    return closed


def test_zero_windows(site):
    """Streams that wait for a window: all that one client may open, on many connections."""
    with Victim(site, 2 * MEMORY) as others:
        stalled = [attacker(site, {INITIAL_WINDOW_SIZE: 0}) for _ in range(40)]
        for c in stalled:
            push(c, requests(c, 100, lambda s: b"", "/big"))
        time.sleep(SECONDS / 2)        # send_timeout is not over
        others.look()
        streams = 40 * 100
        print(f"{(others.peak - others.before) // streams} bytes for a stalled stream")
        # Those that give a window now are served.
        last = stalled.pop()
        last.send(SETTINGS, payload=settings({INITIAL_WINDOW_SIZE: 200}))
        answers = last.frames(1)
        assert sum(len(f.payload) for f in answers if f.type == DATA) == 100 * 200
        last.socket.close()
        for c in stalled:
            c.socket.close()


def test_unread_answers(site):
    """Large windows, and a client that reads nothing: send_timeout ends it."""
    with Victim(site, 2 * MEMORY) as others:
        clients = [attacker(site, {INITIAL_WINDOW_SIZE: MAX_WINDOW}) for _ in range(40)]
        for c in clients:
            push(c, frame(WINDOW_UPDATE, 0, 0, u32(MAX_WINDOW - 65535)) +
                 requests(c, 100, lambda s: b"", "/big"))
        end = time.monotonic() + 1 + SECONDS
        while time.monotonic() < end:
            others.look()
            time.sleep(0.1)
        assert closes([c.socket for c in clients], 15) == len(clients)


def test_unread_control_frames(site):
    """Answers to PING and SETTINGS that nobody takes must not pile up."""
    def make(c):
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(20000):
            yield frame(PING, payload=b"12345678") * 100 + frame(SETTINGS) * 10

    flood(site, make)


# ---- slowness ----

def test_slow_preface(site):
    with Victim(site) as others:
        slow = [site.connect() for _ in range(200)]
        for byte in PREFACE[:8]:
            for s in slow:
                try:
                    s.send(bytes([byte]))
                except OSError:
                    pass
            others.look()
            time.sleep(0.3)
        assert closes(slow, 10) == len(slow)


def test_slow_settings(site):
    """A whole preface, and then nothing, or nothing but the beginning of a frame."""
    with Victim(site):
        slow = [site.connect() for _ in range(100)]
        for i, s in enumerate(slow):
            s.sendall(PREFACE + (frame(SETTINGS)[:i % 9] if i % 2 else b""))
        assert closes(slow, 10) == len(slow)


def test_slow_heads(site):
    """A head whose CONTINUATION never comes: its stream is reset, and then the connection closed."""
    with Victim(site) as others:
        clients = [attacker(site) for _ in range(100)]
        for c in clients:
            c.send(HEADERS, END_STREAM, c.new_id(), head(c) + b"\x00\x01a\x7f\xff\x7e" + b"v" * 16000)
        others.look()
        assert closes([c.socket for c in clients], 15) == len(clients)


def test_dribble_up(site):
    """Bodies that come byte by byte."""
    with Victim(site) as others:
        clients = [attacker(site) for _ in range(20)]
        for c in clients:
            push(c, requests(c, 50, lambda s: b"", "/upload", END_HEADERS, "POST"))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for c in clients:
                push(c, b"".join(frame(DATA, 0, s, b"x") for s in range(1, c.next_id, 2)))
            others.look()
        for c in clients:
            c.socket.close()


def test_dribble_down(site):
    """Windows that grow byte by byte."""
    with Victim(site) as others:
        clients = [attacker(site, {INITIAL_WINDOW_SIZE: 0}) for _ in range(20)]
        for c in clients:
            push(c, requests(c, 50, lambda s: b"", "/big"))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for c in clients:
                push(c, b"".join(frame(WINDOW_UPDATE, 0, s, u32(1)) for s in range(1, c.next_id, 2)))
                c.socket.settimeout(0)
                try:
                    c.socket.recv(1 << 20)
                except OSError:
                    pass
            others.look()
        for c in clients:
            c.socket.close()


def test_memory_comes_back(weir):
    """After connections with a hundred streams each, idle ones cost next to nothing."""
    site = weir("http2 on; root html;", files=FILES, events="worker_connections 2048;")
    for _ in range(3):                 # what is kept for the next one stays
        for c in [attacker(site) for _ in range(100)]:
            c.write(requests(c, 100, lambda s: b""))
            assert c.alive()
            c.socket.close()
    before = memory(site)
    clients = [attacker(site) for _ in range(500)]
    for c in clients:
        c.write(requests(c, 10, lambda s: b""))
        assert c.alive()
    each = (memory(site) - before) / len(clients)
    print(f"{each:.0f} bytes for an idle connection of HTTP/2")
    assert each < (40000 if SANITIZED else 8000)
    for c in clients:
        c.socket.close()
