"""Conformance tests without pytest: one verdict for each rule."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from unittest import SkipTest

from nwb_neurid.contracts import EncoderPlugin, Progress, ReaderPlugin, silent
from nwb_neurid.errors import InvalidOption, NeuridError, SourceNotFound
from nwb_neurid.testing.encoder import EncoderConformance
from nwb_neurid.testing.reader import ReaderConformance, copy_source
from nwb_neurid.testing.rules import RuleBroken

LARGEST_BYTES = 10**8
"""Largest size of a recording that is copied for every rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one rule.

    Parameters
    ----------
    rule
        The rule, as a sentence.
    outcome
        "passed", "failed" or "skipped".
    message
        The reason why the rule failed or was skipped.
    advice
        How to repair the plugin.
    """

    rule: str
    outcome: Literal["passed", "failed", "skipped"]
    message: str = ""
    advice: str = ""


def make_encoder_kit(plugin: EncoderPlugin, preset: str | None) -> type[EncoderConformance]:
    """Make the kit of an installed encoder.

    Raises
    ------
    InvalidOption
        If the preset does not exist.
    """
    if preset is not None and preset not in plugin.presets:
        raise InvalidOption(
            f"Encoder {plugin.spec.name!r} has no preset {preset!r}. It has: {', '.join(plugin.presets)}."
        )
    return type("Kit", (EncoderConformance,), {"plugin": plugin, "preset": preset or ""})


def make_reader_kit(plugin: ReaderPlugin, example: Path | None) -> type[ReaderConformance]:
    """Make the kit of an installed reader. Rules use copies of a recording, and are skipped if none is given.

    Raises
    ------
    SourceNotFound
        If no file or folder exists at the path.
    InvalidOption
        If the recording is too large to be copied for every rule.
    """
    if example is None:
        return type("Kit", (ReaderConformance,), {"plugin": plugin})
    if not example.exists():
        raise SourceNotFound(f"{example} does not exist.")
    files = [example] if example.is_file() else [path for path in example.rglob("*") if path.is_file()]
    if (size := sum(path.stat().st_size for path in files)) > LARGEST_BYTES:
        raise InvalidOption(
            f"{example} has {size} bytes, and is copied for every rule. Choose one below {LARGEST_BYTES} bytes."
        )
    return type(
        "Kit", (ReaderConformance,), {"plugin": plugin, "source": lambda _, folder: copy_source(example, folder)}
    )


def list_rules(kit: type) -> list[str]:
    """List the rules of a kit."""
    return [name for name in dir(kit) if name.startswith("test_")]


def run_kit(kit: type, *, progress: Progress = silent) -> Iterator[Verdict]:
    """Run every rule of a kit, even after one has failed.

    Parameters
    ----------
    kit
        A subclass of `EncoderConformance` or `ReaderConformance`.
    progress
        Reports every rule.
    """
    names = list_rules(kit)
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
