"""The words of sources: what they call known identities, and what they write where nothing is known."""

import re
from collections.abc import Mapping, Sequence

UNKNOWN = frozenset({"", "[]", "-", "?", "n/a", "nan", "none", "null", "root", "undefined", "unknown", "void"})
"""Some of what stands for "not known" in place of a type or a region, in lower case; see `is_unknown`."""

UNKNOWN_WORDS = frozenset(
    {
        *("na", "n a", "nan", "none", "null", "nil", "void", "root", "missing", "empty", "tbd", "not a number"),
        *("unknown", "undefined", "undetermined", "indeterminate", "unidentified", "unclassified", "unclassifiable"),
        *("unassigned", "unlabeled", "unlabelled", "unspecified", "unavailable", "unregistered"),
        *("no label", "no type", "no data", "no information", "to be determined", "to be defined"),
    }
)
"""The same without signs, in lower case."""

_DENIED = re.compile(
    r"(not|cannot be|can not be|could not be|never|yet to be) (yet )?"
    r"(a ?vailable|applicable|assigned|certain|classifiable|classified|defined|determinable|determined|given|identified"
    r"|known|labell?ed|recorded|registered|reported|specified|stated|sure)"
)

ALIASES: Mapping[str, Sequence[str]] = {
    "cell_type": ("cell_type", "putative_cell_type", "celltype", "neuron_type"),
    "brain_region": ("brain_region", "brain_area", "region", "location", "structure_acronym"),
}
"""What sources call the labels that have one name here, the most telling first."""


def is_unknown(text: str) -> bool:
    """Whether a text stands for "not known".

    Parameters
    ----------
    text
        As a source has it; case, blanks and signs do not matter.

    Returns
    -------
    bool
        True for "", "n/a", "N.A.", "not determined", "Cannot be determined" and the like.

    Examples
    --------
    >>> [word for word in ("PV", "N.A.", "Unknown ", "not determined", "?", "PV-") if not is_unknown(word)]
    ['PV', 'PV-']
    """
    bare = text.strip().casefold()
    words = " ".join(re.findall(r"[^\W_]+", bare))
    if not words:
        return not bare.strip("[]().,;:/-_? \N{EN DASH}\N{EM DASH}")
    return words in UNKNOWN_WORDS or _DENIED.fullmatch(words) is not None
