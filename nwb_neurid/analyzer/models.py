"""Find the model that the parameters of an extension specify."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nwb_neurid.contracts import DEVICES
from nwb_neurid.errors import InvalidOption, WrongWeights
from nwb_neurid.model.bundled import choose_bundled, find_model_folder
from nwb_neurid.model.folder import read_description
from nwb_neurid.model.making import load_model, new_model
from nwb_neurid.model.model import Model
from nwb_neurid.registry import default_encoder


def check_parameters(extension: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Check that the extension has all these parameters.

    Raises
    ------
    InvalidOption
        If the extension lacks one of these parameters.
    """
    if unknown := [name for name in given if name not in known]:
        raise InvalidOption(
            f"{extension} has no parameter {', '.join(map(repr, unknown))}. Its parameters: {', '.join(known)}. "
            "Saved results were not changed."
        )


def check_model(model: Any = "", device: str = "auto", weights_sha256: str | None = None, **_: Any) -> None:
    """Check the parameters of a model before anything is loaded.

    Parameters of results that were already computed are accepted, because copying results needs no model. Such
    parameters contain a hash.

    Raises
    ------
    InvalidOption, InvalidModel
        If the model or the device does not exist.
    """
    if not isinstance(model, Model | str | Path):
        raise InvalidOption(f"model must be a Model or the folder of one, got {type(model).__name__}.")
    if device not in DEVICES:
        raise InvalidOption(f"device must be one of {', '.join(DEVICES)}, got {device!r}.")
    if not isinstance(model, Model) and str(model) and weights_sha256 is None:
        read_description(find_model_folder(model))


def names_model(params: Mapping[str, Any]) -> bool:
    """Whether the parameters specify a model or an encoder."""
    return bool(params["model"] != "" or params["encoder"] or params["preset"] or params["untrained"])


def fill_default(params: Mapping[str, Any]) -> dict[str, Any]:
    """Add the default model if the parameters specify neither a model nor an encoder."""
    return dict(params) if names_model(params) else {**params, "model": choose_bundled("spikes")}


def build_model(
    *,
    model: Model | str | Path,
    encoder: str,
    preset: str | None,
    untrained: bool,
    seed: int,
    device: str,
    weights_sha256: str | None,
) -> Model:
    """Load or build the model that the parameters specify.

    Raises
    ------
    InvalidOption
        If the parameters contradict one another.
    WrongWeights
        If the hash of the weights of the model is not `weights_sha256`.
    NeuridError
        As for `nwb_neurid.load_model` and `nwb_neurid.new_model`.
    """
    if isinstance(model, Model):
        found = model
    elif str(model):
        found = load_model(model, device=device)
    elif encoder:
        found = new_model(encoder, preset=preset, untrained=untrained, seed=seed, device=device)
    else:
        some = default_encoder("training")
        raise InvalidOption(f'preset and untrained need an encoder: pass one as well, such as encoder="{some}".')
    if encoder and encoder.partition("@")[0] != found.name:
        raise InvalidOption(f"The model was made with encoder {found.name!r}, not {encoder!r}. Leave out encoder.")
    if weights_sha256 is not None and weights_sha256 != found.weights_sha256:
        raise WrongWeights(
            f"The weights of the model have SHA-256 {found.weights_sha256 or 'none'!r}, expected "
            f"{weights_sha256 or 'none'!r}. Pass the model that these results were computed with."
        )
    return found
