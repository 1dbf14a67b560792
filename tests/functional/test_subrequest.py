"""Requests that the server makes of itself, by way of auth_request."""
import time


def test_logged_where_asked_for(weir):
    server = weir(http="""
        log_format f "$uri $status"; access_log log f;
        server { listen 127.0.0.1:@PORT@; root html;
                 location /a { auth_request /quiet; } location /b { auth_request /told; }
                 location = /quiet { return 204; }
                 location = /told { log_subrequest on; return 204; } }
    """, files={"html/a": "A", "html/b": "B"})
    server.get("/a")
    server.get("/b")
    assert (server.dir / "log").read_text().splitlines() == ["/a 200", "/told 204", "/b 200"]


def test_arguments_and_fields(weir):
    server = weir("""
        root html;
        location / { auth_request /ask?who=$arg_who; }
        location = /ask { if ($arg_who = good) { return 204; } if ($http_x_pass = yes) { return 200; }
                          return 403; }
    """, files={"html/a": "A"})
    assert server.get("/a?who=good").status == 200
    assert server.get("/a?who=bad").status == 403
    assert server.get("/a?who=bad", {"X-Pass": "yes"}).status == 200


def test_body_stays_with_the_main_request(weir):
    server = weir("""
        root html;
        location / { auth_request /ask; error_page 405 =200 /a; }
        location = /ask { return 204; }
    """, files={"html/a": "A"})
    response = server.get("/a", method="POST", body=b"x" * 100000)
    assert response.status == 200 and response.body == b"A"


def test_that_waits(weir):
    server = weir(http="""
        limit_req_zone $arg_k zone=one:1m rate=5r/s;
        server { listen 127.0.0.1:@PORT@; root html;
                 location / { auth_request /ask?k=$arg_k; }
                 location = /ask { limit_req zone=one burst=2; try_files /yes =403; } }
    """, files={"html/a": "A", "html/yes": ""})
    start = time.monotonic()
    assert [server.get("/a?k=1").status for _ in range(3)] == [200, 200, 200]
    assert 0.25 < time.monotonic() - start < 10


def test_error_page_in_it(weir):
    server = weir("""
        root html;
        location / { auth_request /ask; }
        location = /ask { error_page 403 =204 /fine; return 403; }
        location = /fine { return 204; }
    """, files={"html/a": "A"})
    assert server.get("/a").status == 200


def test_values_outlive_it(weir):
    """What auth_request_set took from an upstream's answer, after that has been let go, twice."""
    server = weir(http="""
        server { listen 127.0.0.1:@PORT@; root html;
            location /ask { proxy_pass http://127.0.0.1:@PORT2@; }
            location /a { auth_request /ask/1; auth_request_set $who $upstream_http_x_who;
                          error_page 404 = /b; }
            location = /b { auth_request /ask/2; auth_request_set $who $upstream_http_x_who;
                            add_header X-Who $who; } }
        server { listen 127.0.0.1:@PORT2@;
            location / { add_header X-Who "user of $uri"; return 204; } }
    """, files={"html/b": "B"})
    assert server.get("/a").header("X-Who") == "user of /ask/2"


def test_challenge_of_an_upstream(weir):
    server = weir(http="""
        server { listen 127.0.0.1:@PORT@; root html;
            location / { auth_request /ask; } location = /ask { proxy_pass http://127.0.0.1:@PORT2@; } }
        server { listen 127.0.0.1:@PORT2@;
            location / { add_header WWW-Authenticate 'Bearer realm="x"' always; return 401 "who?"; } }
    """, files={"html/a": "A"})
    response = server.get("/a")
    assert response.status == 401
    assert response.header("WWW-Authenticate") == 'Bearer realm="x"'
    assert b"who?" not in response.body
