"""What units are known to be: the text that a source has on them, as the labels of a `Population`."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.names import PREFIX
from nwb_neurid.readers.words import squeeze
from nwb_neurid.vocabulary import ALIASES, is_unknown


def find_labels(columns: Mapping[str, Sequence[object]]) -> dict[str, Shaped[np.ndarray, " units"]]:
    """Find every column that knows something of a unit, under its own name, and under ours if it has another.

    Parameters
    ----------
    columns
        One value a unit. What is no text counts as unknown. Numbers, also as text, and the names of channels and the
        like are no labels, unless the column is called as one of `ALIASES` is.

    Returns
    -------
    dict
        Text of shape (units,), "" where unknown. Columns in which all is unknown are left out.
    """
    labels = {}
    for name, values in columns.items():
        texts = [value.strip() if isinstance(value, str) else "" for value in values]
        known = [text for text in texts if not is_unknown(text)]
        is_label = squeeze(name) in _NAMED or not (all(map(_is_quantity, known)) or _IDENTIFIER.search(name))
        if known and is_label and not name.startswith(PREFIX):
            labels[name] = np.array(["" if is_unknown(text) else text for text in texts], np.str_)
    for ours, theirs in ALIASES.items():
        called = {squeeze(name): name for name in reversed(labels)}
        for alias in map(squeeze, theirs):
            if alias in called:
                labels[ours] = labels[called[alias]]
                break
    return labels


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_quantity(text: str) -> bool:
    """Whether a text is a number, also one with a unit or of a channel: "120 µm", "CH12"."""
    return is_number(text) or _QUANTITY.fullmatch(text) is not None


_QUANTITY = re.compile(
    r"[+-]?\d[\d.,]* ?([munµμ]?(m|s|v)|k?hz|%|samples?)|(ch|chan|channel|elec|electrode)[\W_]*\d+", re.I
)

_IDENTIFIER = re.compile(r"(^|_)(channels?|chans?|ch|contacts?|electrodes?|ids?|uuids?)($|_)", re.IGNORECASE)
"""In the names of columns that tell units or their channels apart."""

_NAMED = frozenset(squeeze(name) for names in ALIASES.values() for name in names)
