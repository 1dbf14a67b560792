"""allow, deny and satisfy."""
import socket


def test_rules_in_order(weir):
    server = weir("""
        location / { root html; }
        location /in { alias @DIR@/html; deny 10.0.0.0/8; allow 127.0.0.1; deny all; }
        location /out { alias @DIR@/html; allow 10.0.0.0/8; deny 127.0.0.0/8; allow all; }
        location /undecided { alias @DIR@/html; allow 10.0.0.1; }
        location /outer { alias @DIR@/html; deny all; location /outer/inner { allow all; } }
    """, files={"html/a": "A"})
    assert server.get("/in/a").status == 200
    assert server.get("/out/a").status == 403
    assert server.get("/undecided/a").status == 200
    assert server.get("/outer/a").status == 403
    assert "access forbidden by rule" in server.log()


def test_lines_of_an_inner_block_replace_the_outer_ones(weir):
    server = weir("""
        deny all;
        location /a { root html; allow 127.0.0.1; }
        location /b { root html; }
    """, files={"html/a": "A", "html/b": "B"})
    assert server.get("/a").status == 200
    assert server.get("/b").status == 403


def test_unix(weir):
    server = weir(http="""
        server { listen 127.0.0.1:@PORT@; root html;
                 location / { deny unix:; } location /only { allow unix:; deny all; } }
        server { listen unix:@DIR@/s; root html;
                 location / { deny unix:; } location /only { allow unix:; deny all; } }
    """, files={"html/a": "A", "html/only": "O"})

    def over_unix(path):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(server.dir / "s"))
            s.sendall(b"GET " + path + b" HTTP/1.0\r\n\r\n")
            return s.makefile("rb").read().split(b" ")[1]

    assert server.get("/a").status == 200
    assert server.get("/only").status == 403
    assert over_unix(b"/a") == b"403"
    assert over_unix(b"/only") == b"200"


def test_limit_except(weir):
    server = weir("""
        location / { root html; limit_except GET { deny all; } }
    """, files={"html/a": "A"})
    assert server.get("/a").status == 200
    assert server.get("/a", method="HEAD").status == 200
    assert server.get("/a", method="POST").status == 403


def test_satisfy(weir):
    basic = 'auth_basic realm; auth_basic_user_file users;'
    server = weir(f"""
        root html;
        location /all/   {{ satisfy all; deny all; {basic} }}
        location /any/   {{ satisfy any; deny all; {basic} }}
        location /either/ {{ satisfy any; allow 127.0.0.1; deny all; {basic} }}
        location /none/  {{ satisfy any; }}
        location /forbidden/ {{ satisfy any; deny all; }}
    """, files={f"html/{n}/a": "A" for n in ("all", "any", "either", "none")}
        | {"users": "u:{PLAIN}p\n"})
    good = {"Authorization": "Basic dTpw"}
    bad = {"Authorization": "Basic dTp4"}
    assert server.get("/all/a").status == 403
    assert server.get("/all/a", good).status == 403
    refused = server.get("/any/a")
    assert refused.status == 401
    assert refused.header("WWW-Authenticate") == 'Basic realm="realm"'
    passed = server.get("/any/a", good)
    assert passed.status == 200 and passed.header("WWW-Authenticate") is None
    assert server.get("/any/a", bad).status == 401
    assert server.get("/either/a").status == 200
    assert server.get("/none/a").status == 200
    assert server.get("/forbidden/a").status == 403
