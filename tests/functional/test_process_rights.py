"""What workers hold and may do: descriptors that are used up, and those that are not their affair."""
import os
import pathlib
import pwd
import signal
import time

import pytest

from test_process import (SERVER, change, children, hup, open_folder, two,  # noqa: F401
                          wait_until)


@pytest.fixture
def exhausted(weir):
    """A server whose worker has no descriptor left; the connections that hold them."""
    server = weir(SERVER, main="worker_rlimit_nofile 40;\nerror_log error.log notice;\n", master="on")
    for words in ("Too many open files", "was cut short", "makes no sense"):
        server.allow(words)
    held = []
    while "Too many open files" not in server.log():
        held.append(server.connect())
        held[-1].sendall(b"GET / HTTP/1.1\r\nX: ")    # idle ones would be closed
        time.sleep(0.01)
    yield server, held
    for s in held:
        s.close()


def wait_for_another(server, before, held):
    for s in held:
        s.close()
    wait_until(lambda: not set(before) & set(children(server.process.pid)))


def test_reload_without_free_descriptors(exhausted):
    """The worker can't take the new configuration: a new process does."""
    server, held = exhausted
    before = children(server.process.pid)
    change(server, "one", "two")
    hup(server, 2)
    wait_for_another(server, before, held)
    assert server.get("/").body == b"two\n"


def test_reopen_without_free_descriptors(exhausted):
    server, held = exhausted
    before = children(server.process.pid)
    os.rename(server.dir / "error.log", server.dir / "moved")
    server.process.send_signal(signal.SIGUSR1)
    server.wait_log("a new process replaces it")
    wait_for_another(server, before, held)


def test_worker_has_only_its_own_descriptors(two):
    for worker in children(two.process.pid):
        folder = pathlib.Path(f"/proc/{worker}/fd")
        assert not [fd for fd in folder.iterdir() if os.readlink(fd).endswith(".pid")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
@pytest.mark.parametrize("owner", [0, 1234])
def test_temp_folder_behind_a_link(open_folder, weir, owner):
    """What somebody else's link leads to does not become the workers'."""
    target, link = open_folder / "target", open_folder / "temp"
    target.mkdir()
    link.symlink_to(target)
    os.chown(link, owner, owner, follow_symlinks=False)
    server = weir(f"client_body_temp_path {link};\n" + SERVER, main="user nobody;\n")
    server.allow("belongs to another user")
    mine = owner == 0
    assert target.stat().st_uid == (pwd.getpwnam("nobody").pw_uid if mine else 0)
    assert ("belongs to another user" in server.texts()) != mine
