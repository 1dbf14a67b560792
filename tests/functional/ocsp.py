"""An OCSP responder that does as it is told, and a CA whose certificates name it.

    with Responder(ca) as responder:
        ca.issue("a", "ca", url=responder.url)
        responder.status["a"] = Status("revoked")

Answers are put together here, byte by byte, and signed by openssl(1): so they may be wrong in any way.
"""
import base64
import collections
import datetime
import hashlib
import subprocess
import time
import urllib.parse

from peers import Peer


def openssl(*args, **options):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **options).stdout


# ---- DER ----

def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def split(data):
    """The elements of a text: (tag, body, all of it)."""
    out = []
    while data:
        size, at = data[1], 2
        if size & 0x80:
            at += size & 0x7f
            size = int.from_bytes(data[2:at], "big")
        out.append((data[0], data[at:at + size], data[:at + size]))
        data = data[at + size:]
    return out


def inside(data, *path):
    """Follows numbers of elements down."""
    for n in path:
        data = split(data)[n][1]
    return data


SEQUENCE, OCTETS, BITS, OID, ENUMERATED, TIME = 0x30, 4, 3, 6, 10, 24
BASIC = tlv(OID, bytes.fromhex("2b0601050507300101"))
ECDSA_SHA256 = tlv(SEQUENCE, tlv(OID, bytes.fromhex("2a8648ce3d040302")))


def moment(seconds):
    when = datetime.datetime.utcfromtimestamp(time.time() + seconds)
    return tlv(TIME, when.strftime("%Y%m%d%H%M%SZ").encode())


def id_of_request(request):
    """The first CertID that is asked for (RFC 6960 section 4.1.1)."""
    for tag, body, _ in split(inside(request, 0, 0)):
        if tag == SEQUENCE:                    # not [0] version or [1] requestor
            return split(inside(body, 0))[0][2]
    raise AssertionError("no list of requests")


def serial_of_id(id):
    return int.from_bytes(split(inside(id, 0))[3][1], "big")


# ---- certificates ----

class Authority:
    """Certificates in a folder: NAME.crt and NAME.key."""
    def __init__(self, folder):
        self.dir = folder
        self.serials = {}

    def root(self, name="ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30,
                "-subj", f"/CN={name}", "-keyout", self.dir / f"{name}.key",
                "-out", self.dir / f"{name}.crt")
        return self

    def issue(self, name, by="ca", url=None, is_ca=False, kind="ec", extra="", serial=None):
        kinds = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}
        serial = serial or int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
        openssl("req", "-new", *kinds[kind], "-nodes", "-subj", f"/CN={name}",
                "-keyout", self.dir / f"{name}.key", "-out", self.dir / f"{name}.csr")
        lines = ["basicConstraints=critical,CA:" + ("TRUE" if is_ca else "FALSE"), extra]
        if url:
            lines.append(f"authorityInfoAccess=OCSP;URI:{url}")
        (self.dir / f"{name}.ext").write_text("\n".join(lines))
        openssl("x509", "-req", "-in", self.dir / f"{name}.csr", "-CA", self.dir / f"{by}.crt", "-CAkey",
                self.dir / f"{by}.key", "-set_serial", serial, "-days", 20, "-extfile",
                self.dir / f"{name}.ext", "-out", self.dir / f"{name}.crt")
        self.serials[serial] = name

    def der(self, name):
        return openssl("x509", "-in", self.dir / f"{name}.crt", "-outform", "DER")

    def join(self, to, *names):
        """One file of several certificates."""
        (self.dir / f"{to}.crt").write_bytes(b"".join((self.dir / f"{n}.crt").read_bytes() for n in names))


# ---- answers ----

# status: good, revoked, unknown; since and until: seconds from now (None: no nextUpdate); signer: whose
# certificate signs, and is sent along where `attach`; broken: the signature is not the signer's;
# code: of the whole answer (3: tryLater).
Status = collections.namedtuple("Status", "status since until signer attach broken code other",
                                defaults=["good", -60, 3600, "ca", True, False, 0, False])


def answer(ca, id, s):
    if s.code:
        return tlv(SEQUENCE, tlv(ENUMERATED, bytes([s.code])))
    if s.other:
        id = bytearray(id)
        id[-1] ^= 1
    status = {"good": tlv(0x80), "revoked": tlv(0xa1, moment(-600)), "unknown": tlv(0x82)}[s.status]
    single = tlv(SEQUENCE, bytes(id), status, moment(s.since),
                 tlv(0xa0, moment(s.until)) if s.until is not None else b"")
    signer = ca.der(s.signer)
    subject = split(inside(signer, 0, 0))[5][2]
    data = tlv(SEQUENCE, tlv(0xa1, subject), moment(s.since), tlv(SEQUENCE, single))
    signature = openssl("dgst", "-sha256", "-sign", ca.dir / f"{s.signer}.key", input=data)
    if s.broken:
        signature = openssl("dgst", "-sha256", "-sign", ca.dir / f"{s.signer}.key", input=data + b"x")
    basic = tlv(SEQUENCE, data, ECDSA_SHA256, tlv(BITS, b"\0" + signature),
                tlv(0xa0, tlv(SEQUENCE, signer)) if s.attach else b"")
    return tlv(SEQUENCE, tlv(ENUMERATED, b"\0"), tlv(0xa0, tlv(SEQUENCE, BASIC, tlv(OCTETS, basic))))


class Responder:
    """status: by the name of a certificate; script(conn, body) may send something else.  What was asked
    for is in `asked`, names in their order; in `heads` how."""
    def __init__(self, ca):
        self.ca = ca
        self.status = {}
        self.delay = 0
        self.script = None
        self.asked, self.heads = [], []
        self.peer = Peer(self.serve)
        self.port = self.peer.port
        self.url = f"http://127.0.0.1:{self.port}"

    def serve(self, conn):
        head, body = conn.request()
        line = head.split(b"\r\n")[0].decode()
        request = body
        if line.startswith("GET "):
            request = base64.b64decode(urllib.parse.unquote(line.split(" ")[1].rsplit("/", 1)[1]))
        id = id_of_request(request)
        name = self.ca.serials[serial_of_id(id)]
        self.asked.append(name)
        self.heads.append(head.decode())
        if self.delay:
            time.sleep(self.delay)
        der = answer(self.ca, id, self.status.get(name, Status()))
        if self.script:
            self.script(conn, der)
        else:
            conn.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n" + der)

    def down(self):
        self.peer.stop()

    def up(self):
        self.peer = Peer(self.serve, self.port)

    def stop(self):
        self.peer.stop()
