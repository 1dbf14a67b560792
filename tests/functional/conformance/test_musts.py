"""musts.tsv lists every MUST and MUST NOT of RFC 9110 and RFC 9112 that falls on an origin server, in
our words, with the test that holds it, or why there is none.  The list and the tests know each other."""
import pathlib
import re

HERE = pathlib.Path(__file__).parent
COLUMNS = ["rfc", "section", "requirement", "test", "note"]


def rows():
    lines = (HERE / "musts.tsv").read_text().splitlines()
    assert lines[0].split("\t") == COLUMNS
    return [dict(zip(COLUMNS, line.split("\t") + [""])) for line in lines[1:]]


def known_tests():
    return {name for path in HERE.glob("test_rfc*.py")
            for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.M)}


def test_every_row_has_a_test_or_a_reason():
    known = known_tests()
    for row in rows():
        assert row["rfc"] in ("9110", "9112") and re.fullmatch(r"\d+(\.\d+)*", row["section"]), row
        assert row["requirement"].endswith("."), row
        assert row["test"] in known or (row["test"] == "-" and row["note"]), row


def test_every_test_is_in_the_list():
    assert known_tests() <= {row["test"] for row in rows()}
