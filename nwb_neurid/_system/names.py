"""What the things are called that we write."""

import unicodedata

PREFIX = "neurid_"
"""How the names of all that we write begin, unless the user chooses others: results, columns, properties."""

RULE = "it must consist of letters, digits, '_', '-' and '.', and begin with a letter or a digit"


def is_fit_name(name: str) -> bool:
    """Whether this can be part of the name of a file, a column or an object of NWB; see `RULE`."""
    odd = [letter for letter in name if unicodedata.category(letter)[0] not in "LMN" and letter not in "_-."]
    return not odd and name[:1].isalnum()


LONGEST = 200
CLASS_RULE = f"names of classes must have 1 to {LONGEST} characters, without line breaks or invisible characters"


def is_class_name(name: str) -> bool:
    """Whether this can be the name of a class in tables and on a terminal; see `CLASS_RULE`."""
    return 0 < len(name) <= LONGEST and not any(unicodedata.category(letter)[0] == "C" for letter in name)
