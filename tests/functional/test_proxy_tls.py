"""https towards peers: what is shown and asked for, whom it believes, and that rules do not mix.  The peer is
Weir itself, behind the same listeners."""
import subprocess
import time

import pytest

from conftest import BINARY
from test_tls import pki, pytestmark  # noqa: F401


def conf(peer, location, top="", more=""):
    """A site at @PORT@ whose location passes on to the peer at @PORT2@."""
    return (f"{top}\nserver {{ listen 127.0.0.1:@PORT2@ ssl; server_name peer.test;\n"
            f"ssl_certificate peer.crt; ssl_certificate_key peer.key;\n{peer}\n"
            'location / { return 200 "$ssl_protocol $ssl_server_name $ssl_session_reused $ssl_client_s_dn '
            '$http_host $scheme $server_protocol"; } }\n'
            f"server {{ listen 127.0.0.1:@PORT@; location / {{ {location} }} {more} }}")


PASS = "proxy_pass https://127.0.0.1:@PORT2@;"


def test_request(weir, pki):
    pki.own("peer", "peer.test")
    s = weir(http=conf("", PASS))
    assert s.get("/").body == b"TLSv1.3  .  127.0.0.1:%d https HTTP/1.1" % s.port_of("@PORT2@")


def test_name_is_told(weir, pki):
    pki.own("peer", "peer.test")
    s = weir(http=conf("", PASS + "proxy_ssl_server_name on; proxy_ssl_name peer.test;"))
    assert s.get("/").body.split()[1] == b"peer.test"


def test_protocols_and_ciphers(weir, pki):
    pki.own("peer", "peer.test")
    s = weir(http=conf("", PASS + "proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;"))
    assert s.get("/").body.startswith(b"TLSv1.2")


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_sessions_are_resumed(weir, pki, protocol):
    pki.own("peer", "peer.test")
    s = weir(http=conf("", PASS + f"proxy_ssl_protocols {protocol};",
                       more=f"location /new {{ {PASS} proxy_ssl_session_reuse off; }}"))
    s.get("/")
    assert b" r " in s.get("/").body
    assert b" . " in s.get("/new").body and b" . " in s.get("/new").body


def test_verification(weir, pki):
    """A certificate must be of the CA, and bear the name; what does not is 502, and the log says why."""
    pki.own("ca")
    pki.signed("good.test", "ca")
    pki.own("other", "good.test")
    verify = "proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.crt;"
    peer = ("server { listen 127.0.0.1:@PORT3@ ssl; ssl_certificate other.crt; ssl_certificate_key other.key; }"
            "server { listen 127.0.0.1:@PORT4@ ssl; ssl_certificate good.test.crt; ssl_certificate_key good.test.key;"
            " location / { return 200 verified; } }")
    pki.own("peer", "peer.test")
    s = weir(http=conf("", PASS, top=peer, more=f"""
        location /good {{ proxy_pass https://127.0.0.1:@PORT4@; proxy_ssl_name good.test; {verify} }}
        location /named {{ proxy_pass https://127.0.0.1:@PORT4@; proxy_ssl_name else.test; {verify} }}
        location /own {{ proxy_pass https://127.0.0.1:@PORT3@; proxy_ssl_name good.test; {verify} }}"""))
    assert s.get("/good").body == b"verified"
    assert s.get("/named").status == 502
    s.wait_log('upstream SSL certificate does not match "else.test" while SSL handshaking')
    assert s.get("/own").status == 502
    s.wait_log("upstream SSL certificate verify error: (18:self-signed certificate)")


def test_certificate_is_shown(weir, pki):
    pki.own("ca")
    pki.signed("me", "ca")
    pki.own("peer", "peer.test")
    s = weir(http=conf("ssl_verify_client on; ssl_client_certificate ca.crt;",
                       PASS + "proxy_ssl_certificate me.crt; proxy_ssl_certificate_key me.key;",
                       more=f"location /none {{ {PASS} }}"
                            f"location /var {{ {PASS} proxy_ssl_certificate $arg_c.crt; proxy_ssl_certificate_key "
                            "$arg_c.key; }"))
    assert b"CN=me" in s.get("/").body and b"CN=me" in s.get("/var?c=me").body
    assert s.get("/none").status == 400
    assert s.get("/var?c=missing").status == 500
    s.wait_log("missing.crt")


def test_rules_do_not_share_connections(weir, pki):
    """A connection that one location opened without looking serves no other that looks."""
    pki.own("peer", "peer.test")
    pki.own("ca")
    s = weir(http=conf("", "proxy_pass https://u; proxy_ssl_name peer.test;", top="""
        upstream u { server 127.0.0.1:@PORT2@; keepalive 4; }""", more="""
        location /strict { proxy_pass https://u; proxy_ssl_name peer.test; proxy_ssl_verify on;
                           proxy_ssl_trusted_certificate ca.crt; }"""))
    assert s.get("/").status == 200 and s.get("/").status == 200
    assert s.get("/strict").status == 502
    assert s.get("/").status == 200


