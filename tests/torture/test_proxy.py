"""The proxy under load: peers die and come back, the configuration changes, clients take their time.

`make check` has the short form (WEIR_TORTURE=short), `make torture` the long one.
"""
import asyncio
import multiprocessing
import os
import pathlib
import random
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

import clients
from conftest import free_port
from test_reload import Tail, is_sanitized

SHORT = os.environ.get("WEIR_TORTURE") == "short"
RELOADS = int(os.environ.get("WEIR_RELOADS", "50"))
KILL_SECONDS = 6 if SHORT else 60
WEBSOCKETS = 10_000
BACKEND = pathlib.Path(__file__).resolve().parents[1] / "functional" / "backends" / "plain.c"
MAIN = "worker_processes 2;\nuser root;\nerror_log error.log notice;\nworker_rlimit_nofile 8192;\n"
BODY = b"x" * 100


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    program = tmp_path_factory.mktemp("backend") / "plain"
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-D_GNU_SOURCE", "-o", program, BACKEND, "-lpthread"],
                   check=True)
    return program


class Peers:
    """Servers that can be killed, and started again on their old ports."""

    def __init__(self, program, count):
        self.program = program
        self.ports = [free_port() for _ in range(count)]
        self.running = {}
        for port in self.ports:
            self.start(port)

    def start(self, port):
        self.running[port] = subprocess.Popen([self.program, str(port)])
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                assert time.monotonic() < end, "a back end does not start"
                time.sleep(0.01)

    def kill(self, port):
        process = self.running.pop(port)
        process.kill()
        process.wait()

    def end(self):
        for port in list(self.running):
            self.kill(port)


@pytest.fixture
def peers(plain):
    made = []

    def start(count):
        made.append(Peers(plain, count))
        return made[-1]

    yield start
    for p in made:
        p.end()


def http(ports, more="", group=""):
    servers = " ".join(f"server 127.0.0.1:{p};" for p in ports)
    return f"""
        upstream u {{ {servers} {group} }}
        keepalive_requests 1000000; keepalive_timeout 1h;
        server {{
            listen 127.0.0.1:@PORT@;
            location = /gen {{ proxy_pass http://u/100; proxy_next_upstream error timeout; {more} }}
            location = /big {{ proxy_pass http://u/50000000; proxy_read_timeout 1h; {more} }}
        }}"""


def test_peers_come_and_go(weir, peers):
    """One of four stays; the others are killed under load and come back.  Nobody sees an error."""
    p = peers(4)
    random.Random(4).shuffle(p.ports)
    s = weir(http=http(p.ports), main=MAIN, master="on")
    s.allow("upstream")
    stream = clients.Stream(s.port, (BODY,))
    chance = random.Random(7)
    end = time.monotonic() + KILL_SECONDS
    killed = 0
    while time.monotonic() < end:
        port = chance.choice(p.ports[1:])
        if port in p.running:
            p.kill(port)
            killed += 1
        else:
            p.start(port)
        time.sleep(chance.random() * 0.15)
    done, failed = stream.end()
    print(f"{killed} peers killed, {done} requests, {len(failed)} failed")
    assert not failed, failed[:10]
    assert killed > 10 and done > 1000


def test_reloads_under_proxied_load(weir, peers):
    """Connections are kept on both sides while the groups change."""
    p = peers(2)
    shapes = [("", p.ports), ("keepalive 16;", p.ports), ("least_conn;", p.ports[::-1]), ("", p.ports[:1]),
              ("", p.ports[1:])]
    s = weir(http=http(p.ports), main=MAIN, master="on")
    s.wait_log("configuration 1 is in use")
    workers = clients.children(s.process.pid)
    tail = Tail(s.dir / "error.log")
    stream = clients.Stream(s.port, (BODY,))
    begun = time.monotonic()
    for i in range(RELOADS):
        group, ports = shapes[i % len(shapes)]
        s.write_conf(f"daemon off;\npid weir.pid;\n{MAIN}events {{ worker_connections 4000; }}\nhttp {{ access_log off;\n"
                     f"{http(ports, f'add_header X-Reload {i};', group)} }}\n")
        s.process.send_signal(signal.SIGHUP)
        tail.wait("is in use")
        if i == 9:
            early = [clients.resident(pid) for pid in workers]
    late = [clients.resident(pid) for pid in workers]
    done, failed = stream.end()
    print(f"{RELOADS} reloads in {time.monotonic() - begun:.1f} s, {done} requests, {len(failed)} failed, "
          f"resident KiB {early} -> {late}")
    assert not failed, failed[:10]
    assert done > RELOADS
    assert clients.children(s.process.pid) == workers
    if not is_sanitized(s):
        assert all(b <= a * 1.1 + 1024 for a, b in zip(early, late)), (early, late)


