"""All that testssl.sh asks, of TLS as it is by default: minutes of it.  `make check` has the essential checks,
tests/functional/test_tls_rating.py."""
import os

import pytest

from test_tls_rating import ATTACKS, PICKS, PROTOCOLS, pytestmark, rate, server  # noqa: F401


@pytest.mark.skipif(os.environ.get("WEIR_TORTURE") == "short", reason="make torture has it")
def test_testssl(server):
    more = {"CCS", "ticketbleed", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4", "PFS"}
    everything = PICKS | PROTOCOLS | ATTACKS | more
    rate(server, {"rsa": [], "ec": []}, {"rsa": everything, "ec": everything})
