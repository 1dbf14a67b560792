"""Master and workers: the command line, signals, reload, upgrade, limits, the service manager."""
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from conftest import BINARY, ROOT, free_port, open_files, wait_until

MAIN = "worker_processes 2;\nerror_log error.log notice;\nuser root;\n"
SERVER = 'location / { return 200 "one\\n"; }'


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return sorted(int(word) for word in f.read().split())


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def run(*words, **more):
    return subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, timeout=30,
                          check=False, **more)


def text(server):
    return (server.dir / "weir.conf").read_text()


def change(server, old, new):
    conf = text(server)
    assert old in conf
    server.write_conf(conf.replace(old, new))


def hup(server, number):
    server.process.send_signal(signal.SIGHUP)
    server.wait_log(f"configuration {number} is in use")


@pytest.fixture
def two(weir):
    """A master and two workers."""
    s = weir(SERVER, main=MAIN, master="on")
    s.wait_log("configuration 1 is in use")
    return s


# ---- the command line ----


def test_version():
    done = run("-v")
    assert done.returncode == 0
    assert re.fullmatch(r"weir version: weir/\d+\.\d+\.\d+\S*\n", done.stderr)
    done = run("-V")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("weir version: weir/") and lines[1].startswith("built by ")
    assert lines[-1].startswith("configure arguments:")


def test_help():
    done = run("-h")
    assert done.returncode == 0 and "-s signal" in done.stderr and "weir serve" in done.stderr


@pytest.mark.parametrize("words, message", [
    (["-x"], 'invalid option: "x"'),
    (["x"], 'invalid option: "x"'),
    (["-s", "jump"], 'invalid option: "-s jump"'),
    (["-c"], 'option "-c" requires file name'),
    (["-p"], 'option "-p" requires directory name'),
    (["-s"], 'option "-s" requires parameter'),
])
def test_bad_options(words, message):
    done = run(*words)
    assert done.returncode == 1 and message in done.stderr


def write(folder, content):
    (folder / "weir.conf").write_text(content)
    return ["-p", folder, "-c", "weir.conf", "-e", "error.log"]


def test_conf_good(tmp_path):
    where = write(tmp_path, "events { }\nerror_log error.log;\n")
    done = run("-t", *where)
    assert done.returncode == 0
    assert f"the configuration file {tmp_path}/weir.conf syntax is ok" in done.stderr
    assert f"configuration file {tmp_path}/weir.conf test is successful" in done.stderr
    assert run("-tq", *where).stderr == ""
    assert run("-t", "-q", *where).returncode == 0


def test_conf_mistakes(tmp_path):
    where = write(tmp_path, "events { worker_connections x; }\nfoo 1;\nworker_processes 0;\n"
                            "worker_cpu_affinity 012;\nworker_priority 99;\nuser nobody-at-all;\n")
    done = run("-t", *where)
    assert done.returncode == 1
    for line in range(1, 6):
        assert re.search(rf"\[emerg\] .* in {tmp_path}/weir.conf:{line}\n", done.stderr), line
    assert 'unknown directive "foo"' in done.stderr
    if os.geteuid() == 0:
        assert 'getpwnam("nobody-at-all") failed' in done.stderr
    assert f"configuration file {tmp_path}/weir.conf test failed" in done.stderr


def test_conf_dump(tmp_path):
    where = write(tmp_path, "include other;\nevents { }\n")
    (tmp_path / "other").write_text("# the other\npid x.pid;\n")
    done = run("-T", *where)
    assert done.returncode == 0
    assert f"# configuration file {tmp_path}/weir.conf:\ninclude other;\n" in done.stdout
    assert f"# configuration file {tmp_path}/other:\n# the other\n" in done.stdout


def test_globals(tmp_path):
    where = write(tmp_path, "events { }\n")
    assert run("-t", *where, "-g", "worker_processes 3;").returncode == 0
    done = run("-t", *where, "-g", "nonsense;")
    assert done.returncode == 1 and 'unknown directive "nonsense"' in done.stderr


