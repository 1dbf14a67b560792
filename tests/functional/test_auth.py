"""auth_basic, auth_delay, auth_request."""
import base64
import concurrent.futures
import hashlib
import os
import subprocess
import time

import pytest

BASIC = "location / { root html; auth_basic closed; auth_basic_user_file users; }"


def credentials(user, password):
    text = f"{user}:{password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


def htpasswd(flags, user, password, *more):
    made = subprocess.run(["htpasswd", "-nb" + flags, *more, user, password], capture_output=True,
                          text=True)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_forms(weir):
    ssha = base64.b64encode(hashlib.sha1(b"pass" + b"salt").digest() + b"salt").decode()
    users = [htpasswd("d", "crypt", "pass"), htpasswd("m", "apr1", "pass"), htpasswd("s", "sha", "pass"),
             htpasswd("B", "bcrypt", "pass"), htpasswd("5", "sha512", "pass"), "ssha:{SSHA}" + ssha,
             "plain:{PLAIN}pass"]
    server = weir(BASIC, files={"html/a": "A", "users": "# all\n\n" + "\n".join(users) + "\nx\n"})
    for line in users:
        name = line.split(":")[0]
        assert server.get("/a", credentials(name, "pass")).status == 200, name
        for wrong in ("", "pas", "passs", "Pass", "pass\0"):
            assert server.get("/a", credentials(name, wrong)).status == 401, (name, wrong)
    assert server.get("/a", credentials("nobody", "pass")).status == 401
    assert 'user "nobody" was not found in' in server.log()
    assert 'user "plain": password mismatch' in server.log()


@pytest.mark.parametrize("value", ["", "Basic", "Basic ", "Basic !!!", "Digest dTpw", "Basic dQ==",
                                   "Basic OnA=", "dTpw"])
def test_bad_credentials(weir, value):
    server = weir(BASIC, files={"html/a": "A", "users": "u:{PLAIN}p\n"})
    response = server.get("/a", {"Authorization": value})
    assert response.status == 401
    assert response.header("WWW-Authenticate") == 'Basic realm="closed"'


def test_realm_with_variables_and_quotes(weir):
    server = weir("""
        location / { root html; auth_basic 'say "$host" \\\\'; auth_basic_user_file users; }
        location /open { auth_basic off; alias @DIR@/html; }
    """, files={"html/a": "A", "users": ""})
    assert server.get("/a").header("WWW-Authenticate") == r'Basic realm="say \"localhost\" \\"'
    assert server.get("/open/a").status == 200


def test_variables_in_the_file_name(weir):
    server = weir("""
        location / { root html; auth_basic closed; auth_basic_user_file users_$arg_group; }
    """, files={"html/a": "A", "users_one": "u:{PLAIN}1\n", "users_two": "u:{PLAIN}2\n"})
    assert server.get("/a?group=one", credentials("u", "1")).status == 200
    assert server.get("/a?group=two", credentials("u", "1")).status == 401
    assert server.get("/a?group=two", credentials("u", "2")).status == 200
    assert server.get("/a?group=none", credentials("u", "2")).status == 403


def test_file_is_read_again(weir):
    server = weir(BASIC, files={"html/a": "A", "users": "u:{PLAIN}1\n"})
    users = server.dir / "users"
    assert server.get("/a", credentials("u", "1")).status == 200
    for password in "234":                     # in place, in one tick of the file system's clock
        users.write_text("u:{PLAIN}" + password + "\n")
        assert server.get("/a", credentials("u", password)).status == 200
        assert server.get("/a", credentials("u", "1")).status == 401
    old = time.time() - 100
    os.utime(users, (old, old))
    assert server.get("/a", credentials("u", "4")).status == 200
    (server.dir / "new").write_text("u:{PLAIN}5\n")
    os.rename(server.dir / "new", users)
    assert server.get("/a", credentials("u", "5")).status == 200
    users.unlink()
    assert server.get("/a", credentials("u", "5")).status == 403


def test_a_folder_is_no_password_file(weir):
    server = weir(BASIC, files={"html/a": "A", "users/x": ""})
    server.allow("failed (21: Is a directory)")
    assert server.get("/a", credentials("u", "1")).status == 500


def test_slow_hash_stalls_nobody(weir):
    server = weir(BASIC.replace("location / {", "location /closed {") + "location / { root html; }",
                  files={"html/closed": "C", "html/a": "A",
                         "users": htpasswd("B", "slow", "pass", "-C13")})
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(server.get, "/closed", credentials("slow", p)) for p in ("pass", "no")]
        time.sleep(0.02)
        assert server.get("/a").status == 200
        assert not any(f.done() for f in slow), "it waited for a hash"
        assert sorted(f.result().status for f in slow) == [200, 401]


