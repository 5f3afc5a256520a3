"""Model folders: `model.json`, `weights.safetensors`, `README.md`.

A model folder contains no pickled objects, and reading it runs no code from the folder.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from nwb_neurid._system.arrays import hash_arrays, pack_arrays, read_arrays
from nwb_neurid._system.file_sets import find_file, finish, has_set, write_files
from nwb_neurid._system.files import read_versioned
from nwb_neurid._system.lock import is_hidden, lock
from nwb_neurid.contracts import EncoderSpec
from nwb_neurid.errors import CannotWrite, InvalidModel, WrongWeights
from nwb_neurid.results import Json

FORMAT = 1
ABOUT = "model.json"
WEIGHTS = "weights.safetensors"
HEADS = ("heads/*.json", "heads/*.safetensors")
CHECKPOINT = "checkpoint.safetensors"
"""The state of an unfinished training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Content of `model.json`.

    Parameters
    ----------
    encoder, encoder_version, distribution
        The encoder with its version, and the distribution that provides it.
    config
        Config. The encoder is rebuilt from the config and the weights.
    training
        Description of the training data, in words.
    details
        The same information in numbers.
    weights_sha256
        Hash of the weights; "" if there are no weights.
    software
        Versions of the software that made the model.
    """

    encoder: str
    encoder_version: str
    distribution: str
    config: dict[str, Json]
    training: str
    details: dict[str, Json] = field(default_factory=dict)
    weights_sha256: str
    software: dict[str, str]


NAMES = {"hours": "hours of recordings", "seconds": "seconds of training", "loss": "mean loss over the last 50 steps"}
"""How the model card calls details of a training."""


def describe_card(about: Description, spec: EncoderSpec, dim: int, heads: Iterable[str] = ()) -> str:
    """Compose the model card in Markdown, including the given lines about the label heads."""
    predicted = list(heads)
    names = [NAMES.get(name, name.replace("_", " ")) for name in about.details]
    values = map(_spell, about.details.values())
    training = [f"- {name[:1].upper()}{name[1:]}: {value}" for name, value in zip(names, values, strict=True)]
    lines = [
        f"# Model of the encoder {spec.name}, version {spec.version}",
        "",
        spec.summary,
        "",
        f"- Accepted activity: {', '.join(sorted(spec.accepts))}",
        f"- Vectors: {dim} dimensions",
        f"- Training: {about.training or 'none needed'}",
        f"- Weights (SHA-256): {about.weights_sha256 or 'none'}",
        f"- Package that provides the encoder: {about.distribution or 'unknown'}",
        f"- Citation: {spec.citation or 'not stated'}",
        "",
        *(["## Training", "", *training, ""] if training else []),
        *(["## Labels that the model predicts", "", *predicted] if predicted else []),
        "## Configuration",
        "",
        "```json",
        json.dumps(about.config, indent=2),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _spell(value: Json) -> str:
    """Spell a value in words."""
    if isinstance(value, Mapping):
        return "; ".join(
            f"{name} ({_spell(each)})" if isinstance(each, Mapping) else f"{name}: {_spell(each)}"
            for name, each in value.items()
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_spell, value)) or "none"
    return {True: "yes", False: "no", None: "not stated"}[value] if isinstance(value, bool | None) else str(value)


def write_folder(
    folder: Path,
    about: Description,
    card: str,
    state: Mapping[str, np.ndarray],
    *,
    overwrite: bool,
    others: Mapping[str, bytes] | None = None,
    like: Sequence[Path] = (),
) -> None:
    """Write a model folder. If writing fails, no new folder is left behind, and an existing folder is unchanged.

    In an existing folder, all files of the model are replaced at the same time. Other files stay.

    Parameters
    ----------
    folder
        The folder.
    about, card, state
        The content of `model.json`, `README.md` and `weights.safetensors`.
    overwrite
        Whether an existing model may be replaced.
    others
        Further files, by their paths in the folder.
    like
        The recordings from which the model was made. The folder gets the same limits on read permissions as these
        recordings.

    Raises
    ------
    CannotWrite
        If the folder exists and `overwrite` is False, is not a model folder, or cannot be written.
    """
    folder = folder.resolve()  # through links, and `.` gets its name
    files = {
        WEIGHTS: pack_arrays(state),
        ABOUT: (json.dumps({"format": FORMAT, **asdict(about)}, indent=2) + "\n").encode(),
        "README.md": card.encode(),
        **(others or {}),
    }
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with lock(folder):
            if folder.is_dir():
                finish(folder, ABOUT, own=HEADS)
            check_free(folder, overwrite=overwrite)
            with write_files(folder, ABOUT, own=HEADS, like=like) as made:
                for name, content in files.items():
                    (made / name).parent.mkdir(exist_ok=True)
                    (made / name).write_bytes(content)
    except OSError as error:
        raise CannotWrite(f"The model cannot be written to {folder}: {error.strerror or error}.") from error


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder to which a model cannot be written.

    Raises
    ------
    CannotWrite
        If the folder exists and `overwrite` is False, or if it is not a model folder.
    """
    if folder.exists() and not overwrite:
        raise CannotWrite(f"{folder} exists. Choose another folder, or overwrite it (--overwrite).")
    if folder.exists() and not is_ours(folder):
        raise CannotWrite(f"{folder} exists and is not a model folder, so it is not overwritten. Choose another.")


def is_ours(folder: Path) -> bool:
    """Return whether a folder contains a model, a checkpoint of a training, or only files of a killed process."""
    if not folder.is_dir():
        return False
    if has_set(folder, ABOUT) or (folder / CHECKPOINT).is_file():
        return True
    inside = [each.name for each in folder.iterdir()]
    return bool(inside) and all(map(is_hidden, inside))


def read_description(folder: Path) -> Description:
    """Read `model.json`, and check its format and the types of its values.

    Raises
    ------
    InvalidModel
        If the file is missing or damaged, or has another format.
    """
    path = find_file(folder, ABOUT, ABOUT)
    if not path.exists():
        raise InvalidModel(f"{folder} is not a model folder: it has no model.json.")
    about = {"details": {}, **read_versioned(path, FORMAT)}  # folders of 0.1.0 have no details
    for part in fields(Description):
        wanted = dict if part.name in {"config", "details", "software"} else str
        if not isinstance(about.get(part.name), wanted):
            raise InvalidModel(
                f"{path} must have {part.name!r} as {wanted.__name__}, got {about.get(part.name)!r:.60}."
            )
    return Description(**{part.name: about[part.name] for part in fields(Description)})


@contextmanager
def explain_misfit(about: Description, folder: Path) -> Iterator[None]:
    """Add the folder, and advice, to an error about weights that do not fit the encoder.

    Raises
    ------
    WrongWeights
        If the encoder raises this error.
    """
    try:
        yield
    except WrongWeights as error:
        raise WrongWeights(
            f"{folder} cannot be used with the installed version of encoder {about.encoder!r}. {error}\n  Train the "
            f"model again, or install the package that made it: {about.distribution or 'not recorded'}."
        ) from error


def read_weights(folder: Path, expected_sha256: str) -> dict[str, np.ndarray]:
    """Read the weights, and check that their checksum is the one in the description.

    Raises
    ------
    WrongWeights
        If the weights are missing or damaged, or have another checksum.
    """
    path = find_file(folder, ABOUT, WEIGHTS)
    state = read_arrays(path)
    if (got := hash_arrays(state)) != expected_sha256:
        raise WrongWeights(
            f"{path} does not match model.json: SHA-256 {got or 'of no weights'}, "
            f"expected {expected_sha256 or 'no weights'}."
        )
    return state
