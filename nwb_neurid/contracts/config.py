"""The settings of an encoder: a dataclass that states what values each setting may have.

A config comes from a model folder or from a user, and may contain any values. `read_config` checks it against the
fields of a dataclass, and returns an instance of this dataclass:

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        dim: Annotated[int, COUNT]
        dropout: Annotated[float, SHARE] = 0.1
        activity: Literal["spikes", "dff"] = "spikes"

A field with a default may be missing. The method `__post_init__` can check conditions that involve several fields. It
raises a `ValueError` if they are not met.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from nwb_neurid.contracts.encoder import Config
from nwb_neurid.errors import InvalidModel

Settings = TypeVar("Settings")

Entry: TypeAlias = tuple[str, Callable[[Any], bool]]
"""A condition on a value: its description in words, and a function that checks the value as read from JSON."""

LARGEST = 2**31 - 1
"""The largest allowed count. A larger count is a mistake, or is meant to exhaust the memory."""


def is_positive(value: Any) -> bool:
    """Check whether a value of a config is a positive, finite number.

    Parameters
    ----------
    value
        A value that was read from JSON.

    Returns
    -------
    bool
        Whether the value is a positive, finite number. False for the Boolean values true and false.

    Examples
    --------
    >>> is_positive(0.5), is_positive(0), is_positive("1")
    (True, False, False)
    """
    return type(value) in {int, float} and 0 < value <= 1e300


def is_count(value: Any) -> bool:
    """Check whether a value of a config is a positive whole number of at most `LARGEST`.

    Parameters
    ----------
    value
        A value that was read from JSON.

    Returns
    -------
    bool
        Whether the value is a positive whole number, at most `LARGEST`.

    Examples
    --------
    >>> is_count(3), is_count(3.0), is_count(True)
    (True, False, False)
    """
    return type(value) is int and 0 < value <= LARGEST


def is_share(value: Any) -> bool:
    """Check whether a value of a config is a number from 0 to below 1.

    Parameters
    ----------
    value
        A value that was read from JSON.

    Returns
    -------
    bool
        Whether the value is a number from 0 to below 1.

    Examples
    --------
    >>> is_share(0), is_share(0.2), is_share(1)
    (True, True, False)
    """
    return type(value) in {int, float} and 0 <= value < 1


POSITIVE: Entry = ("a positive number", is_positive)
COUNT: Entry = ("a positive whole number", is_count)
SHARE: Entry = ("from 0 to below 1", is_share)
_PLAIN: Mapping[type, Entry] = {
    bool: ("true or false", lambda value: type(value) is bool),
    str: ("text", lambda value: isinstance(value, str)),
    int: ("a whole number", lambda value: type(value) is int),
    float: ("a finite number", lambda value: type(value) in {int, float} and abs(value) <= 1e300),
}


def check_config(config: Config, expected: Mapping[str, Entry], owner: str) -> None:
    """Check that a config has exactly the expected entries, with valid values.

    Parameters
    ----------
    config
        The config of a model folder, or of a user.
    expected
        The condition on the value of each key.
    owner
        What the config belongs to, such as "the network", for the message.

    Raises
    ------
    InvalidModel
        If keys are missing or unknown, or their values cannot be used. The message lists all faults.

    Examples
    --------
    >>> check_config({"dim": 8}, {"dim": COUNT}, "the network")
    """
    _refuse(_list_faults(config, expected, expected.keys()), owner)


def read_config(settings: type[Settings], config: Config, owner: str) -> Settings:
    """Check the settings in a config against the fields of a dataclass, and return an instance of the dataclass.

    Parameters
    ----------
    settings
        A dataclass. The annotation of a field states which values it may have: `Annotated[int, COUNT]` (or another
        `Entry`), `Literal["spikes", "dff"]`, `bool`, `int`, `float`, `str`, or one of these annotations followed by
        `| None`. A field without a default is required. Whole numbers become floats, and lists become tuples, where the
        annotation requires it.
    config
        The config of a model folder, or of a user.
    owner
        What the config belongs to, such as "the network", for the message.

    Returns
    -------
    Settings
        An instance of `settings`.

    Raises
    ------
    InvalidModel
        If keys are missing or unknown, or their values cannot be used. The message lists all faults. This error is
        also raised if `__post_init__` of the dataclass raises a `ValueError`. The message then contains the message
        of the `ValueError`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Sizes:
    ...     dim: Annotated[int, COUNT]
    ...     dropout: Annotated[float, SHARE] = 0.0
    >>> read_config(Sizes, {"dim": 8}, "the network")
    Sizes(dim=8, dropout=0.0)
    >>> read_config(Sizes, {"dim": 0, "colour": "red"}, "the network")
    Traceback (most recent call last):
    nwb_neurid.errors.InvalidModel: The config of the network cannot be used:
      - colour is unknown; known settings: dim, dropout
      - dim must be a positive whole number, got 0
    """
    if not is_dataclass(settings):
        raise TypeError(f"settings must be a dataclass, got {settings!r}.")
    hints = get_type_hints(settings, include_extras=True)
    known = [field for field in fields(settings) if field.init]
    expected = {field.name: _entry(hints[field.name], field) for field in known}
    required = {field.name for field in known if field.default is MISSING and field.default_factory is MISSING}
    _refuse(_list_faults(config, expected, required), owner)
    values = {name: _convert(hints[name], value) for name, value in config.items()}
    try:
        return settings(**values)
    except ValueError as error:
        raise InvalidModel(f"The config of {owner} cannot be used:\n  - {error}") from error


def _list_faults(config: Config, expected: Mapping[str, Entry], required: Any) -> Iterator[str]:
    for key in config:
        if key not in expected:
            yield f"{key} is unknown; known settings: {', '.join(expected)}"
    for key, (wanted, holds) in expected.items():
        if key in config:
            if not holds(config[key]):
                yield f"{key} must be {wanted}, got {config[key]!r:.60}"
        elif key in required:
            yield f"{key} is missing; it must be {wanted}"


def _refuse(faults: Iterator[str], owner: str) -> None:
    if found := list(faults):
        raise InvalidModel("\n  - ".join([f"The config of {owner} cannot be used:", *found]))


def _parts(hint: Any) -> tuple[Any, Entry | None, bool]:
    """Return the type and the entry of an annotation, and whether None is allowed."""
    optional = False
    if get_origin(hint) in {Union, UnionType}:
        inner = [part for part in get_args(hint) if part is not type(None)]
        optional, hint = len(inner) < len(get_args(hint)), inner[0] if len(inner) == 1 else hint
    if get_origin(hint) is Annotated:
        plain, *marks = get_args(hint)
        return plain, next((mark for mark in marks if isinstance(mark, tuple) and len(mark) == 2), None), optional
    return hint, None, optional


def _entry(hint: Any, field: "Field[Any]") -> Entry:
    """Return the condition that the annotation of a field sets on its value."""
    plain, entry, optional = _parts(hint)
    if entry is None and get_origin(plain) is Literal:
        choices = get_args(plain)
        entry = (" or ".join(map(repr, choices)), lambda value: isinstance(value, str | int) and value in choices)
    entry = entry or _PLAIN.get(plain)
    if entry is None:
        raise TypeError(f"The annotation of {field.name} must say what its value must be, got {hint}.")
    wanted, holds = entry
    return (wanted, lambda value: value is None or holds(value)) if optional else entry


def _convert(hint: Any, value: Any) -> Any:
    """Convert a JSON value to the type of the annotation."""
    plain, _, _ = _parts(hint)
    if plain is float and value is not None:
        return float(value)
    return tuple(value) if get_origin(plain) is tuple and value is not None else value
