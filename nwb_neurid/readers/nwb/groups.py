"""How files identify groups of electrodes (probes, shanks): by a name, with variants in spelling, or by a number."""

import re
from collections.abc import Sequence

import numpy as np

from nwb_neurid.readers.labels import is_number
from nwb_neurid.readers.words import squeeze

COLUMN = re.compile(r"(electrode_?)?(group|probe|shank|insertion)_?(name|id|number|no|index|idx|label)?", re.IGNORECASE)
"""Columns that may state the group of electrodes by a name or a number."""

_PROBE = re.compile(r"(electrode_?group|group|imec|insertion|neuropixels|np|probe|prb|shank)[\W_]*(\d+)", re.IGNORECASE)
_STEM = re.compile(r"[\d\W_]+")


def match_groups(values: Sequence[str | float], groups: Sequence[str]) -> dict[str | float, str]:
    """Match each value to a group, by its name or number. The dict is empty unless every value matches.

    Parameters
    ----------
    values
        Unique values of a column.
    groups
        Unique names of the groups of electrodes.
    """
    by_name = {squeeze(group): group for group in groups}
    found = {value: by_name[squeeze(str(value))] for value in values if squeeze(str(value)) in by_name}
    if len(found) == len(values):
        return found
    numbers = {value: float(value) for value in values if is_number(str(value))}
    by_number = number_groups(groups)
    if len(numbers) < len(values) or len(by_number) < len(groups):
        return {}
    if set(numbers.values()) <= by_number.keys():
        return {value: by_number[number] for value, number in numbers.items()}
    here, there = sorted(set(numbers.values())), sorted(by_number)
    if len(groups) < 2 or np.diff(here).tolist() != np.diff(there).tolist():
        return {}
    return {value: by_number[number + there[0] - here[0]] for value, number in numbers.items()}  # from 1 instead of 0


def number_groups(groups: Sequence[str]) -> dict[float, str]:
    """Map the last number in the name of a group to the group, if no other group has the same number."""
    numbered = [(float(last[0]), group) for group in groups if (last := re.findall(r"\d+", group)[-1:])]
    numbers = [number for number, _ in numbered]
    return {number: group for number, group in numbered if numbers.count(number) == 1}


def find_named(text: str, names: dict[str, str], groups: Sequence[str]) -> frozenset[str] | None:
    """Find the groups whose names occur in a text, alone or among other words. Return None if there are none.

    Parameters
    ----------
    text
        A tag, such as "Probe 0" or "probe0: saturated".
    names
        Groups by their possible names, after `squeeze`.
    groups
        Names of the groups.
    """
    if (whole := names.get(squeeze(text))) is not None:
        return frozenset({whole})
    words = [squeeze(word) for word in re.split(r"[\s,;:/|()]+", text)]
    if found := frozenset(names[word] for word in words if len(word) > 1 and word in names):
        return found
    by_number = number_groups(groups)
    numbers = {float(number): stem for stem, number in _PROBE.findall(text)}
    if known := frozenset(by_number[number] for number in numbers if number in by_number):
        return known
    stems = {squeeze(_STEM.sub("", group)) for group in groups}
    return frozenset() if numbers and {squeeze(stem) for stem in numbers.values()} <= stems else None
