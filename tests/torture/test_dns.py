"""Names whose addresses change every second, under load, from a name server that does all that one should not.

`make check` has the short form (WEIR_TORTURE=short), `make torture` the long one.
"""
import os
import random
import threading
import time


import clients
from fake_dns import DROP, NameServer, record, reply
from test_proxy import BODY, MAIN, Peers, peers, plain  # noqa: F401 (fixtures)
from test_reload import is_sanitized

SHORT = os.environ.get("WEIR_TORTURE") == "short"
SECONDS = 10 if SHORT else 60
GOOD = "127.0.0.1"


class Flapping(NameServer):
    """Each answer is another: some of them with addresses where nobody is, but always a good one; `bad` of
    ten are of `wrongs` or, without them, any that are none."""

    def __init__(self, seed, wrongs=None):
        self.chance = random.Random(seed)
        self.wrongs = wrongs
        self.bad = 0
        self.lock = threading.Lock()
        self.kinds = {}
        super().__init__(ttl=1, script=self.flap)

    def addresses(self, q):
        if q.type != "A":
            return []
        dead = [f"127.0.0.{n}" for n in self.chance.sample(range(2, 250), self.chance.randrange(4))]
        all = dead + [GOOD]
        self.chance.shuffle(all)
        return [record(q.name, "A", 1, a) for a in all]

    def answers(self, q):
        good = reply(q, self.addresses(q))
        forged = [record(q.name, "A", 600, "127.0.0.66")]
        return {
            "silence": lambda: DROP,
            "late": lambda: [good],
            "servfail": lambda: [reply(q, code=2)],
            "refused": lambda: [reply(q, code=5)],
            "format": lambda: [reply(q, code=1)],
            "cut off": lambda: [good[:self.chance.randrange(len(good))]],
            "garbage": lambda: [bytes(self.chance.randrange(256) for _ in range(self.chance.randrange(300)))],
            "miscounted": lambda: [good[:7] + bytes([9]) + good[8:]],
            "compressed": lambda: [good[:-10] + b"\xc0\xff" + good[-8:]],
            "truncated": lambda: [reply(q, truncated=True)],
            "forged": lambda: [reply(q, forged, id=q.id ^ 1), reply(q, forged, name="none.test"), good],
            "twice": lambda: [good, good],
        }

    def flap(self, q):
        with self.lock:
            kind = "good"
            if self.chance.random() * 10 < self.bad:
                kind = self.chance.choice(self.wrongs or sorted(self.answers(q)))
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
            answer = [reply(q, self.addresses(q))] if kind == "good" else self.answers(q)[kind]()
            delay = self.chance.choice([0.2, 0.7, 4.0]) if kind == "late" else 0
        time.sleep(delay)
        return answer


def conf(port, resolvers):
    alone = f"resolver 127.0.0.1:{resolvers[0].port}; resolver_timeout 500ms;"
    return f"""
        resolver 127.0.0.1:{resolvers[-1].port}; resolver_timeout 20s; keepalive_requests 1000000; keepalive_timeout 1h;
        upstream u {{ zone z 256k; {alone} server flap.test:{port} resolve max_fails=0; }}
        upstream v {{ zone z2 256k; {alone} server flap.test:{port} resolve fail_timeout=1s;
                      server 127.0.0.1:{port} backup; }}
        server {{ listen 127.0.0.1:@PORT@; location = /gen {{ proxy_pass http://u/100; }} }}
        server {{ listen 127.0.0.1:@PORT2@; location = /gen {{ proxy_pass http://v/100; }} }}
        server {{ listen 127.0.0.1:@PORT3@; set $name other.test;
                  location = /gen {{ proxy_pass http://$name:{port}/100; }} }}"""


def test_dns_flapping(weir, peers):  # noqa: F811
    """A group of a name, a group with a backup, and a name that a variable gives: nobody sees an error."""
    p = peers(1)
    first = Flapping(seed=1)
    second = Flapping(seed=2, wrongs=["silence", "late", "garbage", "forged", "twice", "compressed"])
    s = weir(http=conf(p.ports[0], (first, second)), main=MAIN, master="on")
    for text in "resolved", "upstream", "name server", "connect":
        s.allow(text)
    s.wait_log("configuration 1 is in use")
    workers = clients.children(s.process.pid)
    first.wait_for("flap.test", 4)             # all know an address, and lose it no more
    time.sleep(0.5)
    first.bad = 9
    second.bad = 3                             # what is said again in time is no failure
    streams = [clients.Stream(s.port_of(name), (BODY,), processes=1) for name in ("@PORT@", "@PORT2@", "@PORT3@")]
    time.sleep(SECONDS / 2)
    early = [(clients.resident(pid), clients.sockets_of(pid)) for pid in workers]
    time.sleep(SECONDS / 2)
    late = [(clients.resident(pid), clients.sockets_of(pid)) for pid in workers]
    ends = [stream.end() for stream in streams]
    for d in (first, second):
        d.stop()
    print(f"{len(first.queries)} and {len(second.queries)} questions, {dict(sorted(first.kinds.items()))}, "
          f"{[done for done, _ in ends]} requests, (KiB, sockets) {early} -> {late}")
    assert all(not failed for _, failed in ends), [failed[:5] for _, failed in ends]
    assert all(done > 10 for done, _ in ends)      # of the last, while an answer is awaited, nobody
    assert len(first.kinds) > 8
    if not is_sanitized(s):
        assert all(b[0] <= a[0] * 1.1 + 1024 for a, b in zip(early, late))
    assert all(b[1] < 100 for b in late)


def test_name_server_that_only_fails(weir, peers):  # noqa: F811
    """The addresses that were there stay while nobody tells of others."""
    p = peers(1)
    d = NameServer({"flap.test": {"A": [GOOD]}, "other.test": {"A": [GOOD]}}, ttl=1)
    s = weir(http=conf(p.ports[0], (d,)).partition("server { listen 127.0.0.1:@PORT2@")[0], main=MAIN, master="on")
    s.allow("resolved")

    d.wait_for("flap.test", 2)
    stream = clients.Stream(s.port, (BODY,), processes=1)
    for what in (2, 5, "drop", 2):
        if what == "drop":
            d.script = lambda q: DROP
        else:
            d.records["flap.test"] = what
        time.sleep(1.6)
    d.script = None
    d.records["flap.test"] = {"A": ["127.0.0.9", GOOD]}
    time.sleep(1.5)
    done, failed = stream.end()
    d.stop()
    assert not failed, failed[:5]
    assert done > 100
