"""A kit run without pytest."""

from unittest import SkipTest

from nwb_neurid.testing.rules import require
from nwb_neurid.testing.verdicts import Verdict, run_kit


class Kit:
    def test_a(self):
        """Holds."""

    def test_b(self):
        """Fails.

        Mend it
        like this.
        """
        require(False, "it is so")

    def test_c(self):
        """Is skipped."""
        raise SkipTest("no GPU")

    def test_d(self):
        """Escapes."""
        raise KeyError("dim")

    def test_e(self):
        """Ends Python."""
        raise SystemExit(3)


def test_every_rule_has_a_verdict_whatever_comes_of_the_others():
    assert list(run_kit(Kit)) == [
        Verdict(rule="Holds.", outcome="passed"),
        Verdict(rule="Fails.", outcome="failed", message="it is so", advice="Mend it like this."),
        Verdict(rule="Is skipped.", outcome="skipped", message="no GPU"),
        Verdict(rule="Escapes.", outcome="failed", message="it raises KeyError: 'dim'"),
        Verdict(rule="Ends Python.", outcome="failed", message="it raises SystemExit: 3"),
    ]


def test_progress_is_told_of_every_rule():
    told = []

    def progress(items, *, label="", total=None):
        told.append((label, total))
        return items

    list(run_kit(Kit, progress=progress))
    assert told == [("rules", 5)]
