"""Find the model that a user selects: an object, a folder, an included model, or an encoder without training."""

from dataclasses import dataclass
from pathlib import Path

from nwb_neurid import registry
from nwb_neurid.errors import UntrainedEncoder
from nwb_neurid.model.making import load_model, new_model
from nwb_neurid.model.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """The model that a user selects, as plain values from which every process builds the same model.

    Parameters
    ----------
    folder
        A model folder, or the name of an included model.
    encoder
        An installed encoder, instead of a model.
    preset, untrained, seed
        As for `nwb_neurid.new_model`.
    device
        The device: "auto", "cpu" or "cuda".
    """

    folder: str | None = None
    encoder: str | None = None
    preset: str | None = None
    untrained: bool = False
    seed: int = 0
    device: str = "auto"

    def build(self) -> Model | None:
        """Build the model.

        Return None if each recording should be embedded with the included model for its kind of activity.

        Raises
        ------
        NeuridError
            If the model does not exist.
        """
        if self.folder is not None:
            return load_model(self.folder, device=self.device)
        if self.encoder is None:
            return None
        return new_model(self.encoder, preset=self.preset, untrained=self.untrained, seed=self.seed, device=self.device)


def resolve_model(model: Model | str | Path, *, device: str = "auto") -> Model:
    """Return a model: the given object, the model in a folder, or a new model with an encoder that needs no training.

    Parameters
    ----------
    model
        A model, the path of its folder, the name of an included model, or the name of an installed encoder.
    device
        The device, if the model is given by a folder or a name: "auto", "cpu" or "cuda".

    Returns
    -------
    Model
        The model, ready to embed.

    Raises
    ------
    InvalidModel
        If `model` is neither a folder with a model nor the name of a model or an encoder.
    UntrainedEncoder
        If `model` is the name of an encoder that needs training.

    Examples
    --------
    >>> resolve_model("isi").name
    'isi'
    """
    if isinstance(model, Model):
        return model
    if not names_encoder(model):
        return load_model(model, device=device)
    try:
        return new_model(str(model), device=device)
    except UntrainedEncoder:
        raise UntrainedEncoder(
            f"Encoder {str(model)!r} needs training: pass the folder of a trained model instead, as nwb-neurid train "
            "writes it."
        ) from None


def names_encoder(model: str | Path) -> bool:
    """Return whether this is the name of an installed encoder, and not a folder with a model."""
    return not (Path(model) / "model.json").is_file() and str(model) in registry.encoders()
