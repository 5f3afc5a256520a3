"""Values encoded for the page: JSON that is safe in a script element, and arrays as base64."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

LONGEST = 300
"""Maximum length of a label or a name on the page, in characters. Unit ids are not shortened."""

Encoded = dict[str, Any]


def encode_json(value: object) -> str:
    r"""Write JSON that is safe in a script element: ASCII without `<`, `>` and `&`, so that nothing ends the script.

    >>> encode_json({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def encode_array(values: Shaped[np.ndarray, "..."]) -> Encoded:
    """Encode whole numbers as base64 of little-endian bytes, with their type (such as "u2") and shape."""
    dense = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    kind = f"{values.dtype.kind}{values.dtype.itemsize}"
    return {"type": kind, "shape": list(values.shape), "data": base64.b64encode(dense.tobytes()).decode()}


def encode_numbers(values: Float[np.ndarray, "..."], digits: int = 4) -> list[float | None]:
    """Round numbers to a number of significant digits. Values that are not finite become None."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.ravel().tolist()]


def encode_texts(values: Sequence[object]) -> Encoded:
    """Encode texts as codes of levels. Levels are in natural order, with unknown ("") first."""
    texts = [clip(str(value)) for value in values]
    levels = sorted(set(texts), key=_natural)
    code = {level: index for index, level in enumerate(levels)}
    return {"levels": levels, "codes": [code[text] for text in texts]}


def scale_rows(values: Float[np.ndarray, "rows columns"], top: int) -> Shaped[np.ndarray, "rows columns"]:
    """Scale each row to signed whole numbers with the largest magnitude `top`. Values that are not finite become 0."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    peak = np.abs(finite).max(axis=1, keepdims=True, initial=0)
    return np.asarray(np.round(finite / np.where(peak > 0, peak, 1) * top))


def pack_flags(flags: Bool[np.ndarray, "rows columns"]) -> list[list[int]]:
    """Return the columns that are set in each row."""
    return [np.flatnonzero(row).tolist() for row in flags]


def clip(text: str, longest: int = LONGEST) -> str:
    """Shorten a text, because the page contains many of them."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _natural(text: str) -> tuple[tuple[bool, int | str], ...]:
    """Return a sort key that puts `type 2` before `type 10`."""
    import re

    parts = re.split(r"(\d{1,15})", text)
    return tuple((not part.isdecimal(), int(part) if part.isdecimal() else part.casefold()) for part in parts if part)
