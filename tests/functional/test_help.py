"""The reference that weir has of itself: help, its forms for tools, and dump."""
import html.parser
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import BINARY, ROOT

# Lists of nginx's directives, where there are some: beside the repository, not in it.
DIRECTIVES = pathlib.Path(os.environ.get(
    "WEIR_DIRECTIVES", ROOT / ".." / "shared" / "compat" / "directives.tsv"))


def weir(*words, code=0):
    result = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60,
                            check=False)
    assert result.returncode == code, result.stderr
    return result.stdout


def rows():
    lines = weir("help", "--list").splitlines()
    return [dict(zip(("module", "name", "contexts", "default", "arguments"), line.split("\t")))
            for line in lines]


def test_directive():
    text = weir("help", "autoindex")
    assert "syntax    autoindex on | off;" in text
    assert "default   off" in text
    assert "context   http, server, location" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_every_directive_has_help():
    for row in rows():
        text = weir("help", row["name"])
        assert re.search(r"\n\n    \S.*\.", text, re.DOTALL), row["name"]
        assert max(map(len, text.splitlines())) <= 100, row["name"]


def test_unknown_directive():
    assert "autoindex" in weir("help", "autoidnex", code=1)
    assert weir("help", "xxxxxxxx", code=1)


def test_list():
    found = rows()
    assert len(found) > 100
    assert all(row["module"].startswith(("ngx_", "weir_")) for row in found)
    keys = [(row["module"], row["name"], row["contexts"]) for row in found]
    assert len(keys) == len(set(keys))


def nginx_rows():
    """Rows of nginx's directives that the list has, by module and name."""
    found = {}
    for line in DIRECTIVES.read_text().splitlines()[1:]:
        module, name, syntax, _, contexts = line.split("\t")[:5]
        contexts = set(filter(None, contexts.split(",")))
        if "if" in contexts:
            contexts = contexts - {"if"} | {"if in server", "if in location"}
        old = found.get((module, name))
        found[module, name] = (syntax, contexts | (old[1] if old else set()))
    # Where nginx has a second row for upstream blocks, Weir has one row for all.
    for name in ("resolver", "resolver_timeout"):
        syntax, contexts = found["ngx_http_core_module", name]
        found["ngx_http_core_module", name] = (syntax, contexts | {"upstream"})
    return found


both_lists = pytest.mark.skipif(not DIRECTIVES.exists(),
                                reason="the list of nginx's directives is not here")


@both_lists
def test_contexts_are_nginx_s():
    theirs = nginx_rows()
    wrong = []
    for row in rows():
        _, contexts = theirs.get((row["module"], row["name"]), ("", set()))
        ours = set(row["contexts"].split(","))
        if contexts and ours != contexts:
            wrong.append(f"{row['name']}: {sorted(ours)}, in nginx {sorted(contexts)}")
    assert not wrong, "\n".join(wrong)


def split_words(syntax):
    """Words of a syntax; what stands in brackets is one."""
    words, depth = [""], 0
    for c in syntax:
        depth += (c == "[") - (c == "]")
        if c == " " and depth == 0:
            words.append("")
        else:
            words[-1] += c
    return [word for word in words if word]


def arity(syntax):
    """The least and the most arguments: "a [b]" has (1, 2), "a ... | off" (1, inf)."""
    least, most, at_least, at_most = float("inf"), 0, 0, 0
    for word in split_words(syntax) + ["|"]:
        if word == "|":
            least, most = min(least, at_least), max(most, at_most)
            at_least = at_most = 0
        elif word == "...":
            at_most = float("inf")
        elif word.startswith("[") and word.endswith("]"):
            at_most += arity(word[1:-1])[1]
        else:
            at_least, at_most = at_least + 1, at_most + 1
    return least, most


# What nginx's syntax says of these is not its arity: parameters may come in any number, or (ssl_ocsp_cache)
# one must.  Messages in JSON (error_log) are not in Weir.  load_module would load something.
OTHER_ARITY = {"access_log", "error_log", "health_check", "listen", "load_module", "ssl_ocsp_cache",
               "ssl_protocols", "ssl_session_cache"}

AROUND = {"main": "{}", "events": "events {{\n{}}}", "http": "http {{\n{}}}",
          "server": "http {{ server {{\n{}}} }}",
          "location": "http {{ server {{ location / {{\n{}}} }} }}"}


