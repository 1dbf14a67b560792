"""What gunicorn runs: it tells what it was asked, and answers in several ways."""
import hashlib


def app(environ, start_response):
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"].read()
    if path == "/missing":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"nothing here"]
    if path == "/stream":                      # no length: gunicorn sends chunks
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return (b"data: %d\n\n" % i for i in range(1000))
    if path == "/large":
        start_response("200 OK", [("Content-Length", str(10 << 20))])
        return (bytes([i & 255]) * 65536 for i in range(160))
    if path == "/fails":
        start_response("200 OK", [("Content-Length", "100")])
        return fails()
    words = [environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], environ["HTTP_HOST"],
             environ.get("HTTP_X_FORWARDED_FOR", "-"), hashlib.sha1(body).hexdigest()]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [" ".join(words).encode()]


def fails():
    yield b"half"
    raise OSError("the application breaks")
