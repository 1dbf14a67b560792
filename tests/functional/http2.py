"""What the tests of HTTP/2 share: a client that works frame by frame, and may do what no client should.

    with Http2(server) as c:
        assert c.get("/a").body == b"A"
        c.send(PING, payload=b"12345678")
        assert c.expect(PING).flags == ACK

Frames are Debian's hyperframe's only in that its definitions were looked at; bytes are put here, so
that wrong ones can be, too.  Field blocks are hpack's.
"""
import collections
import socket
import struct
import time

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, \
    FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, \
    INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(14)
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, \
    MAX_HEADER_LIST_SIZE = range(1, 7)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_WINDOW = (1 << 31) - 1

Frame = collections.namedtuple("Frame", "type flags stream payload")


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values):
    return b"".join(struct.pack(">HI", name, value) for name, value in dict(values).items())


def u32(number):
    return struct.pack(">I", number)


class Closed(Exception):
    """The server has closed the connection, or reset it."""


class Answer:
    """What has come on a stream."""

    def __init__(self):
        self.heads = []            # each a list of (name, value); the last one may be trailers
        self.body = b""
        self.ended = False
        self.code = None           # of RST_STREAM

    @property
    def fields(self):
        return next((h for h in self.heads if not h[0][1].startswith("1")), [])

    @property
    def status(self):
        return int(dict(self.fields)[":status"]) if self.fields else None

    @property
    def trailers(self):
        place = self.heads.index(self.fields) if self.fields else 0
        return self.heads[place + 1] if len(self.heads) > place + 1 else []

    def header(self, name):
        values = [value for key, value in self.fields if key == name]
        return ", ".join(values) if values else None

    def __repr__(self):
        return f"<{self.heads} {self.body[:100]!r} ended {self.ended} code {self.code}>"


class Http2:
    def __init__(self, server=None, values=(), timeout=10, hello=True, port=None, stream=None):
        """`values`: of our SETTINGS; `hello`: send preface and settings, and see those of the server;
        `stream`: a connected socket to use, such as one with TLS."""
        self.socket = stream or server.connect(timeout, port)
        self.socket.settimeout(timeout)
        if self.socket.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.answers = collections.defaultdict(Answer)
        self.next_id = 1
        self.goaway = None         # (last stream, code)
        self.server_settings = None
        self.acknowledged = 0
        self.block = b""
        self.window = 65535        # of bodies that we may send
        self.open_windows = True   # give the server new windows for what it has sent
        if hello:
            self.write(PREFACE + frame(SETTINGS, payload=settings(values)))
            while not (self.server_settings is not None and self.acknowledged):
                self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # ---- sending ----

    def write(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass                   # what it had to say may still be there to be read
        return self

    def send(self, kind, flags=0, stream=0, payload=b""):
        return self.write(frame(kind, flags, stream, payload))

    def fields(self, path="/", method="GET", more=(), scheme="http", authority="localhost"):
        return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path),
                *more]

    def encode(self, fields):
        return self.encoder.encode([(n, v) for n, v in fields])

    def headers(self, fields, end=True, stream=None, flags=END_HEADERS):
        """A HEADERS frame with these fields, and CONTINUATION as needed; gives its stream."""
        stream = stream or self.new_id()
        block = self.encode(fields)
        pieces = [block[at:at + 16384] for at in range(0, len(block), 16384)] or [b""]
        for i, piece in enumerate(pieces):
            last = flags & END_HEADERS if piece is pieces[-1] else 0
            if i == 0:
                self.send(HEADERS, flags & ~END_HEADERS | last | (END_STREAM if end else 0), stream, piece)
            else:
                self.send(CONTINUATION, last, stream, piece)
        return stream

    def new_id(self):
        self.next_id += 2
        return self.next_id - 2

    def ask(self, path="/", method="GET", more=(), body=None, **others):
        """A request; gives its stream."""
        stream = self.headers(self.fields(path, method, more, **others), end=body is None)
        if body is not None:
            self.send(DATA, END_STREAM, stream, body)
        return stream

    # ---- reading ----

    def fill(self):
        try:
            piece = self.socket.recv(262144)
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Closed(f"goaway {self.goaway}")
        self.buffer += piece

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read(self):
        """One frame, and what it means."""
        head = self.take(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        assert length <= 16384, "larger than our SETTINGS_MAX_FRAME_SIZE"
        assert stream >> 31 == 0, "the reserved bit is set"
        f = Frame(kind, flags, stream, self.take(length))
        self.note(f)
        return f

    def note(self, f):
        assert not self.block or f.type == CONTINUATION, f"{f} in the middle of a field block"
        answer = self.answers[f.stream]
        if f.type == SETTINGS and f.flags & ACK:
            self.acknowledged += 1
        elif f.type == SETTINGS:
            self.server_settings = dict(struct.iter_unpack(">HI", f.payload))
            self.send(SETTINGS, ACK)
        elif f.type in (HEADERS, CONTINUATION):
            assert not f.flags & (PADDED | PRIORITIZED)
            self.block += f.payload
            if f.type == HEADERS:
                self.ends = f.flags & END_STREAM
            if f.flags & END_HEADERS:
                answer.heads.append(self.decoder.decode(self.block))
                answer.ended = bool(self.ends)
                self.block = b""
        elif f.type == DATA:
            assert not answer.ended and not f.flags & PADDED
            answer.body += f.payload
            answer.ended = bool(f.flags & END_STREAM)
            if f.payload and self.open_windows:
                update = u32(len(f.payload))
                self.write(frame(WINDOW_UPDATE, 0, 0, update) +
                           (b"" if answer.ended else frame(WINDOW_UPDATE, 0, f.stream, update)))
        elif f.type == WINDOW_UPDATE and f.stream == 0:
            self.window += int.from_bytes(f.payload, "big")
        elif f.type == RST_STREAM:
            answer.code = int.from_bytes(f.payload, "big")
        elif f.type == GOAWAY:
            self.goaway = struct.unpack(">II", f.payload[:8])

    def expect(self, kind, stream=None):
        """The next frame of that type (and stream)."""
        while True:
            f = self.read()
            if f.type == kind and (stream is None or f.stream == stream):
                return f

    def answer(self, stream):
        """A stream's answer, when it has ended or was reset."""
        answer = self.answers[stream]
        while not answer.ended and answer.code is None:
            self.read()
        return answer

    def get(self, path="/", **others):
        return self.answer(self.ask(path, **others))

    def alive(self):
        """Whether the connection still serves; all frames that came before have been seen then."""
        try:
            self.send(PING, payload=b"is alive")
            while True:
                f = self.read()
                if f.type == PING and f.flags & ACK and f.payload == b"is alive":
                    return True
        except Closed:
            return False

    def frames(self, seconds):
        """What comes in that time."""
        found, end = [], time.monotonic() + seconds
        timeout = self.socket.gettimeout()
        try:
            while (left := end - time.monotonic()) > 0:
                self.socket.settimeout(left)
                found.append(self.read())
        except (TimeoutError, Closed):
            pass
        self.socket.settimeout(timeout)
        return found

    def ends_with(self):
        """The connection's end: the code of its GOAWAY, None without one."""
        try:
            while True:
                self.read()
        except Closed:
            return self.goaway[1] if self.goaway else None


def stream_error(c, stream, *codes):
    """That stream has ended with RST_STREAM of that code, the connection lives."""
    assert c.alive(), f"the connection has ended: {c.goaway}"
    assert c.answers[stream].code in codes, c.answers[stream]
    return True


def connection_error(c, *codes):
    code = c.ends_with()
    assert code in codes, f"ended with {code}, not {codes}"
    return True
