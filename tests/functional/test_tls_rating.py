"""What others think of TLS as it is where a person configures nothing but a certificate: sslscan and
testssl.sh find nothing to complain about, but for what is named below and why."""
import json
import subprocess
import xml.etree.ElementTree

import pytest

from test_tls import KINDS, openssl, pytestmark  # noqa: F401

# Findings that are not about the server, of testssl.sh.
FOREIGN = {
    "cert_revocation": "the CA of this test publishes no lists of what it takes back",
    "HSTS": "that there is TLS for good is the site's to promise, not the server's",
    "security_headers": "what a site's pages may do is the site's to say",
    "sessionresumption_ticket": "its openssl s_client has often ended before a ticket of TLS 1.3 comes",
    "sessionresumption_ID": "the same",
}
# Some that must be there: the scan was not cut short.
PICKS = {"cipher_order", "cert_chain_of_trust", "TLS_session_ticket"}
PROTOCOLS = {"SSLv3", "TLS1_2", "TLS1_3", "cipherlist_STRONG", "HSTS"}
ATTACKS = {"heartbleed", "secure_renego", "secure_client_renego", "CRIME_TLS", "BREACH", "ROBOT"}


@pytest.fixture
def server(weir, tmp_path):
    """One with each kind of key, at @PORT@ and @PORT2@, of one CA."""
    openssl("req", "-x509", *KINDS["ec"], "-nodes", "-days", 90, "-subj", "/CN=a CA",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", tmp_path / "ca.key",
            "-out", tmp_path / "ca.crt")
    (tmp_path / "ext").write_text(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n"
        "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n")
    for kind in KINDS:
        openssl("req", "-new", *KINDS[kind], "-nodes", "-subj", "/CN=localhost",
                "-keyout", tmp_path / f"{kind}.key", "-out", tmp_path / f"{kind}.csr")
        openssl("x509", "-req", "-in", tmp_path / f"{kind}.csr", "-CA", tmp_path / "ca.crt",
                "-CAkey", tmp_path / "ca.key", "-CAcreateserial", "-days", 90,
                "-extfile", tmp_path / "ext", "-out", tmp_path / f"{kind}.crt")
    return weir(http="".join(
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {kind}.crt; ssl_certificate_key {kind}.key; }}"
        for kind, port in (("rsa", "@PORT@"), ("ec", "@PORT2@"))), files={"html/index.html": "a page"})


def ports(server):
    return {"rsa": server.port, "ec": server.port_of("@PORT2@")}


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_sslscan(server, kind):
    out = subprocess.run(["sslscan", "--xml=-", f"127.0.0.1:{ports(server)[kind]}"], check=True,
                         capture_output=True, timeout=120).stdout
    scan = xml.etree.ElementTree.fromstring(out).find("ssltest")
    assert {p.get("version") for p in scan.iter("protocol") if p.get("enabled") == "1"} == {"1.2", "1.3"}
    assert scan.find("renegotiation").get("supported") == "0"
    assert all(h.get("vulnerable") == "0" for h in scan.iter("heartbleed"))
    ciphers = list(scan.iter("cipher"))
    assert {c.get("sslversion") for c in ciphers} == {"TLSv1.2", "TLSv1.3"}
    assert {c.get("strength") for c in ciphers} <= {"strong", "acceptable"}
    assert all(c.get("ecdhebits") and int(c.get("bits")) >= 128 for c in ciphers)
    assert all(int(g.get("bits")) >= 112 for g in scan.iter("group"))


def begin_testssl(folder, kind, port, checks):
    return subprocess.Popen(
        ["testssl", "--quiet", "--warnings", "batch", "--color", "0", "--nodns", "none", "--add-ca",
         folder / "ca.crt", *checks, "--jsonfile", folder / f"{kind}.json", f"127.0.0.1:{port}"],
        stdout=open(folder / f"{kind}.out", "wb"), stderr=subprocess.STDOUT, cwd=folder)


def rate(server, checks, asked):
    """Checks of testssl.sh by kind of key; those of one kind must have come to an answer at least."""
    scans = {kind: begin_testssl(server.dir, kind, ports(server)[kind], checks[kind]) for kind in checks}
    try:
        for scan in scans.values():
            scan.wait(600)
    finally:
        for scan in scans.values():
            scan.kill()
    for kind in scans:
        text = (server.dir / f"{kind}.out").read_text(errors="replace")
        found = json.loads((server.dir / f"{kind}.json").read_text())
        bad = {f["id"]: f for f in found if f["severity"] not in ("OK", "INFO") and f["id"] not in FOREIGN}
        assert not bad, f"{bad}\n{text}"
        assert asked[kind] <= {f["id"] for f in found}, text


def test_testssl(server):
    """Both kinds at the same time, for it waits more than it works.  What does not depend on the key is
    asked once; tests/torture has all that it can ask."""
    rate(server, {"rsa": ["-p", "-s", "-P", "-S", "-h", "-H", "-R", "-C", "-B", "-BB"], "ec": ["-P", "-S"]},
         {"rsa": PICKS | PROTOCOLS | ATTACKS, "ec": PICKS})
