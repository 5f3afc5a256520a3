"""Find names that may be two spellings of the same name."""

import re
from collections.abc import Sequence

SYNONYMS = {"pvalb": "pv", "parvalbumin": "pv", "sst": "som", "somatostatin": "som"}


def group_variants(names: Sequence[str]) -> list[list[str]]:
    """Group names that differ only in case or punctuation, or are known synonyms.

    `PV-` and `PV` are different names.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        bare = re.sub(r"[^\w]|_", "", name).casefold() or name
        negative = "-" if name.rstrip().endswith(("-", "\N{MINUS SIGN}")) else ""
        groups.setdefault(SYNONYMS.get(bare, bare) + negative, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def group_spellings(names: Sequence[str]) -> list[list[str]]:
    """Group names that differ only in case, spaces or the separator of their parts: `M-1` and `m 1`, but not `M1`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(re.sub(r"[\W_]+", " ", name).strip().casefold() or name, []).append(name)
    return [group for group in groups.values() if len(group) > 1]
