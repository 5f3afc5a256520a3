"""Find the part of the brain to which a region belongs, from the name of the region in a recording."""

import re
from collections.abc import Mapping

HIPPOCAMPUS = "hippocampus"
CORTEX = "cortex"
STRIATUM = "striatum"

WORDS: Mapping[str, re.Pattern[str]] = {
    HIPPOCAMPUS: re.compile(r"hippocamp|dentate gyrus|subicul|ammon'?s horn|\bca[123]\b"),
    CORTEX: re.compile(r"cortex|cortical\b|cortices|\bctx\b"),
    STRIATUM: re.compile(r"striatum|striatal\b|caudat|putamen|accumbens"),
}
"""Words in full names of regions, in lower case. "Subcortical" regions do not count as cortex."""

ACRONYMS: Mapping[str, re.Pattern[str]] = {
    HIPPOCAMPUS: re.compile(r"[dvi]?CA[1-4].*|DG(-.*)?|SUB|ProS|HIP|HPF|HPC|dHPC|vHPC|POST|PRE|PAR|HATA|FC|IG"),
    CORTEX: re.compile(
        r"VIS.*|SS[ps]?(-.*)?|MO[ps]?|AUD.*|RSP.*|ACA.*|ORB.*|PTLp.*|ENT.*|AI[dpv]?|PL|ILA?|TEa|PERI|ECT|FRP|GU|Ctx|CTX"
        r"|[VSM][12]|A1|[md]?PFC|dlPFC|OFC|ACC|PPC|RSC|ALM|MEC|LEC|wS1|wM1|vS1|vM1"
    ),
    STRIATUM: re.compile(r"CP|STR[dv]?|ACB|NAc|DMS|DLS|DCS|VMS|VLS|TS"),
}
"""Patterns of acronyms of regions, such as those of the Allen CCF, without the layer at the end."""

LAYER = re.compile(r"(1|2/3|2|3|4|5|6a|6b|6)$")
SIDE = re.compile(r"^(left|right|l|r)[ _-]+|[ _-]+(left|right|l|r)$", re.IGNORECASE)


def find_part(region: str) -> str:
    """Find the part of the brain to which a region belongs.

    Parameters
    ----------
    region
        An acronym or a name, as in the recording.

    Returns
    -------
    str
        One of `HIPPOCAMPUS`, `CORTEX` and `STRIATUM`; "" for any other region, and for an unknown one.

    Examples
    --------
    >>> [find_part(region) for region in ("CA1", "VISp2/3", "left S1", "dorsal striatum", "LP", "")]
    ['hippocampus', 'cortex', 'cortex', 'striatum', '', '']
    """
    name = SIDE.sub("", region.strip())
    lower = name.lower().replace("subcort", "")
    for part, words in WORDS.items():
        if words.search(lower):
            return part
    names = (name, LAYER.sub("", name).rstrip("_- "))
    return next((part for part, known in ACRONYMS.items() if any(map(known.fullmatch, names))), "")
