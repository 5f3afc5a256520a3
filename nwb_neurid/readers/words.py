"""Names and quality labels in a common spelling, because data sets differ in case, punctuation and numbers."""

import re


def squeeze(name: str) -> str:
    """Convert a name to lower case, without punctuation: `Brain Area` and `brain_area` become `brainarea`."""
    return re.sub(r"[\W_]+", "", name).casefold()


def split_words(text: str) -> list[str]:
    """Split a text into words in lower case: `Noise_1 (by hand)` into `noise`, `by` and `hand`."""
    return [word for word in re.split(r"[\W_\d]+", text.casefold()) if word]