def test_signal_without_server(tmp_path):
    where = write(tmp_path, "events { }\npid none.pid;\n")
    done = run("-s", "stop", *where)
    assert done.returncode == 1
    assert f'open() "{tmp_path}/none.pid" failed (2: No such file or directory)' in done.stderr
    assert "is it running?" in done.stderr
    (tmp_path / "none.pid").write_text("4194304\n")
    done = run("-s", "stop", *where)
    assert done.returncode == 1 and "No such process" in done.stderr
    (tmp_path / "none.pid").write_text("hello\n")
    assert "invalid PID number" in run("-s", "stop", *where).stderr


def test_signal_reload_with_mistakes(two):
    change(two, SERVER, "oops;")
    done = run("-s", "reload", "-p", two.dir, "-c", "weir.conf")
    assert done.returncode == 1 and 'unknown directive "oops"' in done.stderr
    time.sleep(0.2)
    assert "reconfiguring" not in two.log()
    assert two.get("/").body == b"one\n"


@pytest.mark.parametrize("name", ["stop", "quit"])
def test_signal_ends(two, name):
    assert run("-s", name, "-p", two.dir, "-c", "weir.conf").returncode == 0
    assert two.process.wait(10) == 0
    assert not (two.dir / "weir.pid").exists()


# ---- starting ----


def test_second_instance(two):
    two.allow("bind() to")
    done = run("-p", two.dir, "-c", "weir.conf", "-e", "error.log",
               "-g", "worker_rlimit_nofile 4096;")
    assert done.returncode == 1
    assert "Address already in use" in done.stderr


def test_second_instance_same_pid_file(two):
    two.allow("another instance")
    conf = (two.dir / "weir.conf").read_text().replace(str(two.port), str(free_port()))
    (two.dir / "second.conf").write_text(conf)
    done = run("-p", two.dir, "-c", "second.conf", "-e", "error.log")
    assert done.returncode == 1
    assert f"another instance is running as process {two.process.pid}" in done.stderr
    assert two.get("/").body == b"one\n"


def test_pid_file_left_over(weir, tmp_path):
    (tmp_path / "weir.pid").write_text("1\n")
    s = weir(SERVER, main=MAIN, master="on")
    wait_until(lambda: (tmp_path / "weir.pid").read_text() == f"{s.process.pid}\n")


def test_daemon(tmp_path):
    port = free_port()
    where = write(tmp_path, f"pid weir.pid;\nerror_log error.log notice;\n{user()}events {{ }}\n"
                  f"http {{ access_log off; server {{ listen 127.0.0.1:{port};\n{SERVER} }} }}\n")
    done = run(*where)
    assert done.returncode == 0, done.stderr
    wait_until((tmp_path / "weir.pid").exists)
    wait_until(lambda: (tmp_path / "weir.pid").read_text().endswith("\n"))
    pid = int((tmp_path / "weir.pid").read_text())
    try:
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/fd/2") == str(tmp_path / "error.log")
        title = pathlib.Path(f"/proc/{pid}/cmdline")
        wait_until(lambda: title.read_text().startswith("weir: master process "))
        assert b"one\n" in fetch(port)
    finally:
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: is_gone(pid))


def user():
    return "user root;\n" if os.geteuid() == 0 else ""


def fetch(port, path="/"):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        data = b""
        while piece := s.recv(65536):
            data += piece
    return data


def test_missing_log_folder_is_no_end(weir):
    s = weir(SERVER, main=MAIN.replace("error_log error.log", "error_log nowhere/error.log"),
             master="on")
    s.allow("nowhere/error.log")
    assert s.get("/").body == b"one\n"
    output = (s.dir / "output").read_text()
    assert output.count("nowhere/error.log") == 1, output
    assert "its lines are lost" in output


# ---- workers ----


