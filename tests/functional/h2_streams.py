"""A client of HTTP/2 that is python3-h2's, with streams that are read and written at leisure: for tunnels.

    c = Client(server.connect())
    s = c.open(path="/chat", protocol="websocket")
    s.send(b"hello"); s.read(5); s.end(); s.reset()

Nothing runs by itself: whoever waits for something serves all streams.  Windows are kept open, but for
streams whose `reads` is False.
"""
import select
import socket
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings


class Stream:
    def __init__(self, client, number):
        self.client, self.number = client, number
        self.data = bytearray()
        self.fields = None         # of the answer
        self.ended = False         # by the server
        self.code = None           # of its RST_STREAM
        self.reads = True

    @property
    def status(self):
        return int(self.fields[":status"]) if self.fields else None

    def answer(self):
        """Waits for the head; gives the status, None where there was none."""
        self.client.until(lambda: self.fields or self.over)
        return self.status

    @property
    def over(self):
        return self.ended or self.code is not None

    def send(self, data, meanwhile=lambda: None):
        """All of it, as windows allow."""
        h = self.client.h2
        while data:
            n = min(h.local_flow_control_window(self.number), h.max_outbound_frame_size, len(data))
            if n == 0:
                self.client.step()
            else:
                h.send_data(self.number, data[:n])
                data = data[n:]
                self.client.flush()
            meanwhile()

    def send_some(self, data):
        """As much as windows allow now: how many bytes."""
        h = self.client.h2
        n = min(h.local_flow_control_window(self.number), h.max_outbound_frame_size, len(data))
        if n:
            h.send_data(self.number, data[:n])
            self.client.flush()
        return n

    def read(self, size):
        """That many bytes, or what there was at the end."""
        self.client.until(lambda: len(self.data) >= size or self.over)
        got = bytes(self.data[:size])
        del self.data[:size]
        return got

    def read_all(self):
        self.client.until(lambda: self.over)
        return bytes(self.data)

    def end(self):
        self.client.h2.end_stream(self.number)
        self.client.flush()

    def reset(self, code=h2.errors.ErrorCodes.CANCEL):
        self.client.h2.reset_stream(self.number, code)
        self.client.flush()


class Client:
    def __init__(self, sock, settings=None):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        if settings:
            self.h2.local_settings = h2.settings.Settings(client=True, initial_values=settings)
        self.streams = {}
        self.goaway = False
        self.closed = False
        self.seconds = 15
        self.h2.initiate_connection()
        self.flush()
        self.settled = False
        self.until(lambda: self.settled)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        data = self.h2.data_to_send()
        try:
            while data:
                select.select([], [self.sock], [], 5)
                data = data[self.sock.send(data):]
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def step(self, seconds=0.2):
        """What has come, if something has."""
        pending = getattr(self.sock, "pending", lambda: 0)()
        if not pending and not select.select([self.sock], [], [], seconds)[0]:
            return
        try:
            data = self.sock.recv(262144)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
        for event in self.h2.receive_data(data):
            self.on(event)
        self.flush()

    def until(self, condition):
        end = time.monotonic() + self.seconds
        while not condition():
            assert not self.closed, "the connection is closed"
            assert time.monotonic() < end, "it takes too long"
            self.step()

    def on(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settled = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = True
        elif not stream:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            stream.fields = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            stream.data += event.data
            if stream.reads:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.code = int(event.error_code)

    @property
    def connects(self):
        """Whether the server takes extended CONNECT."""
        return self.h2.remote_settings.enable_connect_protocol == 1

    def open(self, path=None, protocol=None, authority="localhost", method="CONNECT", scheme="http", fields=(),
             end=False):
        """`path` None: a plain CONNECT."""
        head = [(":method", method)]
        if path is not None:
            head += [(":protocol", protocol)] if protocol else []
            head += [(":scheme", scheme), (":path", path)]
        head += [(":authority", authority), *fields]
        number = self.h2.get_next_available_stream_id()
        self.streams[number] = Stream(self, number)
        self.h2.send_headers(number, head, end_stream=end)
        self.flush()
        return self.streams[number]


# ---- tunnels ----

def echo(conn):
    while data := conn.sock.recv(65536):
        conn.send(data)


def proxy(weir, more="", **others):
    return weir(http=f"http2 on; log_format l '$request|$status|$bytes_sent|$request_length|$upstream_bytes_sent|"
                f"$upstream_bytes_received'; server {{ listen 127.0.0.1:@PORT@; access_log @DIR@/log l; "
                f"tunnel_pass; {more} }}", main="error_log error.log info;", **others)


def open_tunnel(client, peer, **more):
    s = client.open(authority=f"127.0.0.1:{peer.port}", **more)
    assert s.answer() == 200
    return s


def waited(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
