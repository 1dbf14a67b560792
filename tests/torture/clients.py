"""Clients that do not let go: slow downloads, idle connections, and a stream of requests."""
import multiprocessing
import os
import select
import socket
import threading
import time

BIG = 1 << 30                          # bytes of the file that the slow ones fetch


class Failed(Exception):
    pass


def connect(port, receive_buffer=None):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(30)
    s.connect(("127.0.0.1", port))
    return s


def read_response(s, rest=b""):
    """Head and body of a response with a Content-Length; (status, body, whether it stays open)."""
    data = rest
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            raise Failed("closed in a head: %r" % data)
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in lines[1:])
    length = int(fields[b"content-length"])
    while len(body) < length:
        piece = s.recv(65536)
        if not piece:
            raise Failed("closed in a body")
        body += piece
    return int(lines[0].split()[1]), body, fields.get(b"connection") != b"close"


def ask(s, path="/gen", close=False):
    s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" %
              (path.encode(), b"Connection: close\r\n" if close else b""))
    return read_response(s)


class Idle:
    """Connections that asked once, and wait."""

    def __init__(self, port, count):
        self.sockets = [connect(port) for _ in range(count)]
        for s in self.sockets:
            status, _, stays = ask(s)
            assert status == 200 and stays

    def closed(self):
        poll = select.poll()
        for s in self.sockets:
            poll.register(s, select.POLLIN | select.POLLHUP)
        return len(poll.poll(0))

    def ask_all(self):
        """How many answer with 200 on the same connection."""
        good = 0
        for s in self.sockets:
            try:
                good += ask(s)[0] == 200
            except (OSError, Failed):
                pass
        return good

    def end(self):
        for s in self.sockets:
            s.close()


class Slow(threading.Thread):
    """Downloads that never end by themselves: each takes a few KiB now and then."""

    def __init__(self, port, count):
        super().__init__(daemon=True)
        self.sockets = []
        self.read = 0
        self.failed = []
        self.going = True
        for _ in range(count):
            s = connect(port, 8192)
            s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
            self.sockets.append(s)

    def run(self):
        while self.going:
            for s in self.sockets:
                try:
                    piece = s.recv(4096)
                except OSError as error:
                    piece = b""
                    self.failed.append(repr(error))
                if not piece:
                    self.failed.append("closed")
                self.read += len(piece)
            time.sleep(0.05)

    def end(self):
        self.going = False
        self.join()
        for s in self.sockets:
            s.close()


def _stream(port, valid, fresh_every, stop, results):
    """In a process of its own: requests one after the other, on kept and on new connections."""
    done, failed = 0, []
    kept = connect(port)
    while not stop.is_set():
        fresh = done % fresh_every == 0
        try:
            s = connect(port) if fresh else kept
            status, body, stays = ask(s, close=fresh)
            if status != 200 or body not in valid or stays == fresh:
                failed.append("answer %d %r" % (status, body))
            if fresh:
                s.close()
        except (OSError, Failed) as error:
            failed.append("%s: %r" % ("new" if fresh else "kept", error))
            kept = connect(port)
        done += 1
    results.put((done, failed))


class Stream:
    def __init__(self, port, valid, processes=2, fresh_every=4):
        context = multiprocessing.get_context("fork")
        self.stop = context.Event()
        self.results = context.Queue()
        self.processes = [context.Process(target=_stream,
                                          args=(port, valid, fresh_every, self.stop, self.results),
                                          daemon=True)
                          for _ in range(processes)]
        for p in self.processes:
            p.start()

    def end(self):
        """(requests, list of failures)"""
        self.stop.set()
        done, failed = 0, []
        for _ in self.processes:
            n, f = self.results.get(timeout=60)
            done, failed = done + n, failed + f
        for p in self.processes:
            p.join()
        return done, failed


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return sorted(int(word) for word in f.read().split())


def resident(pid):
    """KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise Failed("no VmRSS")


def sockets_of(pid):
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
        except OSError:
            pass
    return count
