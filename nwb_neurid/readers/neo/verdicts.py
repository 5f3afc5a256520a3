"""Find spike trains of a file that are not neurons: unsorted spikes, noise, and duplicates of another train."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nwb_neurid.readers.neo import format_of
from nwb_neurid.readers.selection import is_noise, is_undecided
from nwb_neurid.readers.words import split_words

UNSORTED_UNIT = 0
BY_CHANNEL = frozenset({"BlackrockIO", "CedIO", "NeuralynxIO", "OpenEphysIO", "PlexonIO", "Spike2IO", "TdtIO"})
"""Formats in which spikes are sorted by channel, and unit 0 of a channel contains the unsorted spikes."""

LEFT_OVER = {("BlackrockIO", 255): "noise (unit 255)", ("TdtIO", 31): "outliers (sort code 31)"}

CLASSIFICATIONS = ("unit_classification", "unit_tag", "quality")
"""Annotations that distinguish sorted spikes from others. Neo's reader for Blackrock writes the first two."""

FEWEST_SPIKES = 20
"""Number of spikes at the same samples that cannot be due to chance."""

_UNIT_OF_CHANNEL = re.compile(r"#(\d+)$")
_WAVEFORMS = re.compile(r"[_\-. ]?(wf|wave[^\W_]*|templates?)[_\-. ]?", re.IGNORECASE)


def find_verdict(train: Any) -> str:
    """Find the reason why a `neo.SpikeTrain` is not a neuron; "" if it may be one."""
    for key in CLASSIFICATIONS:
        text = train.annotations.get(key)
        if isinstance(text, str) and (is_noise(text) or is_undecided(text)):
            return f"{key} is {text.strip()!r}"
    name = _format(train)
    for text in (train.annotations.get("id"), train.name):
        found = _UNIT_OF_CHANNEL.search(str(text)) if name in BY_CHANNEL else None
        if found is not None:
            unit = int(found[1])
            return "unsorted (unit 0 of its channel)" if unit == UNSORTED_UNIT else LEFT_OVER.get((name, unit), "")
    return ""


def drop_twins(trains: Sequence[Any]) -> list[Any]:
    """Leave out waveform variables of NeuroExplorer if their neuron is present. They contain the same spikes."""
    if not trains or _format(trains[0]) != "NeuroExplorerIO":
        return list(trains)
    times = {str(train.name): np.asarray(train.magnitude) for train in trains}
    return [train for train in trains if not _is_twin(str(train.name), times)]


def _is_twin(name: str, times: dict[str, np.ndarray]) -> bool:
    """Return whether this train duplicates another train whose name is part of its name.

    The other train must have the same spikes. It may have more spikes if the name of this train marks it as waveforms.
    """
    own = times[name]
    for other, theirs in times.items():
        if name != other and other in name:
            is_marked = _WAVEFORMS.fullmatch(name.replace(other, "", 1)) is not None
            if is_marked and np.isin(own, theirs).all():
                return True
        is_of_it = other in name or (len(own) >= FEWEST_SPIKES and _is_marked(name) and not _is_marked(other))
        if name != other and is_of_it and len(own) and np.array_equal(own, theirs):
            return True
    return False


def _is_marked(name: str) -> bool:
    return any(_WAVEFORMS.fullmatch(word) for word in split_words(name))


def _format(train: Any) -> str:
    """Return the class of `neo.io` that made a train, from the name of its file. It is "" if the train has no file."""
    origin = getattr(train, "file_origin", None)
    try:
        return (format_of(Path(str(origin))) or "") if origin else ""
    except (OSError, ValueError):  # not a valid path on this system
        return ""
