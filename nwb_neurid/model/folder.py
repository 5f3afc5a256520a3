"""The folder that a model is kept in: `model.json`, `weights.safetensors`, `README.md`.

Nothing in it is pickled, and reading it runs no code from it.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from nwb_neurid._system.arrays import hash_arrays, pack_arrays, read_arrays
from nwb_neurid._system.files import read_json
from nwb_neurid.contracts import EncoderSpec
from nwb_neurid.errors import CannotWrite, InvalidModel, WrongWeights
from nwb_neurid.results import Json

FORMAT = 1
WEIGHTS = "weights.safetensors"
CHECKPOINT = "checkpoint.safetensors"
"""The state of a training that is not finished."""

KNOWN = ("model.json", CHECKPOINT)
"""A folder with one of these is ours to overwrite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What `model.json` says.

    Parameters
    ----------
    encoder, encoder_version, distribution
        The encoder, and the distribution that provides it, with its version.
    config
        What the encoder is rebuilt from, with the weights.
    training
        What it was trained on, in words.
    details
        The same in numbers.
    weights_sha256
        Hash of the weights; "" where there are none.
    software
        Versions of what made it.
    """

    encoder: str
    encoder_version: str
    distribution: str
    config: dict[str, Json]
    training: str
    details: dict[str, Json] = field(default_factory=dict)
    weights_sha256: str
    software: dict[str, str]


def describe_card(about: Description, spec: EncoderSpec, dim: int, heads: Iterable[str] = ()) -> str:
    """The model card, in Markdown, with these lines on the label heads."""
    predicted = list(heads)
    lines = [
        f"# {spec.name} {spec.version}",
        "",
        spec.summary,
        "",
        f"- Takes: {', '.join(sorted(spec.accepts))}",
        f"- Vector: {dim} dimensions",
        f"- Training: {about.training or 'nothing to learn'}",
        f"- Weights (SHA-256): {about.weights_sha256 or 'none'}",
        f"- Encoder from: {about.distribution or 'unknown'}",
        f"- Cite: {spec.citation or 'nothing stated'}",
        "",
        *_format_section("Training", about.details),
        *(["## Labels that it predicts", "", *predicted] if predicted else []),
        "## Configuration",
        "",
        "```json",
        json.dumps(about.config, indent=2),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _format_section(title: str, details: Mapping[str, Json]) -> list[str]:
    """A section of the card, with nested values as JSON; nothing where there is nothing to tell."""
    if not details:
        return []
    return [f"## {title}", "", *(f"- {name}: {json.dumps(value)}" for name, value in details.items()), ""]


def write_folder(
    folder: Path,
    about: Description,
    card: str,
    state: Mapping[str, np.ndarray],
    *,
    overwrite: bool,
    others: Mapping[str, bytes] | None = None,
) -> None:
    """Write a model folder; a failed write leaves none behind, and an old one as it was.

    `others` are further files, by their paths in the folder.

    Raises
    ------
    CannotWrite
        If the folder exists and is not to be overwritten, is no model folder, or cannot be written.
    """
    folder = folder.resolve()  # through links, and `.` gets its name
    if folder.exists() and not overwrite:
        raise CannotWrite(f"{folder} exists. Choose another folder, or overwrite it (--overwrite).")
    if folder.exists() and not any((folder / name).is_file() for name in KNOWN):
        raise CannotWrite(f"{folder} exists and is not a model folder, so it is not overwritten. Choose another.")
    partial = folder.with_name(f".{folder.name}.neurid-partial")
    old = folder.with_name(f".{folder.name}.neurid-old")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        (partial / WEIGHTS).write_bytes(pack_arrays(state))
        (partial / "model.json").write_text(
            json.dumps({"format": FORMAT, **asdict(about)}, indent=2) + "\n", encoding="utf-8"
        )
        (partial / "README.md").write_text(card, encoding="utf-8")
        for name, content in (others or {}).items():
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_bytes(content)
        if folder.exists():
            for other in folder.iterdir():  # what else is kept there stays
                if other.is_file() and not (partial / other.name).exists():
                    shutil.copy2(other, partial)
            shutil.rmtree(old, ignore_errors=True)
            folder.replace(old)
        partial.replace(folder)
    except OSError as error:
        raise CannotWrite(f"The model cannot be written to {folder}: {error.strerror or error}.") from error
    finally:
        if old.exists() and not folder.exists():
            old.replace(folder)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def read_description(folder: Path) -> Description:
    """What `model.json` says, its format and the types of its values checked.

    Raises
    ------
    InvalidModel
        If it is missing, damaged, or of another format.
    """
    path = folder / "model.json"
    if not path.exists():
        raise InvalidModel(f"{folder} is not a model folder: it has no model.json.")
    try:
        about = read_json(path)
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise InvalidModel(f"{path} is not JSON: {error}.") from error
    if isinstance(about, dict):
        about.setdefault("details", {})  # folders of 0.1.0 have none
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        got = repr(about.get("format")) if isinstance(about, dict) else type(about).__name__
        raise InvalidModel(f"{path} must have format {FORMAT}, got {got:.60}. A newer nwb-neurid may read it.")
    for part in fields(Description):
        wanted = dict if part.name in {"config", "details", "software"} else str
        if not isinstance(about.get(part.name), wanted):
            raise InvalidModel(
                f"{path} must have {part.name!r} as {wanted.__name__}, got {about.get(part.name)!r:.60}."
            )
    return Description(**{part.name: about[part.name] for part in fields(Description)})


@contextmanager
def explain_misfit(about: Description, folder: Path) -> Iterator[None]:
    """Weights that do not fit the encoder are told with their folder, and what to do.

    Raises
    ------
    WrongWeights
        As the encoder does.
    """
    try:
        yield
    except WrongWeights as error:
        raise WrongWeights(
            f"{folder} cannot be used with encoder {about.encoder!r} as it is installed. {error}\n"
            f"Train it anew, or install what made it: {about.distribution or 'it does not say what'}."
        ) from error


def read_weights(folder: Path, expected_sha256: str) -> dict[str, np.ndarray]:
    """The weights, if they are those that the description names.

    Raises
    ------
    WrongWeights
        If they are missing, damaged or others.
    """
    path = folder / WEIGHTS
    state = read_arrays(path)
    if (got := hash_arrays(state)) != expected_sha256:
        raise WrongWeights(
            f"{path} is not what model.json describes: SHA-256 {got or 'of no weights'}, "
            f"expected {expected_sha256 or 'no weights'}."
        )
    return state
