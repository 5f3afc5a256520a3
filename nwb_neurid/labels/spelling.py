"""Names that may be one class spelt differently."""

import re
from collections.abc import Sequence

SYNONYMS = {"pvalb": "pv", "parvalbumin": "pv", "sst": "som", "somatostatin": "som"}


def variants(names: Sequence[str]) -> list[list[str]]:
    """Groups of names that differ in case or signs only, or are known to mean the same."""
    groups: dict[str, list[str]] = {}
    for name in names:
        bare = re.sub(r"[^\w]|_", "", name).casefold() or name
        groups.setdefault(SYNONYMS.get(bare, bare), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
