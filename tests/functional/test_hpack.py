"""HPACK beside Debian's python3-hpack: what one writes the other reads, over many blocks of one
connection, with changes of the table's size and tables that overflow."""
import os
import random
import subprocess

import pytest

from conftest import ROOT

hpack = pytest.importorskip("hpack")

SOURCES = ["src/http/v2/hpack_table.c", "src/http/v2/hpack_huffman.c", "src/http/v2/hpack_decoder.c",
           "src/http/v2/hpack_encoder.c", "src/http/headers.c", "src/base/str.c", "src/base/arena.c",
           "src/base/out.c"]
BLOCKS = 400
WELL_KNOWN = [(b":method", b"GET"), (b":path", b"/"), (b":scheme", b"https"), (b":status", b"200"),
              (b":authority", b"localhost"), (b"accept-encoding", b"gzip, deflate"), (b"cookie", b"a=b"),
              (b"content-type", b"text/html"), (b"server", b"weir"), (b"etag", b'"65-5f"')]
TEXT = b"abcdefghijklmnopqrstuvwxyz0123456789-/ .=;ABCXYZ"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    binary = tmp_path_factory.mktemp("hpack") / "hpack_pipe"
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-g", "-O1",
                    "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-Isrc",
                    "-o", str(binary), "tests/functional/hpack_pipe.c", *SOURCES], cwd=ROOT, check=True)
    return binary


class Pipe:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer.endswith(b"\n"), "hpack_pipe has ended"
        return answer.decode().strip()

    def decode(self, block):
        answer = self.ask("decode " + block.hex())
        assert "error" not in answer, block.hex()
        return [tuple(bytes.fromhex(half) for half in field.split(":")) for field in answer.split()]

    def encode(self, fields):
        return bytes.fromhex(self.ask("encode " + " ".join(
            f"{index}:{name.hex()}:{value.hex()}" for index, name, value in fields)))

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.process.stdout.close()


@pytest.fixture
def pipe(program):
    p = Pipe(program)
    yield p
    p.end()


def some_bytes(rng, most):
    length = int(rng.expovariate(8 / most)) % most
    if rng.random() < 0.1:
        return rng.randbytes(length)
    return bytes(rng.choice(TEXT) for _ in range(length))


def some_fields(rng, seen):
    """New ones and some that were there; now and then one that is larger than any table."""
    fields = []
    for _ in range(rng.randrange(12)):
        kind = rng.random()
        if kind < 0.4 and seen:
            fields.append(rng.choice(seen))
        elif kind < 0.6:
            fields.append(rng.choice(WELL_KNOWN))
        elif kind < 0.7:
            fields.append((rng.choice(WELL_KNOWN)[0], some_bytes(rng, 200)))
        else:
            name = b"x-" + some_bytes(rng, 40).lower()
            fields.append((name, some_bytes(rng, 6000 if kind > 0.99 else 300)))
    seen.extend(fields)
    del seen[:-60]
    return fields


@pytest.mark.parametrize("seed", range(4))
def test_what_hpack_writes(pipe, seed):
    rng = random.Random(seed)
    encoder, seen = hpack.Encoder(), []
    for _ in range(BLOCKS):
        if rng.random() < 0.05:
            encoder.header_table_size = rng.choice([0, 64, 300, 1000, 4096])
        fields = some_fields(rng, seen)
        block = encoder.encode([hpack.NeverIndexedHeaderTuple(*f) if rng.random() < 0.1 else
                                hpack.HeaderTuple(*f) for f in fields], huffman=rng.random() < 0.7)
        assert pipe.decode(block) == fields


@pytest.mark.parametrize("seed", range(4))
def test_what_hpack_reads(pipe, seed):
    rng = random.Random(seed)
    decoder, seen = hpack.Decoder(max_header_list_size=1 << 24), []
    for _ in range(BLOCKS):
        if rng.random() < 0.05:
            size = rng.choice([0, 64, 300, 1000, 4096, 65536])
            decoder.max_allowed_table_size = max(size, 4096)
            assert pipe.ask(f"resize {size}") == "ok"
        fields = some_fields(rng, seen)
        block = pipe.encode([(rng.choice([0, 1, 1, 2]), *f) for f in fields])
        assert [tuple(f) for f in decoder.decode(block, raw=True)] == fields
        assert decoder.header_table_size <= 4096


def test_names_leave_in_lower_case(pipe):
    block = pipe.encode([(0, b"Content-TYPE", b"Text"), (1, b"X-Some", b"Y"), (1, b"X-Some", b"Y")])
    fields = hpack.Decoder().decode(block, raw=True)
    assert [tuple(f) for f in fields] == [(b"content-type", b"Text"), (b"x-some", b"Y"),
                                          (b"x-some", b"Y")]


def test_never_indexed(pipe):
    block = pipe.encode([(2, b"authorization", b"Basic eDp5"), (0, b"x", b"y")])
    secret, other = hpack.Decoder().decode(block, raw=True)
    assert not secret.indexable and other.indexable


def test_garbage_is_judged_alike(program):
    """Blocks that were broken at random: both read the same, or neither does."""
    rng = random.Random(1)
    for _ in range(30):
        pipe, decoder, encoder = Pipe(program), hpack.Decoder(), hpack.Encoder()
        for _ in range(60):
            block = bytearray(encoder.encode(some_fields(rng, [])))
            if not block:
                continue
            for _ in range(rng.choice([0, 1, 1, 3])):
                block[rng.randrange(len(block))] ^= 1 << rng.randrange(8)
            try:
                fields = [tuple(f) for f in decoder.decode(bytes(block), raw=True)]
            except (hpack.HPACKError, IndexError):
                fields = None
            answer = pipe.ask("decode " + block.hex())
            if fields is None or "error" in answer:
                break
            assert answer == " ".join(f"{name.hex()}:{value.hex()}" for name, value in fields)
        assert fields is not None or "error" in answer, block.hex()
        pipe.end()
