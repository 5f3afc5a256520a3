"""The vocabulary of sources: names of columns with known labels, and words that mean "not known"."""

import re
from collections.abc import Mapping, Sequence

UNKNOWN = frozenset({"", "[]", "-", "?", "n/a", "nan", "none", "null", "root", "undefined", "unknown", "void"})
"""Common words in lower case that mean "not known" in place of a type or a region. See `is_unknown`."""

UNKNOWN_WORDS = frozenset(
    {
        *(
            "na",
            "n a",
            "nd",
            "n d",
            "nan",
            "nat",
            "nn",
            "n n",
            "none",
            "null",
            "nil",
            "void",
            "root",
            "missing",
            "empty",
        ),
        *("blank", "pending", "tbc", "tbd", "xxx", "not a number", "insufficient data", "to be confirmed"),
        *("unk", "unkn", "unkown", "unknwon", "unident", "uncertain", "unclear", "unsure", "inconclusive", "undecided"),
        *("to be classified", "to be determined", "to be defined", "to be identified"),
    }
)
"""Texts that mean "not known", in lower case and without punctuation."""

_SAID = (
    r"(a ?vailable|analy[sz]ed|annotat(e|ed)|applicable|assess(ed)?|assign(able|ed)?|certain|classif(iable|ied|y)"
    r"|decid(e|ed)|defin(e|able|ed)|det|determin(e|able|ed)|given|ident(if(iable|ied|y))?|known|label(l?ed)?|match(ed)?"
    r"|provided|record(ed)?|regist(er|ered)|report(ed)?|resolv(e|ed)|specif(ied|y)|stated|sure|test(ed)?|typed?)"
)
_THING = (
    r"(brain|cell|neuron|unit)? ?(annotation|area|cell|class|data|id|identity|info|information|label|match|name|neuron"
    r"|region|structure|type|unit|value)"
)
_DENIAL = r"(not|non|un|in|can ?not( be)?|can t( be)?|could not( be)?|never|yet to be)"
_UNKNOWN = re.compile(
    rf"{_DENIAL} ?(yet )?{_SAID}( yet)?( {_THING})?"
    rf"|{_THING} (unknown|undefined|undetermined|unidentified|not {_SAID})"
    rf"|(unknown|undefined|undetermined|indetermin(ate|able)|unavailable)( {_THING})?"
    rf"|none( {_SAID})?|no ({_THING}|{_SAID})( {_SAID})?"
    r"|(out|outside) (of )?(the )?(atlas|brain)|not in (the )?(atlas|brain)"
)
_REMARK = re.compile(r"\(.*?\)|\[.*?\]")

ALIASES: Mapping[str, Sequence[str]] = {
    "cell_type": ("cell_type", "putative_cell_type", "celltype", "neuron_type", "cell_class", "neuron_class"),
    "brain_region": (
        *("brain_region", "brain_area", "region", "location", "structure_acronym"),
        *("anatomical_region", "anatomical_location", "brain_location", "ccf_region"),
    ),
}
"""Names that sources use for labels that have one name in nwb-neurid. The most informative name comes first."""


def is_unknown(text: str) -> bool:
    """Return whether a text means "not known".

    Parameters
    ----------
    text
        The text in the source. Case, spaces and punctuation do not matter.

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
    bare = _REMARK.sub("", bare).strip() or bare
    words = " ".join(re.findall(r"[^\W_]+", bare))
    if not words:
        return not bare.strip("[]().,;:/*-_? \N{EN DASH}\N{EM DASH}")
    if "+" in bare:  # NA+ is no N.A.
        return False
    return words in UNKNOWN_WORDS or _UNKNOWN.fullmatch(words) is not None