def test_client_that_leaves_while_hashing(weir):
    server = weir(BASIC, files={"html/a": "A", "users": htpasswd("B", "slow", "pass", "-C11")})
    head = "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: " + \
        credentials("slow", "pass")["Authorization"] + "\r\n\r\n"
    for _ in range(5):
        with server.connect() as s:
            s.sendall(head.encode())
            time.sleep(0.01)
    assert server.get("/a", credentials("slow", "pass")).status == 200


def test_auth_delay(weir):
    server = weir("auth_delay 1s;" + BASIC, files={"html/a": "A", "users": "u:{PLAIN}p\n"})
    start = time.monotonic()
    assert server.get("/a", credentials("u", "p")).status == 200
    assert time.monotonic() - start < 0.8
    start = time.monotonic()
    assert server.get("/a", credentials("u", "x")).status == 401
    assert 0.95 < time.monotonic() - start < 10


def test_error_page_of_a_refusal(weir):
    server = weir(BASIC + "error_page 401 /login; location = /login { root html; }",
                  files={"html/a": "A", "html/login": "LOGIN", "users": ""})
    response = server.get("/a")
    assert response.status == 401 and response.body == b"LOGIN"
    assert response.header("WWW-Authenticate") == 'Basic realm="closed"'


def test_auth_request(weir):
    conf = """
        root html;
        location /ok { auth_request /say204; }
        location /no { auth_request /say401; }
        location /forbidden { auth_request /say403; }
        location /broken { auth_request /say500; }
        location /missing { auth_request /say404; }
        location /off { auth_request off; }
        location /say204 { internal; return 204; }
        location /say401 { internal; add_header WWW-Authenticate 'Bearer x' always; return 401; }
        location /say403 { internal; return 403; }
        location /say500 { internal; return 500; }
        location /say404 { internal; return 404; }
    """
    server = weir(conf, files={f"html/{n}": n for n in ("ok", "no", "forbidden", "broken", "missing",
                                                         "off")})
    assert server.get("/ok").body == b"ok"
    assert server.get("/off").status == 200
    refused = server.get("/no")
    assert refused.status == 401
    assert server.get("/forbidden").status == 403
    assert server.get("/broken").status == 500
    assert server.get("/missing").status == 500
    assert "auth request unexpected status: 404" in server.log()
    assert server.get("/say204").status == 404


def test_auth_request_chained_and_satisfy(weir):
    server = weir("""
        root html;
        location /any { satisfy any; auth_request /no; auth_basic x; auth_basic_user_file users; }
        location /all { satisfy all; auth_request /yes; auth_basic x; auth_basic_user_file users; }
        location /self { auth_request /self; }
        location = /no { return 403; }
        location = /yes { return 204; }
    """, files={"html/any": "A", "html/all": "B", "html/self": "S", "users": "u:{PLAIN}p\n"})
    good = credentials("u", "p")
    assert server.get("/any", good).status == 200
    assert server.get("/any").status == 401
    assert server.get("/all", good).status == 200
    assert server.get("/all").status == 401
    assert server.get("/self").status == 200       # access is not asked of a subrequest


def test_auth_request_set(weir):
    server = weir("""
        root html;
        location / { auth_request /ask; auth_request_set $answer $status;
                     add_header X-Answer "$answer" always; }
        location = /ask { return 204; }
    """, files={"html/a": "A"})
    response = server.get("/a")
    assert response.status == 200
    assert response.header("X-Answer") == "204"


def test_redirects_are_asked_anew(weir):
    """What one location let pass another may refuse: an index is an internal redirect."""
    server = weir("""
        root html;
        location / { auth_basic x; auth_basic_user_file one; index index.html; auth_request /yes; }
        location = /index.html { auth_basic y; auth_basic_user_file two; auth_request /no; }
        location = /yes { return 204; }
        location = /no { return 403; }
    """, files={"html/index.html": "I", "html/a": "A",
                "one": "u:" + htpasswd("B", "u", "1").split(":", 1)[1] + "\n",
                "two": "u:{PLAIN}2\n"})
    assert server.get("/a", credentials("u", "1")).status == 200
    assert server.get("/", credentials("u", "1")).status == 401


def test_delay_repeats_nothing(weir):
    """While a refusal is held back the password is not checked again, and again."""
    server = weir("""root html; auth_delay 200ms; auth_basic x; auth_basic_user_file users;""",
                  files={"html/a": "A", "users": "u:{PLAIN}p\nv:$apr1$abc$xxxxxxxxxxxxxxxxxxxxxx\n"})
    for user in ("u", "v"):
        start = time.monotonic()
        r = server.get("/a", credentials(user, "wrong"))
        assert time.monotonic() - start >= 0.19
        assert r.status == 401
        assert [name for name, _ in r.fields].count("WWW-Authenticate") == 1
        assert server.log().count(f'user "{user}": password mismatch') == 1