def test_kept_connection(weir, pki):
    pki.own("peer", "peer.test")
    s = weir(http=conf("", "proxy_pass https://u;",
                       top="upstream u { server 127.0.0.1:@PORT2@; keepalive 4; }"
                           "log_format c '$connection'; access_log off;").replace(
                               '"$ssl_protocol', '"$connection $ssl_protocol'))
    assert len({s.get("/").body.split()[0] for _ in range(4)}) == 1


def test_http2(weir, pki):
    pki.own("peer", "peer.test")
    s = weir(http=conf("http2 on;", PASS + "proxy_http_version 2;"))
    assert s.get("/").body.endswith(b"https HTTP/2.0")


def test_large_bodies(weir, pki):
    pki.own("peer", "peer.test")
    s = weir(http=conf("location /big { root @DIR@; }", PASS, top="client_max_body_size 10m;"),
             files={"big/x": "y" * 3000000})
    assert s.get("/big/x").body == b"y" * 3000000
    assert s.get("/", method="POST", body=b"z" * 2000000).status == 200


def test_no_tls_there(weir, pki):
    """A peer that does not speak TLS is 502, not a wait."""
    pki.own("peer", "peer.test")
    s = weir(http=conf("", "proxy_pass https://127.0.0.1:@PORT5@;",
                       top="server { listen 127.0.0.1:@PORT5@; return 200 clear; }"))
    start = time.monotonic()
    assert s.get("/").status == 502 and time.monotonic() - start < 5
    s.wait_log("while SSL handshaking to upstream")


def test_health_over_tls(weir, pki):
    pki.own("peer", "peer.test")
    s = weir(http=conf("", "proxy_pass https://u; health_check interval=1s mandatory;",
                       top="upstream u { zone z 64k; server 127.0.0.1:@PORT2@; }"))
    end = time.monotonic() + 10
    while s.get("/").status != 200 and time.monotonic() < end:
        time.sleep(0.1)
    assert s.get("/").status == 200


@pytest.mark.parametrize("line, text", [
    ("proxy_ssl_verify on;", b"no proxy_ssl_trusted_certificate for proxy_ssl_verify"),
    ("proxy_ssl_trusted_certificate none.crt;", b'cannot load "'),
    ("proxy_ssl_certificate peer.crt;", b'no "proxy_ssl_certificate_key" is defined'),
    ("proxy_ssl_ciphers nonsense;", b'cannot use ciphers "nonsense"'),
])
def test_mistakes(tmp_path, line, text):
    location = f"location / {{ proxy_pass https://127.0.0.1:1; {line} }}"
    (tmp_path / "weir.conf").write_text("events {} http { server { listen 127.0.0.1:1; %s } }" % location)
    run = subprocess.run([BINARY, "-t", "-p", tmp_path, "-c", "weir.conf"], capture_output=True)
    assert run.returncode and text in run.stderr and b"weir.conf:1" in run.stderr


def copy(pki, name, to):
    for ending in ("crt", "key"):
        (pki.dir / f"{to}.{ending}").write_bytes((pki.dir / f"{name}.{ending}").read_bytes())


def test_cache_of_certificates(weir, pki):
    """A pair stays as it was read, but for keys that are encrypted: those are read anew each time, and a
    certificate that does not fit a newer key is read again."""
    pki.own("ca")
    for name in ("me", "other", "secret"):
        pki.signed(name, "ca")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", pki.dir / "secret.key", "-out", pki.dir / "enc.key",
                    "-passout", "pass:word"], check=True)
    (pki.dir / "enc.key").rename(pki.dir / "secret.key")
    (pki.dir / "words").write_text("word\n")
    pki.own("peer", "peer.test")
    pair = "proxy_ssl_certificate $arg_c.crt; proxy_ssl_certificate_key $arg_c.key;"
    s = weir(http=conf("ssl_verify_client on; ssl_client_certificate ca.crt;",
                       PASS + pair + "proxy_ssl_session_reuse off; proxy_ssl_certificate_cache max=10;"
                       "proxy_ssl_password_file words;"))
    assert b"CN=me" in s.get("/?c=me").body
    copy(pki, "other", "me")
    assert b"CN=me" in s.get("/?c=me").body
    assert b"CN=secret" in s.get("/?c=secret").body
    copy(pki, "other", "secret")
    assert b"CN=other" in s.get("/?c=secret").body


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_proxy_protocol_before_tls(weir, pki, version):
    pki.own("peer", "peer.test")
    server = weir(http=f"""
        server {{ listen 127.0.0.1:@PORT2@ ssl proxy_protocol; http2 on; ssl_certificate peer.crt;
            ssl_certificate_key peer.key; location / {{ return 200 "$proxy_protocol_addr $ssl_protocol"; }} }}
        server {{ listen 127.0.0.1:@PORT@; proxy_protocol on; proxy_http_version {version};
            location / {{ proxy_pass https://127.0.0.1:@PORT2@; }} }}""")
    assert server.get("/").body == b"127.0.0.1 TLSv1.3"
