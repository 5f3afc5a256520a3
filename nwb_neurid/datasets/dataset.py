"""`Dataset`: a recipe whose entries have been checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.contracts.config import COUNT, POSITIVE, Entry, read_config
from nwb_neurid.errors import InvalidModel, InvalidOption, SourceNotFound

FOLDER = Path(__file__).parent
LARGEST_BYTES = 2**20


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_map(value: Any) -> bool:
    whole = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    return whole or value in {"beryl", "cosmos", ""}


TEXTS: Entry = ("a list of texts", _is_texts)
MAP: Entry = ('"beryl", "cosmos" or a table of new names by old ones', _is_map)
Texts: TypeAlias = Annotated[tuple[str, ...], TEXTS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The place where the recordings are.

    Parameters
    ----------
    archive
        "dandi", or "elsewhere" for data that have to be downloaded by hand.
    address
        Web address of the data.
    dandiset, version
        Number and version of the dandiset. By default, the latest published version.
    files, exclude
        Patterns of the paths of recordings. Files that match `exclude` are left out.
    sessions
        Number of recordings, if known.
    gigabytes
        Total size, if known.
    """

    archive: Literal["dandi", "elsewhere"]
    address: str
    dandiset: str = ""
    version: str = ""
    files: str = "*.nwb"
    exclude: str = ""
    sessions: Annotated[int, COUNT] | None = None
    gigabytes: Annotated[float, POSITIVE] | None = None

    def __post_init__(self) -> None:
        if self.archive == "dandi" and not (len(self.dandiset) == 6 and self.dandiset.isdecimal()):
            raise ValueError(f"dandiset must be six digits, got {self.dandiset!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The units and the activity of a recording that are used.

    Parameters
    ----------
    where
        A condition on the columns of the units; "" for the default of the reader.
    activity
        The kind of activity to read if a recording has several kinds; "" for the default of the reader.
    note
        Further conditions, in words.
    """

    where: str = ""
    activity: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The label that is predicted.

    Parameters
    ----------
    name
        Name of the label.
    map
        New names of the classes, as for `nwb_neurid.evaluate`; "" for no new names.
    in_files
        Whether the recordings contain the label. If not, it is read from a table (`--labels`).
    note
        Further information about the label.
    """

    name: str
    map: Annotated[Mapping[str, str] | str, MAP] = ""
    in_files: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The way in which units are split into training units and test units.

    Parameters
    ----------
    protocol
        As for `nwb_neurid.evaluate`.
    test_subjects, test_sessions
        The subjects that are tested, by their names or by their sessions. Empty if folds are used.
    folds
        Number of folds, if no test subjects are given.
    note
        Differences from the splits in the paper.
    """

    protocol: Literal["transductive", "transductive-zero-shot", "inductive-zero-shot"]
    test_subjects: Texts = ()
    test_sessions: Texts = ()
    folds: Annotated[int, COUNT] = 5
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """The training of the encoder: its name, its preset, and the number of steps."""

    encoder: str
    preset: str
    steps: Annotated[int, COUNT]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A published figure.

    Parameters
    ----------
    name
        The measured quantity, and the data on which it was measured.
    system
        The method that was measured.
    metric
        A score of `nwb_neurid.evaluate`.
    value
        The figure; None if it is not known.
    where
        The publication.
    first_hand
        Whether the figure was read in the publication itself, and not in another text about it.
    """

    name: str
    system: str
    metric: Literal["macro_f1", "balanced_accuracy"]
    where: str
    value: Annotated[float, POSITIVE] | None = None
    first_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A recipe for a dataset.

    Parameters
    ----------
    name
        Name of the recipe.
    title, paper, licence
        Title of the dataset, its publication, and its licence.
    source, units, label, splits, learning, figure
        The sections of the recipe.
    tried
        The real recordings on which the recipe was run; "" if there are none.
    unknown
        Sentences about what is not known.
    submission
        The benchmark for which predictions are also written, in its format; "" for no benchmark.

    Examples
    --------
    >>> load_dataset("steinmetz-2019").source.dandiset
    '000017'
    """

    name: str
    title: str
    paper: str
    licence: str
    source: Source
    units: Units
    label: Label
    splits: Splits
    learning: Learning
    figure: Figure
    tried: str = ""
    unknown: tuple[str, ...] = field(default=())
    submission: str = ""

    def reading(self, labels: Path | None = None) -> ReadOptions:
        """Return options for reading the recordings. `labels` is a table with labels that are not in the recordings."""
        return ReadOptions(where=self.units.where, activity=self.units.activity, labels=labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Top:
    format: Literal[1]
    title: str
    paper: str
    licence: str
    tried: str = ""
    unknown: Texts = ()
    submission: Literal["", "brainwidebench"] = ""


SECTIONS: Mapping[str, type] = {
    each.name: each.type for each in fields(Dataset) if isinstance(each.type, type) and each.type is not str
}


def list_datasets() -> list[str]:
    """List the names of the included recipes.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> "ibl-brain-wide-map" in list_datasets()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_dataset(name: str) -> Dataset:
    """Load a recipe.

    Parameters
    ----------
    name
        The name of an included recipe, or the path of a TOML file.

    Returns
    -------
    Dataset
        The recipe.

    Raises
    ------
    SourceNotFound
        If there is none.
    InvalidOption
        If the file is not a valid recipe. The message lists all errors.

    Examples
    --------
    >>> load_dataset("allen-visual-coding").figure.value
    0.72
    """
    path = FOLDER / f"{name}.toml" if name in list_datasets() else Path(name)
    if not path.is_file():
        raise SourceNotFound(
            f"There is no dataset {name!r}. Choose one of: {', '.join(list_datasets())}; or pass a TOML file."
        )
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InvalidOption(f"{path} is not a recipe: it is larger than 1 MB. Pass the TOML file of a dataset.")
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidOption(f"{path} cannot be read as TOML: {error}") from error
    return parse_dataset(path.stem, found)


def parse_dataset(name: str, found: Mapping[str, Any]) -> Dataset:
    """Check the entries of a recipe.

    Parameters
    ----------
    name
        Name of the dataset.
    found
        The content of the TOML file.

    Returns
    -------
    Dataset
        The recipe.

    Raises
    ------
    InvalidOption
        If keys are missing or unknown, or their values cannot be used. The message lists all errors in one section.

    Examples
    --------
    >>> parse_dataset("mine", {"format": 1})
    Traceback (most recent call last):
    nwb_neurid.errors.InvalidOption: The recipe of mine cannot be used:
      - title is missing; it must be text
      - paper is missing; it must be text
      - licence is missing; it must be text
    """
    top = {key: value for key, value in found.items() if key not in SECTIONS}
    try:
        whole = read_config(_Top, top, name)
        parts: dict[str, Any] = {
            key: read_config(section, _table(found, key), f"{name}, section [{key}],")
            for key, section in SECTIONS.items()
        }
    except InvalidModel as error:
        raise InvalidOption(str(error).replace("The config of", "The recipe of", 1)) from error
    said = {each.name: getattr(whole, each.name) for each in fields(_Top) if each.name != "format"}
    return Dataset(name=name, **said, **parts)


def _table(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key, {})
    return value if isinstance(value, dict) else {key: value}
