"""A kit run without pytest: one verdict for each rule."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from unittest import SkipTest

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import NeuridError
from nwb_neurid.testing.rules import RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one rule.

    Parameters
    ----------
    rule
        What holds, in a sentence.
    outcome
        "passed", "failed" or "skipped".
    message
        How it failed, or why it was skipped.
    advice
        How to mend it.
    """

    rule: str
    outcome: Literal["passed", "failed", "skipped"]
    message: str = ""
    advice: str = ""


def rules_of(kit: type) -> list[str]:
    """Names of the rules of a kit."""
    return [name for name in dir(kit) if name.startswith("test_")]


def verdicts(kit: type, *, progress: Progress = silent) -> Iterator[Verdict]:
    """Run every rule of a kit on a plugin, whatever comes of the others.

    Parameters
    ----------
    kit
        A subclass of `EncoderConformance` or `ReaderConformance`.
    progress
        Told of every rule.
    """
    names = rules_of(kit)
    for name in progress(names, label="rules", total=len(names)):
        rule, _, advice = (inspect.getdoc(getattr(kit, name)) or name).partition("\n")
        advice = " ".join(advice.split())
        try:
            getattr(kit(), name)()
        except SkipTest as why:
            yield Verdict(rule=rule, outcome="skipped", message=str(why))
        except (RuleBroken, NeuridError) as error:
            yield Verdict(rule=rule, outcome="failed", message=str(error), advice=advice)
        except (Exception, SystemExit) as error:
            message = f"it raises {type(error).__name__}: {error}"
            yield Verdict(rule=rule, outcome="failed", message=message, advice=advice)
        else:
            yield Verdict(rule=rule, outcome="passed")