@both_lists
def test_numbers_of_arguments_are_nginx_s(tmp_path):
    """One file for each kind of block, with each directive given too few, enough and too many words."""
    theirs = nginx_rows()
    (tmp_path / "logs").mkdir()
    wrong = []
    for around, block in AROUND.items():
        lines, expected = [], []
        for row in rows():
            syntax, contexts = theirs.get((row["module"], row["name"]), ("", set()))
            if (around not in contexts or "{" in row["arguments"] or "(block)" in syntax
                    or row["name"] in OTHER_ARITY
                    or row["module"].startswith(("ngx_stream_", "ngx_mail_"))):
                continue
            least, most = arity(syntax)
            for count in {least - 1, least, most, most + 1} - {-1, float("inf")}:
                lines.append(row["name"] + " 1" * count + ";\n")
                expected.append(least <= count <= most)
        conf = tmp_path / "weir.conf"
        conf.write_text(block.format("".join(lines)))
        said = subprocess.run([BINARY, "-p", str(tmp_path), "-c", str(conf), "-t"], text=True,
                              capture_output=True, timeout=60, check=False).stderr
        first = 1 if around == "main" else 2
        found = re.findall(r"invalid number of arguments in .* in .*weir.conf:(\d+)$", said, re.M)
        refused = {int(n) - first for n in found}
        wrong += [f"{line.strip()} in {around}: {'refused' if good else 'taken'}"
                  for i, (line, good) in enumerate(zip(lines, expected)) if good == (i in refused)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not here")
def test_man(tmp_path):
    page = tmp_path / "weir.conf.5"
    page.write_text(weir("help", "--man"))
    lint = subprocess.run(["mandoc", "-Tlint", str(page)], capture_output=True, text=True,
                          check=False)
    said = [line for line in lint.stdout.splitlines()
            if "referenced manual not found" not in line]
    assert said == []


class Page(html.parser.HTMLParser):
    """What a page refers to, and whether its elements are closed."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.foreign, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a":
            self.links.append(attrs["href"])
        self.foreign += [value for key, value in attrs.items() if key in ("src", "srcset")]
        if tag in ("link", "img", "iframe"):
            self.foreign.append(tag)
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html():
    page = Page()
    page.feed(weir("help", "--html"))
    assert page.open == []
    assert page.foreign == []
    assert len(page.ids) == len(set(page.ids)) > 100
    assert {link[1:] for link in page.links if link != "#"} <= set(page.ids)


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not here")
@pytest.mark.parametrize("words, expected", [
    (["weir", "help", "autoi"], ["autoindex", "autoindex_exact_size", "autoindex_format",
                                 "autoindex_localtime"]),
    (["weir", "-s", "re"], ["reload", "reopen"]),
    (["weir", "he"], ["help"]),
])
def test_completion(tmp_path, words, expected):
    script = tmp_path / "completion"
    script.write_text(weir("help", "--completion") +
                      f"COMP_WORDS=({' '.join(words)}) COMP_CWORD={len(words) - 1}\n_weir\n"
                      'printf "%s\\n" "${COMPREPLY[@]}" | sort\n')
    result = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=True)
    assert result.stdout.split() == expected


CONFIGURATION = """\
worker_processes 2;
events { worker_connections 100; }
http {
    include types.conf;
    root html;
    log_format main '$remote_addr "$request" \\t$status';
    access_log logs/a.log main;
    error_page 404 =200 /x.html;
    error_page 500 502 /y.html;
    server {
        listen 127.0.0.1:1;
        server_name a.example *.b.example;
        location / {
            index a.html "b c.html";
            autoindex on;
            keepalive_timeout 65 60;
            location /x/ { try_files $uri "/y z" =404; }
        }
        location = /r { return 301 "https://$host/a b"; }
        location = /t { return 200 "it's; {a} \\"text\\"\\n"; }
    }
    server { listen 127.0.0.1:2; location /i { internal; location /i/j { } } }
}
"""


def dump(folder, text):
    """The dump, and that without its remarks."""
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "conf" / "types.conf").write_text("types { text/html html htm; text/css css; }\n")
    (folder / "conf" / "weir.conf").write_text(text)
    said = weir("dump", "-p", str(folder), "-c", "conf/weir.conf")
    return said, sorted(filter(None, (re.sub(r"\s*# .*", "", line).strip()
                                      for line in said.splitlines())))


def test_dump(tmp_path):
    said, _ = dump(tmp_path, CONFIGURATION)
    conf = f"{tmp_path}/conf/weir.conf"
    lines = [re.sub(r" +", " ", line).strip() for line in said.splitlines()]
    assert f"worker_processes 2; # {conf}:1" in lines
    assert f"root {tmp_path}/html; # {conf}:5" in lines
    assert f"root {tmp_path}/html; # inherited, {conf}:5" in lines
    assert "# client_max_body_size 1m; # default" in lines


def test_dump_means_the_same(tmp_path):
    """A dump is a configuration, and what that gives is the same again."""
    first, values = dump(tmp_path, CONFIGURATION)
    _, again = dump(tmp_path, first)
    assert again == values
