"""Names of the files, columns and objects that this package writes."""

import unicodedata

PREFIX = "neurid_"
"""Default prefix of the names of all results, columns and properties that this package writes."""

RULE = "it must consist of letters, digits, '_', '-' and '.', and begin with a letter or a digit"


def is_fit_name(name: str) -> bool:
    """Return whether this text may be part of the name of a file, a column or an NWB object; see `RULE`."""
    odd = [letter for letter in name if unicodedata.category(letter)[0] not in "LMN" and letter not in "_-."]
    return not odd and name[:1].isalnum()


LONGEST = 200
CLASS_RULE = f"names of classes must have 1 to {LONGEST} characters, without line breaks or invisible characters"


def is_class_name(name: str) -> bool:
    """Return whether this text may be the name of a class in tables and on a terminal; see `CLASS_RULE`."""
    return 0 < len(name) <= LONGEST and not any(unicodedata.category(letter)[0] == "C" for letter in name)