def test_worker_dies(two):
    two.allow("exited on signal 9")
    first, second = children(two.process.pid)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(children(two.process.pid)) == 2 and is_gone(first))
    assert second in children(two.process.pid)
    assert two.get("/").body == b"one\n"


def test_worker_keeps_dying(two):
    two.allow("exited on signal 9")
    begun = time.monotonic()
    killed = 0
    while time.monotonic() < begun + 2:
        for pid in children(two.process.pid):
            os.kill(pid, signal.SIGKILL)
            killed += 1
        time.sleep(0.01)
    assert killed < 30, "there are pauses"
    wait_until(lambda: len(children(two.process.pid)) == 2)
    assert two.get("/").body == b"one\n"


def test_master_dies(weir):
    s = weir(SERVER, main=MAIN, master="on")
    s.wait_log("configuration 1 is in use")
    workers = children(s.process.pid)
    s.process.kill()
    s.process.wait()
    wait_until(lambda: all(is_gone(pid) for pid in workers))
    assert s.log().count("the master is gone") == 2


def test_number_of_workers(two):
    before = children(two.process.pid)
    change(two, "worker_processes 2", "worker_processes 4")
    hup(two, 2)
    assert len(children(two.process.pid)) == 4 and set(before) < set(children(two.process.pid))
    change(two, "worker_processes 4", "worker_processes 1")
    hup(two, 3)
    wait_until(lambda: len(children(two.process.pid)) == 1)
    assert children(two.process.pid)[0] in before
    assert two.get("/").body == b"one\n"


def test_auto_affinity(weir):
    s = weir(SERVER, main=MAIN.replace("worker_processes 2", "worker_processes auto") +
             "worker_cpu_affinity auto;\n", master="on")
    s.wait_log("configuration 1 is in use")
    workers = children(s.process.pid)
    assert 1 <= len(workers) <= len(os.sched_getaffinity(0))
    assert {len(os.sched_getaffinity(pid)) for pid in workers} == {1}


