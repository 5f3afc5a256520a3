"""The models that are included in nwb-neurid, and the choice of the default model for a recording."""

from pathlib import Path
from urllib.parse import unquote

from nwb_neurid import registry
from nwb_neurid.contracts import EncoderSpec
from nwb_neurid.contracts.compatibility import takes_activity
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.folder import FOLDER as HEADS
from nwb_neurid.model.folder import read_description
from nwb_neurid.population import ACTIVITIES

FOLDER = Path(__file__).parent / "weights"


def list_bundled() -> list[str]:
    """List the names of the included models, which `nwb_neurid.load_model` accepts.

    A model is left out if its encoder is not installed. This happens in a checkout that was installed before the
    encoder existed.
    """
    installed = set(registry.encoders())
    names = sorted(path.parent.name for path in FOLDER.glob("*/model.json"))
    return [name for name in names if read_description(FOLDER / name).encoder in installed]


def read_spec(name: str) -> EncoderSpec:
    """Read the spec of an included model from its description, without loading weights."""
    about = read_description(FOLDER / name)
    return registry.encoders().load(about.encoder).spec_for(about.config)


def list_labels(name: str) -> list[str]:
    """List the labels that an included model predicts."""
    return sorted(unquote(path.stem) for path in (FOLDER / name / HEADS).glob("*.json"))


def is_on_request(name: str) -> bool:
    """Return whether an included model is used only on request, for example because it is meant for one species.

    A recording need not state its species, so `embed` uses such a model only if `--model` names it.
    """
    return bool(read_description(FOLDER / name).details.get("on_request"))


def find_model_folder(model: str | Path) -> Path:
    """Find the folder of a model: the path itself, or the folder of the included model with this name."""
    return FOLDER / model if str(model) in list_bundled() and not Path(model).exists() else Path(model)


def list_with_heads(activity: str) -> list[str]:
    """List the included models that have label heads and accept a kind of activity. `embed` applies them by default.

    Models that are used only on request are left out (see `is_on_request`).
    """
    return [
        name
        for name in list_bundled()
        if list_labels(name) and takes_activity(read_spec(name), activity) and not is_on_request(name)
    ]


def choose_bundled(activity: str) -> str:
    """Choose the included model for a kind of activity: the first in alphabetical order without label heads.

    Raises
    ------
    InvalidOption
        If there is no such model.
    """
    specs = {name: read_spec(name) for name in list_bundled() if not list_labels(name)}
    for name, spec in specs.items():
        if takes_activity(spec, activity):
            return name
    known = sorted(kind for kind in ACTIVITIES if any(takes_activity(spec, kind) for spec in specs.values()))
    raise InvalidOption(
        f"No model ships for {activity}, only for {' and '.join(known)}. Choose an encoder (--encoder) or a model "
        "(--model) for it."
    )
