"""HTTP/2 as people's clients speak it: curl, nghttp, h2load with a thousand connections, Chromium; in
clear with prior knowledge, and over TLS."""
import re
import shutil
import subprocess

import pytest

from conftest import BINARY

TLS = b"http_ssl_module" in subprocess.run([BINARY, "-V"], capture_output=True).stderr
BIG = bytes(range(256)) * 8192             # 2 MiB
RESOURCES = 200
# Counts what has been loaded, and over what.
PAGE = """<!doctype html><title>page</title><link rel=icon href="data:,">
<script>var loaded = 0;</script>
%s
<script>onload = () => {
    const over = performance.getEntriesByType("resource").map(e => e.nextHopProtocol);
    const navigation = performance.getEntriesByType("navigation")[0].nextHopProtocol;
    document.body.textContent = `loaded ${loaded}, ${over.filter(p => p == "h2").length} over h2, ` +
        `page over ${navigation}`;
};</script><body></body>
""" % "\n".join(f'<script src="r/{i}.js"></script>' for i in range(RESOURCES))
FILES = {"html/small": "s" * 100, "html/big": BIG, "html/index.html": PAGE,
         **{f"html/r/{i}.js": f"loaded++; /* {'x' * (i * 97 % 9000)} */" for i in range(RESOURCES)}}


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def run(*command, seconds=60, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=seconds, **options)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


@pytest.fixture
def site(weir):
    return weir("""http2 on; root html; client_max_body_size 8m;
        location = /say { return 200 "$request_method|$server_protocol|$http_user_agent"; }
        location /pass { proxy_pass http://127.0.0.1:@PORT@/length; }
        location /length { return 200 "$content_length"; }""", files=FILES,
                events="worker_connections 4096;")


@pytest.fixture
def tls_site(weir, tmp_path):
    if not TLS:
        pytest.skip("this build has no TLS")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    return weir(http="""server { listen 127.0.0.1:@PORT@ ssl; http2 on; root html;
        ssl_certificate cert.pem; ssl_certificate_key key.pem; types { text/html html; text/javascript js; }
        location = /say { return 200 "$request_method|$server_protocol|$scheme"; } }""", files=FILES,
                events="worker_connections 4096;")


# ---- curl ----

def curl(server, path, *words, scheme="http"):
    code, out, err = run("curl", "-sS", "-k", "--http2-prior-knowledge" if scheme == "http" else "--http2",
                         *words, f"{scheme}://127.0.0.1:{server.port}{path}")
    assert code == 0, err
    return out


@needs("curl")
def test_curl(site):
    assert curl(site, "/say", "-A", "me") == b"GET|HTTP/2.0|me"
    assert curl(site, "/big") == BIG
    assert b"content-length: 100" in curl(site, "/small", "-I")
    assert curl(site, "/none", "-o", "/dev/null", "-w", "%{http_code} %{http_version}") == b"404 2"


@needs("curl")
def test_curl_uploads(site):
    for size in (0, 1, 100000, 5000000):
        (site.dir / "body").write_bytes(b"b" * size)
        answer = curl(site, "/pass", "-X", "POST", "--data-binary", f"@{site.dir}/body")
        assert answer == b"%d" % size


@needs("curl")
def test_curl_many_on_one_connection(tls_site):
    """Over TLS: with prior knowledge, curl 7.88 can't do this with any server."""
    urls = [f"https://127.0.0.1:{tls_site.port}/r/{i}.js" for i in range(RESOURCES)]
    code, out, err = run("curl", "-sSk", "--http2", "--parallel", "--parallel-max", "50",
                         "-w", "%{stderr}got %{http_code} %{http_version} %{num_connects}\n", *urls)
    assert code == 0 and out.count(b"loaded++;") == RESOURCES
    connects = re.findall(r"got 200 2 (\d+)", err)
    assert len(connects) == RESOURCES and sum(map(int, connects)) <= 2


@needs("curl")
def test_curl_upgrades(site):
    """An upgrade to h2c (RFC 7540) is no longer in RFC 9113: it is ignored, and HTTP/1.1 goes on."""
    code, out, _ = run("curl", "-sS", "--http2", f"http://127.0.0.1:{site.port}/say", "-A", "me")
    assert code == 0 and out == b"GET|HTTP/1.1|me"


