"""Back ends that do as they are told: a list of answers for each connection, byte by byte.

    peer = Peer(lambda c: c.answer(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"))

The script is called once for a connection, in a thread of its own, and ends it by returning.
"""
import socket
import threading


class Gone(Exception):
    pass


class Conn:
    def __init__(self, sock, peer, number):
        self.sock, self.peer, self.number = sock, peer, number
        self.buffer = b""

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Gone
        self.buffer += data

    def request(self):
        """The next request: head and body as bytes."""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(self.buffer) < length:
            self.more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        self.peer.requests.append(head + b"\r\n\r\n" + body)
        return head, body

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, data):
        self.request()
        self.send(data)


class Peer:
    def __init__(self, script, port=0):
        self.script = script
        self.requests = []
        self.open = []
        self.connections = 0
        self.closed = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(sock)
            threading.Thread(target=self.serve, args=(Conn(sock, self, self.connections),),
                             daemon=True).start()

    def serve(self, conn):
        with conn.sock:
            try:
                self.script(conn)
            except (Gone, OSError):
                pass
        self.closed.set()

    def stop(self):
        """Dies: nobody listens, and what was open is closed."""
        for sock in (self.listener, *self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.listener.close()


def ok(body, *fields):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(body)
    return head + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


def forever(answer):
    """Answers every request of a connection alike."""
    def script(conn):
        while True:
            conn.answer(answer)
    return script
