"""What the tests of HTTP/1 share: a connection that reads responses one by one."""
import time

from conftest import Response


class Connection:
    """A keep-alive connection: send bytes, read whole responses as their framing says."""

    def __init__(self, server, timeout=10):
        self.socket = server.connect(timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def fill(self):
        piece = self.socket.recv(65536)
        self.buffer += piece
        return len(piece) > 0

    def take(self, size):
        while len(self.buffer) < size:
            assert self.fill(), f"closed after {self.buffer!r}"
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def take_until(self, end):
        while end not in self.buffer:
            assert self.fill(), f"closed after {self.buffer!r}"
        return self.take(self.buffer.index(end) + len(end))

    def take_chunks(self):
        data = b""
        while True:
            line = self.take_until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            data += line + self.take(size + 2 if size else 0)
            if size == 0:
                while not data.endswith(b"\r\n\r\n"):
                    data += self.take_until(b"\r\n")
                return data

    def read(self, head_only=False):
        """One response; to the end of the connection if nothing tells its length."""
        head = self.take_until(b"\r\n\r\n")
        response = Response(head, "HEAD")
        length = response.header("content-length")
        if head_only or response.status in (204, 304) or response.status < 200:
            return response
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            return Response(head + self.take_chunks())
        if length is None:
            return Response(head + self.rest())
        return Response(head + self.take(int(length)))

    def rest(self):
        """All that comes until the server closes."""
        try:
            while self.fill():
                pass
        except ConnectionResetError:
            pass
        data, self.buffer = self.buffer, b""
        return data

    def get(self, path="/", fields="", method="GET"):
        self.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
        return self.read(head_only=method == "HEAD")

    def closed(self, seconds=15):
        """Whether the server closes, without a further byte, in time."""
        self.socket.settimeout(seconds)
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except TimeoutError:
            return False

    def reset(self, seconds=15):
        """Whether the server resets the connection in time."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
            return False
        except ConnectionResetError:
            return True


def elapsed(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start