@pytest.mark.parametrize("more", ["proxy_max_temp_file_size 0;", "proxy_buffering off;"])
def test_slow_clients_hold_little(weir, peers, more):
    """Each of many takes a few KiB now and then of what the peer would send at once."""
    count, most = 100 if SHORT else 300, 80    # KiB each: 8 buffers of 4k, busy ones, a head
    p = peers(1)
    s = weir(http=http(p.ports, more), main=MAIN.replace("es 2", "es 1"), master="on",
             events="worker_connections 4000;")
    s.wait_log("configuration 1 is in use")
    worker, = clients.children(s.process.pid)
    c = clients.connect(s.port)
    assert clients.ask(c)[1] == BODY
    before = clients.resident(worker)
    slow = clients.Slow(s.port, count)
    slow.start()
    time.sleep(2)
    grown = (clients.resident(worker) - before) / count
    assert clients.ask(c)[1] == BODY           # and others are served meanwhile
    read = slow.read
    slow.end()
    print(f"{grown:.1f} KiB for each of {count} slow clients ({more})")
    assert not slow.failed and read > 0
    assert is_sanitized(s) or grown < most, grown


# ---- WebSockets ----

def allow_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))


def echo_server(queue):
    import websockets

    async def serve(ws):
        async for message in ws:
            await ws.send(message)

    async def run():
        async with websockets.serve(serve, "127.0.0.1", 0, compression=None, ping_interval=None,
                                    backlog=4096) as server:
            queue.put(server.sockets[0].getsockname()[1])
            await asyncio.Future()
    asyncio.run(run())


@pytest.mark.skipif(SHORT, reason="make check has 500 of them: tests/functional/test_websocket.py")
def test_websockets_over_reloads(weir):
    """10,000 open WebSockets of a real library on both sides: a reload closes none and loses nothing."""
    import websockets
    try:
        allow_files(WEBSOCKETS + 1000)
    except (OSError, ValueError):
        pytest.skip(f"{WEBSOCKETS + 1000} open files are not allowed")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=echo_server, args=(queue,), daemon=True)
    process.start()
    port = queue.get(timeout=30)
    s = weir(http=f"""server {{ listen 127.0.0.1:@PORT@ backlog=4096; location / {{
        proxy_pass http://127.0.0.1:{port}; proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade; proxy_read_timeout 1h; }} }}""",
             main=MAIN.replace("es 2", "es 4"), master="on", events="worker_connections 8000;")
    s.wait_log("configuration 1 is in use")
    workers = clients.children(s.process.pid)

    async def run():
        sockets = []
        begun = time.monotonic()
        for _ in range(WEBSOCKETS // 100):
            sockets += await asyncio.gather(*(websockets.connect(
                f"ws://127.0.0.1:{s.port}/", compression=None, ping_interval=None, open_timeout=60)
                for _ in range(100)))
        print(f"{len(sockets)} open in {time.monotonic() - begun:.0f} s")
        for n in range(2, 5):
            s.write_conf((s.dir / "weir.conf").read_text() + f"# {n}\n")
            s.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(s.wait_log, f"configuration {n} is in use")
            for i, ws in enumerate(sockets):
                await ws.send(f"{n} {i}")
            for i, ws in enumerate(sockets):
                assert await ws.recv() == f"{n} {i}"
        print("resident KiB", [clients.resident(pid) for pid in workers])
        for ws in sockets:
            ws.transport.abort()
    asyncio.run(run())
    assert clients.children(s.process.pid) == workers
    process.kill()
