"""``bci doctor``."""

import json
import re

from bci.doctor import CHECKS


def test_the_checks_are_told_as_json(bci):
    """On a machine that runs the tests nothing fails; every check is there, in order."""
    outcome = bci("doctor", "--json")
    document = json.loads(outcome.out)
    failed = [check for check in document["checks"] if check["status"] == "failed"]
    assert not failed
    assert outcome.code == 0
    assert document["fit"] is True
    assert [check["name"] for check in document["checks"]] == list(CHECKS)


def test_a_failed_check_ends_with_code_2_and_says_what_to_do(bci_here, monkeypatch, tmp_path):
    """The table names the check and the advice; one line of stderr names what failed."""
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "absent.cfg"))
    outcome = bci_here("doctor")
    assert outcome.code == 2
    assert re.search("✗ failed +LSL settings", outcome.out)
    assert "→ mend LSLAPICFG, or unset it" in outcome.out
    assert outcome.errors == [
        f"error: 1 of {len(CHECKS)} checks failed (LSL settings): do what they say"
    ]
