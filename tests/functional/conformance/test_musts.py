"""musts.tsv lists every MUST and MUST NOT of RFC 9110 and RFC 9112 that falls on an origin server,
musts_intermediary.tsv those that fall on an intermediary (what it is to a back end as a client is in
the second list, too), musts_http2.tsv those of RFC 9113, RFC 7541 and RFC 8441 that fall on a server; in our
words, with the test that holds it, or why there is none.  The lists and the tests know each other."""
import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).parent
COLUMNS = ["rfc", "section", "requirement", "test", "note"]
LISTS = [("musts.tsv", "test_rfc*.py"), ("musts_intermediary.tsv", "test_intermediary*.py"),
         ("musts_http2.tsv", "test_http2*.py")]
RFCS = {"7541", "8441", "9110", "9112", "9113"}


def rows(name):
    lines = (HERE / name).read_text().splitlines()
    assert lines[0].split("\t") == COLUMNS
    return [dict(zip(COLUMNS, line.split("\t") + [""])) for line in lines[1:]]


def known_tests(files):
    return {name for path in HERE.glob(files)
            for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.M)}


@pytest.mark.parametrize("name, files", LISTS)
def test_every_row_has_a_test_or_a_reason(name, files):
    known = known_tests(files)
    for row in rows(name):
        assert row["rfc"] in RFCS and re.fullmatch(r"\d+(\.\d+)*", row["section"]), row
        assert row["requirement"].endswith("."), row
        assert row["test"] in known or (row["test"] == "-" and row["note"]), row


@pytest.mark.parametrize("name, files", LISTS)
def test_every_test_is_in_the_list(name, files):
    assert known_tests(files) <= {row["test"] for row in rows(name)}
