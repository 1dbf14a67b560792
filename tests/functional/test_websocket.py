"""WebSockets through proxy_pass, with a real library on both sides."""
import asyncio
import json
import os
import signal
import threading
import time

import pytest
import websockets

from peers import Peer


class Server(threading.Thread):
    """Sends back what comes; some texts are orders."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ready = threading.Event()
        self.connections = 0
        self.ended = []

    def run(self):
        asyncio.run(self.main())

    async def main(self):
        self.loop, self.done = asyncio.get_running_loop(), asyncio.Event()
        async with websockets.serve(self.serve, "127.0.0.1", 0, max_size=None, subprotocols=["b", "a"],
                                    ping_interval=None, backlog=2048) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await self.done.wait()

    async def serve(self, ws):
        self.connections += 1
        try:
            async for message in ws:
                if message == "path":
                    await ws.send(json.dumps([ws.path, ws.request_headers.get("X-Real-IP"), ws.request_headers["Host"]]))
                elif isinstance(message, str) and message.startswith("close "):
                    await ws.close(int(message[6:]), "as you say")
                elif message == "ping":
                    await asyncio.wait_for(await ws.ping(b"are you there"), 10)
                    await ws.send("pong came")
                else:
                    await ws.send(message)
        except websockets.ConnectionClosed:
            pass
        self.ended.append((ws.close_code, ws.close_reason))

    def stop(self):
        self.loop.call_soon_threadsafe(self.done.set)
        self.join(20)


@pytest.fixture
def server():
    s = Server()
    s.start()
    assert s.ready.wait(20)
    yield s
    s.stop()


HTTP = """
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:@PORT@ backlog=2048;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            {more}
        }}
    }}"""


@pytest.fixture
def url(weir, server):
    s = weir(http=HTTP.format(port=server.port, more="proxy_read_timeout 60s;"))
    return f"ws://127.0.0.1:{s.port}/chat?room=1"


def connect(url, **more):
    return websockets.connect(url, max_size=None, ping_interval=None, **more)


def test_echo(url):
    async def run():
        async with connect(url, subprotocols=["a", "c"]) as ws:
            assert ws.subprotocol == "a"
            await ws.send("path")
            assert json.loads(await ws.recv()) == ["/chat?room=1", "127.0.0.1", "127.0.0.1"]
            for message in ("", "text", "\u00e9\U0001f600", b"", b"\0\xff", os.urandom(125), os.urandom(126),
                            os.urandom(65535), os.urandom(65536), "x" * 100_000, os.urandom(5_000_000)):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send(["frag", "men", "ted"])
            assert await ws.recv() == "fragmented"
    asyncio.run(run())


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_many_at_once(url, compression):
    """Both directions are full at the same time."""
    messages = [os.urandom(20_000) for _ in range(100)]

    async def run():
        async with connect(url, compression=compression) as ws:
            async def send():
                for m in messages:
                    await ws.send(m)
            sending = asyncio.ensure_future(send())
            for m in messages:
                assert await ws.recv() == m
            await sending
    asyncio.run(run())


def test_ping(url):
    async def run():
        async with connect(url) as ws:
            await asyncio.wait_for(await ws.ping(b"x" * 125), 10)
            await ws.send("ping")
            assert await ws.recv() == "pong came"
    asyncio.run(run())


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 3000, 4999])
def test_close_codes(url, server, code):
    async def run():
        async with connect(url) as ws:
            await ws.close(code, "I go")
        assert ws.close_code == code
        async with connect(url) as ws:
            await ws.send(f"close {code}")
            with pytest.raises(websockets.ConnectionClosed):
                await ws.recv()
            assert (ws.close_code, ws.close_reason) == (code, "as you say")
    asyncio.run(run())
    end = time.monotonic() + 5
    while len(server.ended) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert server.ended == [(code, "I go"), (code, "as you say")]


def test_client_that_vanishes(url, server):
    async def run():
        ws = await connect(url)
        await ws.send("x")
        ws.transport.abort()
    asyncio.run(run())
    end = time.monotonic() + 5
    while not server.ended and time.monotonic() < end:
        time.sleep(0.01)
    assert server.ended == [(1006, "")]


def test_refused(weir, url, tmp_path):
    """What is no WebSocket there answers as usual."""
    peer = Peer(lambda conn: conn.answer(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"))
    (tmp_path / "another").mkdir()
    s = weir(http=HTTP.format(port=peer.port, more=""), folder=tmp_path / "another")

    async def run():
        with pytest.raises(websockets.InvalidStatusCode, match="403"):
            await connect(f"ws://127.0.0.1:{s.port}/")
    asyncio.run(run())
    peer.stop()


def test_kept_over_reloads(weir, server):
    """Workers stay, tunnels stay: not one of 500 is closed by a reload, nor a message lost."""
    main = "worker_processes 2;\nerror_log error.log notice;\nuser root;\n"
    http = HTTP.format(port=server.port, more="proxy_read_timeout 60s;")
    s = weir(http=http, main=main, master="on", events="worker_connections 4000;")
    url = f"ws://127.0.0.1:{s.port}/"

    async def run():
        sockets = []
        for _ in range(10):
            sockets += await asyncio.gather(*(connect(url, compression=None, open_timeout=60) for _ in range(50)))
        for reload in range(2, 5):
            s.write_conf((s.dir / "weir.conf").read_text() + f"# {reload}\n")
            s.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(s.wait_log, f"configuration {reload} is in use")
            for i, ws in enumerate(sockets):
                await ws.send(f"{reload} {i}")
            assert [await ws.recv() for ws in sockets] == [f"{reload} {i}" for i in range(500)]
        for ws in sockets[:50]:
            await ws.close()
        for ws in sockets[50:]:
            ws.transport.abort()
    asyncio.run(run())
    assert server.connections == 500
