"""Labels of a `Population`, taken from the text columns of a source."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.names import PREFIX
from nwb_neurid.readers.words import squeeze
from nwb_neurid.vocabulary import ALIASES, is_unknown


def find_labels(columns: Mapping[str, Sequence[object]]) -> dict[str, Shaped[np.ndarray, " units"]]:
    """Find all columns with labels. Cell types and regions are also returned as `cell_type` and `brain_region`.

    Parameters
    ----------
    columns
        Columns with one value per unit. Values that are not text count as unknown. Numbers (also as text), names of
        channels and similar columns are not labels, unless the name of the column is in `ALIASES`.

    Returns
    -------
    dict
        Text of shape (units,), "" where unknown. Columns without any known value are left out.
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
    """Return whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_quantity(text: str) -> bool:
    """Return whether a text is a number, a number with a unit, or the name of a channel: "120 µm", "CH12"."""
    return is_number(text) or _QUANTITY.fullmatch(text) is not None


_QUANTITY = re.compile(
    r"[+-]?\d[\d.,]* ?([munµμ]?(m|s|v)|k?hz|%|samples?)|(ch|chan|channel|elec|electrode)[\W_]*\d+", re.I
)

_IDENTIFIER = re.compile(r"(^|_)(channels?|chans?|ch|contacts?|electrodes?|ids?|uuids?)($|_)", re.IGNORECASE)
"""Words in the names of columns that contain identifiers of units or channels."""

_NAMED = frozenset(squeeze(name) for names in ALIASES.values() for name in names)