@pytest.fixture
def open_folder():
    """A folder that other users may enter; pytest's are closed to them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_user_limits_and_environment(open_folder, weir):
    (open_folder / "work").mkdir()
    s = weir(SERVER, main="user nobody;\nworker_priority 5;\nworker_rlimit_core 100m;\n"
             "worker_rlimit_nofile 777;\nworking_directory work;\nenv FOO=bar;\nenv PATH;\n"
             "error_log error.log notice;\n", master="on", folder=open_folder)
    s.wait_log("configuration 1 is in use")
    worker, = children(s.process.pid)
    status = pathlib.Path(f"/proc/{worker}/status").read_text()
    uid = pwd.getpwnam("nobody").pw_uid
    assert re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$", status, re.M)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.M)
    assert re.search(r"^CapEff:\t0+$", status, re.M)
    limits = pathlib.Path(f"/proc/{worker}/limits").read_text()
    assert re.search(r"Max open files +777 +777", limits)
    assert re.search(r"Max core file size +104857600 +104857600", limits)
    assert os.getpriority(os.PRIO_PROCESS, worker) == 5
    assert os.readlink(f"/proc/{worker}/cwd") == str(open_folder / "work")
    assert s.get("/").body == b"one\n"
    change(s, "user nobody", "user daemon")
    hup(s, 2)
    wait_until(lambda: worker not in children(s.process.pid))
    other, = children(s.process.pid)
    assert os.stat(f"/proc/{other}").st_uid == pwd.getpwnam("daemon").pw_uid
    assert s.get("/").body == b"one\n"


def test_descriptor_shortfall_is_said(weir):
    s = weir(SERVER, main=MAIN + "worker_rlimit_nofile 300;\n", master="on")
    s.wait_log("worker_connections need")
    assert s.log().count("worker_connections need") == 1


# ---- reload ----


def test_reload_keeps_everything(two):
    workers = children(two.process.pid)
    kept = two.connect()
    kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"one" in kept.recv(4096)
    change(two, "one", "two")
    hup(two, 2)
    assert children(two.process.pid) == workers
    kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"two" in kept.recv(4096)
    kept.close()


def test_reload_broken(two):
    two.allow("nonsense")
    change(two, SERVER, SERVER + " nonsense;")
    two.process.send_signal(signal.SIGHUP)
    two.wait_log("the former one stays in use")
    assert 'unknown directive "nonsense"' in two.log()
    assert two.get("/").body == b"one\n"


def test_reload_busy_address(two):
    two.allow("bind() to")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        change(two, SERVER, SERVER + f" listen 127.0.0.1:{port};")
        two.process.send_signal(signal.SIGHUP)
        two.wait_log("the former one stays in use")
    assert f"bind() to 127.0.0.1:{port} failed (98: Address already in use)" in two.log()
    assert two.get("/").body == b"one\n"
    hup(two, 3)                        # it is free now
    assert b"one" in fetch(port)


def test_reload_listen(two):
    """A new address; an old one goes, with its idle connections, not with those in use."""
    old, new = two.port, free_port()
    (two.dir / "html").mkdir()
    with open(two.dir / "html" / "big", "wb") as f:
        f.truncate(20 << 20)
    change(two, SERVER, SERVER + " location /big { root html; }")
    hup(two, 2)
    idle, busy = two.connect(), two.connect()
    idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"one" in idle.recv(4096)
    busy.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    got = len(busy.recv(4096))
    change(two, f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    hup(two, 3)
    assert b"one" in fetch(new)
    with pytest.raises(OSError):
        fetch(old)
    assert idle.recv(1) == b""
    while piece := busy.recv(65536):
        got += len(piece)
    assert got > 20 << 20
    idle.close()
    busy.close()


def test_reload_reuseport(two):
    address = f"127.0.0.1:{two.port}"
    reuse = f"{address} reuseport"
    for number, change_to in ((2, reuse), (3, address), (4, reuse)):
        conf = re.sub(r"listen [^;]*;", f"listen {change_to};", text(two), count=1)
        two.write_conf(conf)
        hup(two, number)
        for _ in range(20):
            assert two.get("/").body == b"one\n"


def test_unix_socket(weir):
    s = weir(http='server { listen 127.0.0.1:@PORT@; listen unix:@DIR@/sock; '
                  'return 200 "one\\n"; }', main=MAIN, master="on")
    path = s.dir / "sock"
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(str(path))
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200" in c.recv(4096)
    assert path.stat().st_mode & 0o777 == 0o666
    s.stop()
    assert not path.exists()


def test_shutdown_timeout(weir):
    s = weir(SERVER + " location /big { root html; }", master="on",
             main=MAIN + "worker_shutdown_timeout 300ms;\n", files={"html/x": "x"})
    with open(s.dir / "html" / "big", "wb") as f:
        f.truncate(100 << 20)
    held = s.connect()
    held.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    assert held.recv(4096)
    hup(s, 2)
    s.wait_log("closed 1 connections that held configuration 1")
    again = s.connect()
    again.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    assert again.recv(4096)
    begun = time.monotonic()
    s.process.send_signal(signal.SIGQUIT)
    assert s.process.wait(10) == 0
    assert 0.2 < time.monotonic() - begun < 5
    held.close()
    again.close()


def test_graceful_quit(two):
    (two.dir / "html").mkdir()
    with open(two.dir / "html" / "big", "wb") as f:
        f.truncate(20 << 20)
    change(two, SERVER, "location /big { root html; }")
    hup(two, 2)
    busy = two.connect()
    busy.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    got = len(busy.recv(4096))
    two.process.send_signal(signal.SIGQUIT)
    two.wait_log("gracefully shutting down")
    with pytest.raises(OSError):
        two.connect().recv(1)
        raise OSError
    while piece := busy.recv(1 << 20):
        got += len(piece)
    assert got > 20 << 20
    assert two.process.wait(10) == 0
    busy.close()


def test_stopped_worker_holds_nobody_up(two):
    stopped, running = children(two.process.pid)
    os.kill(stopped, signal.SIGSTOP)
    try:
        for word in ("two", "three", "four"):
            two.write_conf(re.sub("return 200 .*n", f'return 200 "{word}\\\\n', text(two)))
            two.process.send_signal(signal.SIGHUP)
            wait_until(lambda: word.encode() in answer_of_running(two))
    finally:
        os.kill(stopped, signal.SIGCONT)
    two.wait_log("configuration 4 is in use")
    assert children(two.process.pid) == [stopped, running]


def answer_of_running(server):
    """Connections that the stopped worker was woken for wait until the other one looks."""
    with server.connect(timeout=1) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        try:
            return s.recv(4096)
        except TimeoutError:
            return b""


def test_ipv6only_cannot_change(weir):
    s = weir(http="server { listen 127.0.0.1:@PORT@; listen [::1]:@PORT2@ ipv6only=on; }",
             main=MAIN, master="on")
    change(s, "ipv6only=on", "ipv6only=off")
    hup(s, 2)
    assert "cannot change while it is open" in s.log()


def test_one_process(weir):
    s = weir(SERVER, main="error_log error.log notice;\n" + user())
    kept = s.connect()
    kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"one" in kept.recv(4096)
    change(s, "one", "two")
    s.process.send_signal(signal.SIGHUP)
    wait_until(lambda: s.get("/").body == b"two\n")
    kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"two" in kept.recv(4096)
    kept.close()
    s.allow("nonsense")
    change(s, "two", "nonsense\"; nonsense \"")
    s.process.send_signal(signal.SIGHUP)
    s.wait_log('unknown directive "nonsense"')
    assert s.get("/").body == b"two\n"
    (s.dir / "error.log").rename(s.dir / "error.old")
    s.process.send_signal(signal.SIGUSR1)
    wait_until((s.dir / "error.log").exists)
    assert children(s.process.pid) == []


# ---- log files ----


def test_reopen(two):
    log = two.dir / "error.log"
    log.rename(two.dir / "error.old")
    two.process.send_signal(signal.SIGUSR1)
    for pid in [two.process.pid, *children(two.process.pid)]:
        def reopened():
            files = open_files(pid)
            return str(log) in files and str(two.dir / "error.old") not in files
        wait_until(reopened)


# ---- upgrade ----


def test_upgrade(two):
    old = two.process.pid
    os.kill(old, signal.SIGUSR2)
    wait_until((two.dir / "weir.pid.oldbin").exists)
    wait_until((two.dir / "weir.pid").exists)
    wait_until(lambda: (two.dir / "weir.pid").read_text().endswith("\n"))
    new = int((two.dir / "weir.pid").read_text())
    assert int((two.dir / "weir.pid.oldbin").read_text()) == old != new
    wait_until(lambda: len(children(new)) == 2)
    for _ in range(20):
        assert two.get("/").body == b"one\n"
    os.kill(old, signal.SIGQUIT)
    assert two.process.wait(10) == 0
    assert not (two.dir / "weir.pid.oldbin").exists()
    for _ in range(20):
        assert two.get("/").body == b"one\n"
    assert int((two.dir / "weir.pid").read_text()) == new
    os.kill(new, signal.SIGQUIT)
    wait_until(lambda: is_gone(new))
    assert not (two.dir / "weir.pid").exists()


def test_upgrade_and_back(two):
    old = two.process.pid
    os.kill(old, signal.SIGUSR2)
    wait_until((two.dir / "weir.pid.oldbin").exists)
    wait_until((two.dir / "weir.pid").exists)
    wait_until(lambda: (two.dir / "weir.pid").read_text().endswith("\n"))
    new = int((two.dir / "weir.pid").read_text())
    wait_until(lambda: len(children(new)) == 2)
    os.kill(new, signal.SIGQUIT)
    wait_until(lambda: "new binary process" in two.log() and
               not (two.dir / "weir.pid.oldbin").exists())
    assert int((two.dir / "weir.pid").read_text()) == old
    for _ in range(20):
        assert two.get("/").body == b"one\n"


# ---- the service manager ----


class Manager:
    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(10)
        self.seen = []

    def wait(self, text):
        while True:
            message = self.socket.recv(4096).decode()
            self.seen.append(message)
            if text in message:
                return message


def start(folder, port, environment, fds=(), listen=None):
    where = write(folder, f"daemon off;\npid weir.pid;\nerror_log error.log notice;\n{user()}"
                  f"events {{ }}\nhttp {{ access_log off; server {{ listen {listen or port};\n"
                  f"{SERVER} }} }}\n")
    return subprocess.Popen([BINARY, *map(str, where)], env={**os.environ, **environment},
                            pass_fds=fds, stderr=open(folder / "output", "wb"))


def test_notify(tmp_path):
    port = free_port()
    manager = Manager(tmp_path)
    p = start(tmp_path, f"127.0.0.1:{port}", {"NOTIFY_SOCKET": str(manager.path),
                                              "WATCHDOG_USEC": "200000"})
    try:
        assert "STATUS=serving" in manager.wait("READY=1")
        manager.wait("WATCHDOG=1")
        p.send_signal(signal.SIGHUP)
        assert re.search(r"MONOTONIC_USEC=\d+", manager.wait("RELOADING=1"))
        manager.wait("READY=1")
        (tmp_path / "weir.conf").write_text("bad")
        p.send_signal(signal.SIGHUP)
        manager.wait("RELOADING=1")
        assert "reload failed" in manager.wait("READY=1")
        p.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1")
        assert p.wait(10) == 0
    finally:
        p.kill()
        p.wait()


def test_socket_activation(tmp_path):
    port = free_port()
    where = write(tmp_path, f"daemon off;\npid weir.pid;\nerror_log error.log notice;\n{user()}"
                  f"events {{ }}\nhttp {{ access_log off; server {{ listen 127.0.0.1:{port};\n"
                  f"{SERVER} }} }}\n")
    # The descriptors begin with 3, and the id is the program's own.
    words = [BINARY, *map(str, where)]
    launcher = ("import os, socket; s = socket.socket(); "
                f"s.bind(('127.0.0.1', {port})); s.listen(); os.dup2(s.fileno(), 3); "
                "os.set_inheritable(3, True); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
                f"os.execv({words[0]!r}, {words!r})")
    p = subprocess.Popen([sys.executable, "-c", launcher], stderr=open(tmp_path / "output", "wb"))
    try:
        wait_until(lambda: listens(port))
        assert b"one" in fetch(port)
        assert "Address already in use" not in (tmp_path / "output").read_text()
    finally:
        p.send_signal(signal.SIGQUIT)
        assert p.wait(10) == 0


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


# ---- modules ----


def build_module(folder, version=None):
    source = (ROOT / "tests" / "modules" / "sample.c").read_text()
    if version:
        source = source.replace(".version = MODULE_ABI_VERSION", f".version = {version}")
    (folder / "sample.c").write_text(source)
    config = next(p for p in (pathlib.Path(BINARY).parent, ROOT / "build")
                  if (p / "config.h").exists())
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_XOPEN_SOURCE=700", "-shared",
                    "-fPIC", f"-I{ROOT}/src", f"-I{config}", "-o", str(folder / "sample.so"),
                    str(folder / "sample.c")], check=True)


def test_load_module(weir, tmp_path):
    build_module(tmp_path)
    s = weir(SERVER, main=MAIN + "load_module sample.so;\nsample_note hello;\n", master="on")
    s.wait_log("configuration 1 is in use")
    workers = children(s.process.pid)
    change(s, "sample_note hello", "sample_note again")
    hup(s, 2)
    s.wait_log("sample note: again")
    assert children(s.process.pid) == workers
    change(s, "load_module sample.so;\nsample_note again;", "")
    hup(s, 3)
    wait_until(lambda: not set(workers) & set(children(s.process.pid)))
    assert s.get("/").body == b"one\n"


def test_load_module_refused(tmp_path):
    build_module(tmp_path, version=99)
    done = run("-t", *write(tmp_path, "load_module sample.so;\nevents { }\n"))
    assert done.returncode == 1 and "version 99" in done.stderr
    done = run("-t", *write(tmp_path, "load_module none.so;\nevents { }\n"))
    assert done.returncode == 1 and f'dlopen() "{tmp_path}/none.so" failed' in done.stderr


# ---- weir serve ----


def test_serve(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<p>hello")
    port = free_port()
    p = subprocess.Popen([BINARY, "serve", str(tmp_path / "site"), "-l", f"127.0.0.1:{port}"],
                         stdout=open(tmp_path / "out", "wb"), stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: f"http://127.0.0.1:{port}/" in (tmp_path / "out").read_text())
        for _ in range(100):
            try:
                page = fetch(port)
                break
            except OSError:
                time.sleep(0.02)
        assert page.endswith(b"<p>hello") and b"text/html" in page
        wait_until(lambda: "GET /" in (tmp_path / "out").read_text())
        done = run("serve", "-l", f"127.0.0.1:{port}")
        assert done.returncode == 1 and "in use" in done.stderr and "-l" in done.stderr
    finally:
        p.send_signal(signal.SIGINT)
        assert p.wait(10) == 0
    assert "Ctrl+C" in (tmp_path / "out").read_text()


def test_serve_print(tmp_path):
    done = run("serve", tmp_path, "-l", "8088", "--print")
    assert done.returncode == 0 and "listen 127.0.0.1:8088;" in done.stdout
    assert f'root "{tmp_path}";' in done.stdout
    (tmp_path / "weir.conf").write_text(done.stdout)
    assert run("-t", "-p", tmp_path, "-c", "weir.conf").returncode == 0


def test_serve_refuses():
    assert "no folder" in run("serve", "/no/such/folder").stderr
    assert "ADDRESS:PORT" in run("serve", "-l", "x:y").stderr
    assert run("serve", "--what").returncode == 1


# ---- connections ----


@pytest.fixture
def ten(weir):
    """A worker that takes ten connections."""
    s = weir(SERVER + " location /big { root html; }", files={"html/x": ""},
             main="error_log error.log notice;\n" + user(), master="on",
             events="worker_connections 10;")
    with open(s.dir / "html" / "big", "wb") as f:
        f.truncate(100 << 20)
    return s


def test_idle_connections_make_room(ten):
    held = [ten.connect() for _ in range(30)]
    for c in held:
        try:
            c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            c.recv(4096)
        except OSError:
            pass
    assert ten.get("/").body == b"one\n"
    for c in held:
        c.close()


def test_busy_connections_do_not(ten):
    ten.allow("worker_connections are not enough")
    busy = [ten.connect() for _ in range(10)]
    for c in busy:
        c.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.recv(4096)
    waits = ten.connect()
    waits.sendall(b"GET / HTTP/1.0\r\n\r\n")
    waits.settimeout(0.3)
    with pytest.raises(TimeoutError):
        waits.recv(1)
    busy.pop().close()
    waits.settimeout(10)
    assert b"one" in waits.recv(4096)
    for c in [waits, *busy]:
        c.close()


@pytest.mark.parametrize("method", ["epoll", "poll", "select"])
def test_use(weir, method):
    s = weir(SERVER, main=MAIN, master="on", events="multi_accept off;")
    s.wait_log("configuration 1 is in use")
    change(s, "multi_accept off;", f"use {method}; multi_accept on;")
    before = children(s.process.pid)
    hup(s, 2)
    wait_until(lambda: not set(before) & set(children(s.process.pid)))
    for _ in range(20):
        assert s.get("/").body == b"one\n"
