"""Vectors of many recordings as one dataset: a folder of parquet files, one for each recording, in folders by subject.

All files have the same columns, so that pandas, polars, DuckDB and R read the folder as one table. Files whose names
begin with an underscore, such as the manifest, do not belong to the table.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid._system import limits
from nwb_neurid._system.atomic import convert_errors, replace_file
from nwb_neurid._system.text import counted
from nwb_neurid.contracts import is_url
from nwb_neurid.errors import CannotWrite, InvalidResults, NeuridError, NoResults, UnreadableSource
from nwb_neurid.population import Population, Spikes, Traces
from nwb_neurid.results import Embeddings, Predictions, Provenance
from nwb_neurid.writers.options import Output
from nwb_neurid.writers.table import PROVENANCE, check_parquet

if TYPE_CHECKING:
    import pyarrow

    from nwb_neurid.writers.nwb.entry import Results

MANIFEST = "_manifest.sqlite"
"""Name of the manifest. A folder with this file is such a dataset."""

UNKNOWN_SUBJECT = "unknown"
LONGEST_NAME = 80
AXES = ("x_um", "y_um", "z_um")

FindNeurons = Callable[[Population], Int64[np.ndarray, " units"]]


def choose_part(folder: Path, source: str, key: str, find_neurons: FindNeurons) -> Output:
    """Choose the place of one recording in a dataset. An existing file of the recording is replaced.

    Parameters
    ----------
    folder
        The dataset.
    source
        The recording, as given by the user.
    key
        Part of the name of its file, in addition to the name of the recording.
    find_neurons
        Function that finds which units may be the same neuron.
    """

    def write(population: Population, results: "Sequence[Results]") -> Path:
        import pyarrow.parquet

        every = [part for each in results for part in each.predictions]
        table = _make_table(source, population, results[0].embeddings, every, find_neurons(population))
        target = folder / _name_part(source, population.subject_id, key)
        with convert_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        like = [] if is_url(source) else [Path(source)]
        with replace_file(target, overwrite=True, like=like) as made:
            pyarrow.parquet.write_table(table, made.path)
        return target

    return Output(write=write)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StoredRecording:
    """The vectors of one recording, and the information about its units that a dataset contains.

    Parameters
    ----------
    population
        The units, with labels, groups and positions, but without their activity, which is not stored.
    embeddings
        One row for each unit.
    predicted
        For each label, the prediction for each unit, shape (units,); "" where the head abstained.
    spikes
        Number of spikes of each unit, shape (units,); None for traces.
    observed_s
        Observed time of each unit, in seconds, shape (units,).
    neuron
        Index of the neuron of each unit within the recording, the same for units that may be one neuron, shape
        (units,).
    path
        The file with these vectors.
    """

    population: Population
    embeddings: Embeddings
    predicted: dict[str, np.ndarray]
    spikes: Int64[np.ndarray, " units"] | None
    observed_s: Float64[np.ndarray, " units"]
    neuron: Int64[np.ndarray, " units"]
    path: Path


def is_dataset(source: object) -> bool:
    """Return whether a source is the folder of such a dataset."""
    return isinstance(source, str | Path) and not is_url(source) and (Path(source) / MANIFEST).is_file()


def prepare_folder(folder: Path) -> None:
    """Make the folder of a dataset, or check that it is one.

    Raises
    ------
    CannotWrite
        If the folder contains other files, or pyarrow is missing.
    """
    check_parquet()
    if folder.is_file():
        raise CannotWrite(f"{folder} is a file. The vectors of several recordings go into a folder: choose another.")
    held = folder.is_dir() and any(folder.iterdir())
    if held and not is_dataset(folder):  # checked last, because another run may create the dataset meanwhile
        raise CannotWrite(f"{folder} holds other files. Choose a new or empty folder for the vectors (--output).")
    with convert_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def read_dataset(folder: str | Path) -> list[StoredRecording]:
    """Read a dataset.

    Parameters
    ----------
    folder
        The folder that `nwb-neurid embed --output` wrote.

    Returns
    -------
    list of StoredRecording
        The recordings, in the order of their paths.

    Raises
    ------
    NoResults
        If the folder contains no recording.
    UnreadableSource
        If a file in the folder is damaged.
    """
    check_parquet()
    parts = list_parts(folder)
    if not parts:
        raise NoResults(f"{folder} holds no recording yet: no recording of that archive was embedded.")
    return [_read_part(path) for path in parts]


def list_parts(folder: str | Path) -> list[Path]:
    """List the files of a dataset, one for each recording."""
    return sorted(path for path in Path(folder).glob("*/*.parquet") if not path.name.startswith("."))


def rename_recording(path: Path, source: str) -> None:
    """Change the path of a recording in its file of a dataset, because the recording was moved.

    Raises
    ------
    UnreadableSource
        If the file is damaged.
    CannotWrite
        If the file cannot be written. The old file is then kept.
    """
    import pyarrow
    import pyarrow.parquet

    _read_part(path)
    table = pyarrow.parquet.read_table(path, partitioning=None)
    column = pyarrow.array([source] * len(table), pyarrow.string())
    table = table.set_column(table.schema.get_field_index("recording"), "recording", column)
    with replace_file(path, overwrite=True, like=[path]) as made:
        pyarrow.parquet.write_table(table, made.path)


def _name_part(source: str, subject: str, key: str) -> Path:
    """Return the path of the file of a recording within the dataset."""
    name = Path(source.partition("?")[0]).name.removesuffix(".nwb") or "recording"
    return Path(_quote(subject or UNKNOWN_SUBJECT)) / f"{_quote(name)}.{key[:12]}.parquet"


def _quote(name: str) -> str:
    """Convert a text to a file name without separators, without a leading dot or underscore, and not too long."""
    return quote(name, safe=" +,=@()")[:LONGEST_NAME].lstrip("._ ").rstrip(". ") or "-"


def _make_table(
    source: str,
    population: Population,
    embeddings: Embeddings,
    predictions: Sequence[Predictions],
    neuron: Int64[np.ndarray, " units"],
) -> "pyarrow.Table":
    import pyarrow

    units, activity = len(population), population.activity
    text, number = pyarrow.string(), pyarrow.float32()
    place = np.full((units, 3), np.nan) if population.positions_um is None else population.positions_um
    group = [""] * units if population.group is None else population.group.tolist()
    counts = activity.counts().tolist() if isinstance(activity, Spikes) else [None] * units
    found = pyarrow.struct(
        [
            *(("label", text), ("predicted", text), ("probability", number)),
            *(("abstained", pyarrow.bool_()), ("reason", text)),
        ]
    )
    columns = {
        "recording": (text, [source] * units),
        "subject": (text, [population.subject_id or None] * units),
        "session": (text, [population.session_id or None] * units),
        "row": (pyarrow.int32(), range(units)),
        "unit_id": (text, map(str, population.unit_ids.tolist())),
        "group": (text, [str(name) or None for name in group]),
        "activity": (text, [activity.kind] * units),
        "encoder": (text, [embeddings.provenance.encoder] * units),
        "n_windows": (pyarrow.int32(), embeddings.n_windows.tolist()),
        "stability": (number, _list_finite(embeddings.stability)),
        "reason": (text, [why or None for why in embeddings.reasons.tolist()]),
        "spikes": (pyarrow.int64(), counts),
        "observed_s": (pyarrow.float64(), population.unit_duration_s().tolist()),
        "neuron": (pyarrow.int32(), neuron.tolist()),
        **{name: (number, _list_finite(place[:, axis])) for axis, name in enumerate(AXES)},
        "labels": (pyarrow.map_(text, text), _list_labels(population)),
        "predictions": (pyarrow.list_(found), _list_predictions(predictions, units)),
        "vector": (
            pyarrow.list_(number),
            [None if why else row.tolist() for row, why in zip(embeddings.vectors, embeddings.reasons, strict=True)],
        ),
    }
    about = asdict(embeddings.provenance)
    about["ids_are_numbers"] = population.unit_ids.dtype.kind in "iu"
    about["dim"] = embeddings.vectors.shape[1]
    return pyarrow.table(
        [pyarrow.array(list(values), kind) for kind, values in columns.values()],
        pyarrow.schema(
            [(name, kind) for name, (kind, _) in columns.items()], {PROVENANCE: json.dumps(about, default=list)}
        ),
    )


def _list_finite(values: np.ndarray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _list_labels(population: Population) -> list[list[tuple[str, str]]]:
    """List the known labels of each unit."""
    return [
        [(name, str(values[row])) for name, values in population.labels.items() if str(values[row])]
        for row in range(len(population))
    ]


def _list_predictions(predictions: Sequence[Predictions], units: int) -> list[list[dict[str, Any]]]:
    probability = [_list_finite(part.probability) for part in predictions]
    return [
        [
            {
                "label": part.label_name,
                "predicted": str(part.label[row]) or None,
                "probability": shares[row],
                "abstained": bool(part.abstained[row]),
                "reason": str(part.reasons[row]) or None,
            }
            for part, shares in zip(predictions, probability, strict=True)
        ]
        for row in range(units)
    ]


def _read_part(path: Path) -> StoredRecording:
    import pyarrow
    import pyarrow.parquet

    try:
        with limits.reading(path):
            table = pyarrow.parquet.read_table(path, partitioning=None)
        about = json.loads(table.schema.metadata[PROVENANCE])
        return _restore(table.to_pydict(), about, path)
    except NeuridError as error:
        raise UnreadableSource(f"{path} is damaged: {error} Remove it and embed the archive again.") from error
    except (OSError, pyarrow.ArrowException, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableSource(
            f"{path} is not a file of a dataset of vectors, or is damaged ({type(error).__name__}). Remove it and "
            "embed "
            "the archive again."
        ) from error


def _restore(columns: dict[str, list[Any]], about: dict[str, Any], path: Path) -> StoredRecording:
    """Restore the units of a file."""
    units, dim = len(columns["row"]), int(about.pop("dim"))
    ids = np.array(columns["unit_id"], dtype=np.int64 if about.pop("ids_are_numbers") else np.str_)
    if columns["row"] != list(range(units)):
        raise InvalidResults(f"the row numbers of {counted(units, 'unit')} are not 0, 1, 2, ...")
    provenance = Provenance(
        **{**about, "notes": tuple(about["notes"]), "dimensions": tuple(about["dimensions"])},
    )
    labels = [dict(each or ()) for each in columns["labels"]]
    names = sorted({name for each in labels for name in each})
    places = np.array([columns[name] for name in AXES], np.float32).T.reshape(units, 3)
    kind: Any = columns["activity"][0] if units else "spikes"
    population = Population(
        unit_ids=ids,
        activity=Spikes.of([np.empty(0)] * units)
        if kind == "spikes"
        else Traces(values=np.full((units, 1), np.nan, np.float32), rate_hz=1.0, kind=kind),
        observed_s=np.empty((0, 2)),
        group=_read_texts(columns["group"]) if any(columns["group"]) else None,
        positions_um=places if np.isfinite(places).any() else None,
        labels={name: np.array([each.get(name, "") for each in labels], np.str_) for name in names},
        subject_id=(columns["subject"][0] or "") if units else "",
        session_id=(columns["session"][0] or "") if units else "",
        source=columns["recording"][0] if units else str(path),
    )
    vectors = np.array([each if each is not None else [np.nan] * dim for each in columns["vector"]], np.float32)
    return StoredRecording(
        population=population,
        embeddings=Embeddings(
            vectors=vectors.reshape(units, dim),
            unit_ids=ids,
            n_windows=np.array(columns["n_windows"], np.int32),
            stability=np.array(columns["stability"], np.float32),
            reasons=_read_texts(columns["reason"]),
            provenance=provenance,
        ),
        predicted=_read_predictions(columns["predictions"]),
        spikes=np.array(columns["spikes"], np.int64) if kind == "spikes" else None,
        observed_s=np.array(columns["observed_s"], np.float64),
        neuron=np.array(columns["neuron"], np.int64),
        path=path,
    )


def _read_texts(values: Sequence[str | None]) -> np.ndarray:
    return np.array([value or "" for value in values], np.str_)


def _read_predictions(values: Sequence[Sequence[dict[str, Any]] | None]) -> dict[str, np.ndarray]:
    """Return the predicted label of each unit. If a label was predicted several times, the first prediction is used."""
    found: dict[str, list[str]] = {}
    for row, every in enumerate(values):
        for each in reversed(every or ()):
            labels = found.setdefault(each["label"], [""] * len(values))
            labels[row] = "" if each["abstained"] else each["predicted"] or ""
    return {name: np.array(labels, np.str_) for name, labels in found.items()}
