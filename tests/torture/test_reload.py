"""Reload in place, under load: nobody notices.  And accepting is fair.

WEIR_RELOADS says how many reloads: 30 where it is not set, 1000 in `make torture`.
"""
import os
import signal
import time

import pytest

import clients

RELOADS = int(os.environ.get("WEIR_RELOADS", "30"))
SLOW, IDLE = 200, 1000
VALID = (b"one\n", b"two\n")

MAIN = "worker_processes 2;\nerror_log error.log notice;\nworker_rlimit_nofile 8192;\n"
HTTP = """
    keepalive_timeout 1h;
    keepalive_requests 1000000;
    send_timeout 1h;
    server {{
        listen 127.0.0.1:@PORT@;
        location = /gen {{ return 200 "{word}\\n"; }}
        location = /big {{ root html; }}
        {extra}
    }}
"""


def conf(word, extra=""):
    inside = HTTP.format(word=word, extra=extra)
    return (f"daemon off;\npid weir.pid;\nuser root;\n{MAIN}events {{ worker_connections 4000; }}\n"
            f"http {{\naccess_log off;\n{inside}\n}}\n")


def is_sanitized(server):
    with open(f"/proc/{server.process.pid}/exe", "rb") as f:
        return b"__asan_init" in f.read()


class Tail:
    """Waits for lines of the error log, each only once."""

    def __init__(self, path):
        self.file = open(path, encoding="utf-8", errors="replace")
        self.file.seek(0, os.SEEK_END)

    def wait(self, text, seconds=20):
        end = time.monotonic() + seconds
        seen = ""
        while time.monotonic() < end:
            line = self.file.readline()
            seen += line
            if text in line:
                return seen
            if not line:
                time.sleep(0.002)
        raise AssertionError(f"not in the log: {text}\n{seen}")


@pytest.fixture
def server(weir, tmp_path):
    (tmp_path / "html").mkdir()
    with open(tmp_path / "html" / "big", "wb") as f:
        f.truncate(clients.BIG)
    s = weir(http=HTTP.format(word="one", extra=""), main=MAIN + "user root;\n", master="on")
    s.write_conf(conf("one"))
    s.process.send_signal(signal.SIGHUP)
    s.wait_log("configuration 2 is in use")
    return s


def reload_once(server, tail, i):
    """Every tenth is broken, every second of the others changes what is served."""
    if i % 10 == 9:
        server.write_conf(conf("bad", extra="no_such_directive on;"))
        server.process.send_signal(signal.SIGHUP)
        said = tail.wait("the former one stays in use")
        assert 'unknown directive "no_such_directive"' in said
        return
    word, extra = ("one", "two")[i // 2 % 2], f"location /l{i // 2} {{ return 404; }}"
    server.write_conf(conf(word, extra))
    server.process.send_signal(signal.SIGHUP)
    tail.wait("is in use")
    s = clients.connect(server.port)
    assert clients.ask(s, close=True)[1] == word.encode() + b"\n"
    s.close()


def test_reload_under_load(server):
    server.allow("no_such_directive")
    workers = clients.children(server.process.pid)
    assert len(workers) == 2
    tail = Tail(server.dir / "error.log")
    idle = clients.Idle(server.port, IDLE)
    slow = clients.Slow(server.port, SLOW)
    slow.start()
    stream = clients.Stream(server.port, VALID)
    begun = time.monotonic()
    for i in range(RELOADS):
        reload_once(server, tail, i)
        if i == 9:
            early = [clients.resident(pid) for pid in workers]
    seconds = time.monotonic() - begun
    late = [clients.resident(pid) for pid in workers]
    done, failed = stream.end()
    assert clients.children(server.process.pid) == workers, "a worker was replaced"
    assert not failed, failed[:10]
    assert done > RELOADS
    assert idle.closed() == 0
    assert idle.ask_all() == IDLE
    before = slow.read
    time.sleep(1)
    assert slow.read > before
    assert not slow.failed, slow.failed[:10]
    slow.end()
    idle.end()
    print(f"{RELOADS} reloads in {seconds:.1f} s, {done} requests, "
          f"resident KiB {early} -> {late}")
    if not is_sanitized(server):             # a sanitizer keeps what was freed for a while
        assert all(b <= a * 1.05 for a, b in zip(early, late)), (early, late)


def end_upgraded(server):
    """A master that is not the one that the fixture started, and ends."""
    try:
        pid = int((server.dir / "weir.pid").read_text())
    except (OSError, ValueError):
        return
    if pid != server.process.pid:
        os.kill(pid, signal.SIGQUIT)


@pytest.mark.parametrize("how", ["replaced", "killed", "upgraded"])
def test_new_workers_under_load(server, request, how):
    """Where workers must be new ones, no new connection is lost; of those that are killed, only
    what they were just serving."""
    stream = clients.Stream(server.port, VALID, fresh_every=1)
    request.addfinalizer(lambda: end_upgraded(server))
    tail = Tail(server.dir / "error.log")
    master = server.process.pid
    times = max(4, RELOADS // 10)
    for i in range(min(times, 6) if how == "killed" else times):
        if how == "replaced":
            server.write_conf(conf("one").replace("daemon off;", f"daemon off;\nenv A=x{i};"))
            os.kill(master, signal.SIGHUP)
            tail.wait("is in use")
        elif how == "killed":
            server.allow("exited on signal 9")
            os.kill(clients.children(master)[i % 2], signal.SIGKILL)
            tail.wait("start worker process")
        else:
            os.kill(master, signal.SIGUSR2)
            tail.wait("configuration 1 is in use")
            new = int((server.dir / "weir.pid").read_text())
            os.kill(master, signal.SIGQUIT)
            tail.wait(f"{master}#{master}: exit")
            master = new
        time.sleep(0.05)
    done, failed = stream.end()
    print(f"{done} requests, {len(failed)} failed")
    assert done > 100
    assert len(failed) <= (2 * RELOADS if how == "killed" else 0), failed[:10]


def settled(pids):
    """Sockets of each process, once the connection that asked whether they listen is gone."""
    deadline = time.monotonic() + 20
    same, base = 0, None
    while same < 10:
        assert time.monotonic() < deadline, base
        former, base = base, [clients.sockets_of(pid) for pid in pids]
        same = same + 1 if base == former else 0
        time.sleep(0.05)
    return base


def test_fair_accept(weir):
    """A slow ramp of connections to workers that share a socket."""
    count, workers = 2000, 4
    s = weir("return 200 x;", main=f"worker_processes {workers};\nuser root;\n"
             "error_log error.log notice;\nworker_rlimit_nofile 8192;\n", master="on",
             events="worker_connections 4000;")
    s.wait_log("configuration 1 is in use")
    pids = clients.children(s.process.pid)
    base = settled(pids)
    held = []
    for i in range(count):
        held.append(clients.connect(s.port))
        if i % 10 == 0:
            time.sleep(0.01)
    deadline = time.monotonic() + 20
    while True:
        got = [clients.sockets_of(pid) - b for pid, b in zip(pids, base)]
        if sum(got) == count:
            break
        assert time.monotonic() < deadline, f"{count - sum(got)} connections wait: {got}"
        time.sleep(0.05)
    assert all(clients.ask(c)[1] == b"x" for c in held)
    mean = count / workers
    print("connections of each worker:", got)
    assert max(got) <= 1.3 * mean, got
    assert min(got) >= 0.7 * mean, got
    for c in held:
        c.close()
