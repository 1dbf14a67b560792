"""realip: whom a trusted proxy names."""
import socket

import pytest

SHOW = 'location / { return 200 "$remote_addr $remote_port $realip_remote_addr"; }'


def asker(server):
    def ask(**fields):
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        return server.get("/", named).body.decode().split(" ")
    return ask


def test_x_real_ip(weir):
    ask = asker(weir("set_real_ip_from 127.0.0.0/8;" + SHOW))
    assert ask(X_Real_IP="192.0.2.1")[::2] == ["192.0.2.1", "127.0.0.1"]
    assert ask(X_Real_IP="192.0.2.1:80") == ["192.0.2.1", "80", "127.0.0.1"]
    assert ask(X_Real_IP="2001:db8::1")[0] == "2001:db8::1"
    assert ask(X_Real_IP="[2001:db8::1]:80")[:2] == ["2001:db8::1", "80"]
    for bad in ("", "x", "192.0.2.256", "192.0.2.1:", "192.0.2.1:65536", "unix:", "1.2.3.4.5"):
        assert ask(X_Real_IP=bad)[0] == "127.0.0.1", bad
    assert ask()[0] == "127.0.0.1"


def test_not_trusted(weir):
    ask = asker(weir("set_real_ip_from 10.0.0.0/8;" + SHOW))
    assert ask(X_Real_IP="192.0.2.1")[0] == "127.0.0.1"


@pytest.mark.parametrize("recursive, expected", [("off", "10.0.0.3"), ("on", "192.0.2.2")])
def test_forwarded_for(weir, recursive, expected):
    ask = asker(weir(f"""set_real_ip_from 127.0.0.1; set_real_ip_from 10.0.0.0/8;
                         real_ip_header X-Forwarded-For; real_ip_recursive {recursive};""" + SHOW))
    assert ask(X_Forwarded_For="192.0.2.1, 192.0.2.2, 10.0.0.3")[0] == expected
    assert ask(X_Forwarded_For="192.0.2.1")[0] == "192.0.2.1"


def test_recursion(weir):
    server = weir("""set_real_ip_from 127.0.0.1; set_real_ip_from 10.0.0.0/8; set_real_ip_from 2001:db8::/32;
                     real_ip_header X-Forwarded-For; real_ip_recursive on;""" + SHOW)
    ask = asker(server)
    assert ask(X_Forwarded_For="10.0.0.1, 10.0.0.2")[0] == "10.0.0.1"
    assert ask(X_Forwarded_For="192.0.2.1, junk, 10.0.0.2")[0] == "10.0.0.2"
    assert ask(X_Forwarded_For="192.0.2.1,2001:db8::5 ,\t10.0.0.2")[0] == "192.0.2.1"
    lines = (b"GET / HTTP/1.0\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n"
             b"X-Forwarded-For: 10.0.0.2\r\n\r\n")
    assert server.raw(lines).split(b"\r\n\r\n")[1].startswith(b"192.0.2.1 ")


def test_other_field(weir):
    ask = asker(weir("set_real_ip_from 127.0.0.1; real_ip_header CF-Connecting-IP;" + SHOW))
    assert ask(CF_Connecting_IP="192.0.2.1")[0] == "192.0.2.1"
    assert ask(X_Real_IP="192.0.2.1")[0] == "127.0.0.1"


def test_unix(weir):
    server = weir(http=f"""
        set_real_ip_from unix:;
        server {{ listen 127.0.0.1:@PORT@; {SHOW} }}
        server {{ listen unix:@DIR@/s; {SHOW} }}
    """)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(server.dir / "s"))
        s.sendall(b"GET / HTTP/1.0\r\nX-Real-IP: 192.0.2.1\r\n\r\n")
        assert s.makefile("rb").read().split(b"\r\n\r\n")[1].split(b" ")[::2] == [b"192.0.2.1", b"unix:"]
    assert server.get("/", {"X-Real-IP": "192.0.2.1"}).body.startswith(b"127.0.0.1")


def test_proxy_protocol(weir):
    server = weir(http=f"""
        server {{ listen 127.0.0.1:@PORT@; }}
        server {{ listen 127.0.0.1:@PORT2@ proxy_protocol; set_real_ip_from 127.0.0.1;
                  real_ip_header proxy_protocol; {SHOW} }}
    """)
    said = server.raw(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nGET / HTTP/1.0\r\n\r\n",
                      port=server.port_of("@PORT2@"))
    assert said.split(b"\r\n\r\n")[1] == b"192.0.2.1 1234 127.0.0.1"


def test_in_a_location_and_what_follows_from_it(weir):
    server = weir(http="""
        log_format f "$uri $remote_addr"; access_log log f;
        server { listen 127.0.0.1:@PORT@; root html;
                 location /a { set_real_ip_from 127.0.0.1; allow 192.0.2.0/24; deny all; }
                 location /b { deny 192.0.2.0/24; } }
    """, files={"html/a": "A", "html/b": "B"})
    assert server.get("/a").status == 403
    assert server.get("/a", {"X-Real-IP": "192.0.2.1"}).status == 200
    assert server.get("/b", {"X-Real-IP": "192.0.2.1"}).status == 200
    assert (server.dir / "log").read_text().splitlines() == [
        "/a 127.0.0.1", "/a 192.0.2.1", "/b 127.0.0.1"]
