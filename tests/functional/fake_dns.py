"""A name server that does as it is told, over UDP and TCP on one port of 127.0.0.1.

    with NameServer({"a.test": {"A": ["127.0.0.1"]}}, ttl=5) as dns:
        dns.records["a.test"] = {"CNAME": "b.test"}

A record set is {"A": [...], "AAAA": [...], "CNAME": name, "SRV": [(priority, weight, port, target)]}; a
number instead of it is a code (2: SERVFAIL).  Names that are not there are answered with NXDOMAIN.
`script(query)` may give something else for one query: DROP, a delay in seconds, a list of messages to
send one after the other, or None for the usual.  Everything that was asked is in `queries`.
"""
import collections
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}
DROP = object()

Query = collections.namedtuple("Query", "name type id by port time raw")


def put_name(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def read_query(raw, by, port):
    id = struct.unpack_from(">H", raw)[0]
    at, parts = 12, []
    while raw[at]:
        parts.append(raw[at + 1:at + 1 + raw[at]].decode())
        at += raw[at] + 1
    number = struct.unpack_from(">H", raw, at + 1)[0]
    return Query(".".join(parts), NAMES.get(number, number), id, by, port, time.monotonic(), raw)


def record(name, kind, ttl, value):
    if kind == "A":
        data = socket.inet_pton(socket.AF_INET, value)
    elif kind == "AAAA":
        data = socket.inet_pton(socket.AF_INET6, value)
    elif kind == "SRV":
        data = struct.pack(">HHH", *value[:3]) + put_name(value[3])
    else:
        data = put_name(value)
    return put_name(name) + struct.pack(">HHIH", TYPES[kind], 1, ttl, len(data)) + data


def reply(query, records=(), code=0, truncated=False, id=None, name=None):
    """A message: records are what record() makes."""
    question = put_name(name if name is not None else query.name) + struct.pack(
        ">HH", TYPES.get(query.type, query.type), 1)
    flags = 0x8180 | code | (0x0200 if truncated else 0)
    head = struct.pack(">HHHHHH", query.id if id is None else id, flags, 1, len(records), 0, 0)
    return head + question + b"".join(records)


class NameServer:
    def __init__(self, records=None, ttl=60, script=None, port=None, address="127.0.0.1", tcp=True):
        self.records = records if records is not None else {}
        self.ttl = ttl
        self.script = script
        self.queries = []
        self.open = True
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.udp.bind((address, port or 0))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp = socket.create_server((address, self.port)) if tcp else None
                break
            except OSError:
                self.udp.close()
                if port:
                    raise
        threading.Thread(target=self.serve_udp, daemon=True).start()
        if self.tcp:
            threading.Thread(target=self.serve_tcp, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.open = False
        for s in (self.udp, self.tcp):
            if s:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                s.close()

    def asked(self, name, kind=None):
        return [q for q in self.queries if q.name == name and kind in (None, q.type)]

    def wait_for(self, name, count=1, seconds=10, kind=None):
        end = time.monotonic() + seconds
        while len(self.asked(name, kind)) < count:
            assert time.monotonic() < end, f"{name} was not asked for {count} times: {self.queries}"
            time.sleep(0.01)

    # ---- answers ----

    def usual(self, query):
        """The message, with the chain of aliases as a recursive server gives it."""
        records, name = [], query.name
        for _ in range(60):
            known = self.records.get(name)
            if known is None or isinstance(known, int):
                code = 3 if known is None else known
                return reply(query, records, 0 if records and known is None else code)
            if "CNAME" not in known:
                break
            records.append(record(name, "CNAME", self.ttl, known["CNAME"]))
            if query.type == "CNAME" or known.get("lame"):
                return reply(query, records)
            name = known["CNAME"]
        ttl = known.get("ttl", self.ttl)
        records += [record(name, query.type, ttl, v) for v in known.get(query.type, [])]
        return reply(query, records)

    def answer(self, query, send):
        self.queries.append(query)
        what = self.script(query) if self.script else None
        if what is DROP:
            return
        if isinstance(what, (int, float)):
            time.sleep(what)
            what = None
        for message in what if what is not None else [self.usual(query)]:
            send(message)

    def serve_udp(self):
        while self.open:
            try:
                raw, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if not peer:                               # shut down
                return
            query = read_query(raw, "udp", peer[1])

            def send(message, peer=peer, query=query):
                if len(message) > 512:                 # RFC 1035 section 4.2.1
                    message = reply(query, truncated=True)
                try:
                    self.udp.sendto(message, peer)
                except OSError:
                    pass

            if self.script:
                threading.Thread(target=self.answer, args=(query, send), daemon=True).start()
            else:
                self.answer(query, send)

    def serve_tcp(self):
        while self.open:
            try:
                sock, peer = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_stream, args=(sock, peer), daemon=True).start()

    def serve_stream(self, sock, peer):
        with sock, sock.makefile("rb") as f:
            while True:
                head = f.read(2)
                if len(head) < 2:
                    return
                raw = f.read(struct.unpack(">H", head)[0])
                self.answer(read_query(raw, "tcp", peer[1]),
                            lambda m: sock.sendall(struct.pack(">H", len(m)) + m))


def may_unshare():
    return shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"],
                                                      capture_output=True).returncode == 0


needs_namespace = pytest.mark.skipif(not may_unshare(), reason="needs a mount namespace of its own")


def own_files(folder, command):
    """The command, as one that sees resolv.conf and hosts of `folder` where they are there."""
    mounts = [f"mount --bind {folder / name} /etc/{name} &&" for name in ("resolv.conf", "hosts")
              if pathlib.Path(folder / name).exists()]
    return ["unshare", "-m", "sh", "-c", " ".join(mounts) + ' exec "$@"', "sh"] + command


def free_address():
    """Of this machine, for port 53 that nobody else has there."""
    return f"127.{random.randrange(1, 250)}.{random.randrange(250)}.53"
