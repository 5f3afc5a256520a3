"""Names and verdicts as people write them, without what differs from one to the next: case, signs and numbers."""

import re


def squeeze(name: str) -> str:
    """A name without case and signs: `Brain Area` and `brain_area` are `brainarea`."""
    return re.sub(r"[\W_]+", "", name).casefold()


def split_words(text: str) -> list[str]:
    """The words of a text, without case: `Noise_1 (by hand)` has `noise`, `by` and `hand`."""
    return [word for word in re.split(r"[\W_\d]+", text.casefold()) if word]