@needs("curl")
def test_curl_over_tls(tls_site):
    assert curl(tls_site, "/say", scheme="https") == b"GET|HTTP/2.0|https"
    assert curl(tls_site, "/big", scheme="https") == BIG
    code, out, _ = run("curl", "-sSk", "--http1.1", f"https://127.0.0.1:{tls_site.port}/say")
    assert code == 0 and out == b"GET|HTTP/1.1|https"


# ---- nghttp ----

@needs("nghttp")
def test_nghttp(site):
    code, out, err = run("nghttp", f"http://127.0.0.1:{site.port}/big")
    assert code == 0 and out == BIG, err
    code, out, err = run("nghttp", "-nv", "--no-dep", "-m", "50", f"http://127.0.0.1:{site.port}/small")
    assert code == 0 and out.count(b":status: 200") == 50, err
    assert b"RST_STREAM" not in out and b"error_code=PROTOCOL" not in out


@needs("nghttp")
def test_nghttp_with_assets(site):
    """It asks for all that the page names, and says so with priorities."""
    code, out, err = run("nghttp", "-nva", f"http://127.0.0.1:{site.port}/index.html")
    assert code == 0, err
    assert out.count(b":status: 200") == 1 + RESOURCES


@needs("nghttp")
def test_nghttp_with_small_windows(site):
    for bits in ("1", "4", "10"):
        code, out, err = run("nghttp", "-w", bits, "-W", bits, f"http://127.0.0.1:{site.port}/r/9.js")
        assert code == 0 and out.startswith(b"loaded++"), err


@needs("nghttp")
def test_nghttp_upload(site):
    (site.dir / "body").write_bytes(b"b" * 300000)
    code, out, err = run("nghttp", "-d", site.dir / "body", f"http://127.0.0.1:{site.port}/pass")
    assert code == 0 and out == b"300000", err


# ---- h2load ----

def h2load(server, path, *words, scheme="http"):
    code, out, err = run("h2load", *words, f"{scheme}://127.0.0.1:{server.port}{path}", seconds=120)
    text = out.decode()
    assert code == 0, text + err
    requests = re.search(r"(\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, "
                         r"(\d+) errored", text)
    assert requests and requests[1] == requests[4] and requests[5] == requests[6] == "0", text
    return text


@needs("h2load")
def test_a_thousand_connections(site):
    text = h2load(site, "/small", "-n", 20000, "-c", 1000, "-m", 10)
    assert "status codes: 20000 2xx" in text
    assert int(re.search(r"space savings ([\d]+)", text)[1]) >= 50     # heads, by HPACK


@needs("h2load")
def test_many_streams(site):
    assert "status codes: 2000 2xx" in h2load(site, "/r/99.js", "-n", 2000, "-c", 4, "-m", 100)
    assert "status codes: 200 2xx" in h2load(site, "/big", "-n", 200, "-c", 4, "-m", 20, "-w", 20, "-W", 22)


@needs("h2load")
def test_uploads_in_parallel(site):
    (site.dir / "body").write_bytes(b"b" * 50000)
    assert "status codes: 400 2xx" in h2load(site, "/pass", "-n", 400, "-c", 10, "-m", 10,
                                             "-d", site.dir / "body")


@needs("h2load")
def test_a_thousand_connections_over_tls(tls_site):
    assert "status codes: 10000 2xx" in h2load(tls_site, "/small", "-n", 10000, "-c", 1000, "-m", 10,
                                               scheme="https")


# ---- Chromium ----

@needs("chromium")
def test_chromium(tls_site, tmp_path):
    code, out, err = run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--ignore-certificate-errors", f"--user-data-dir={tmp_path}/chromium",
                         "--virtual-time-budget=20000", "--dump-dom",
                         f"https://localhost:{tls_site.port}/", seconds=120)
    said = re.search(rb"loaded \d+, \d+ over h2, page over [^<]*", out)
    assert said, out[-500:].decode() + err[-2000:]
    assert said[0].decode() == f"loaded {RESOURCES}, {RESOURCES} over h2, page over h2"
