"""The model that a user means: as it is, a folder, one that ships, or an encoder that needs no training."""

from dataclasses import dataclass
from pathlib import Path

from nwb_neurid import registry
from nwb_neurid.errors import UntrainedEncoder
from nwb_neurid.model.making import load_model, new_model
from nwb_neurid.model.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Which model a user asks for, as plain values from which every process builds the same.

    Parameters
    ----------
    folder
        A model folder, or the name of a model that ships.
    encoder
        An installed encoder in place of a model.
    preset, untrained, seed
        As for `nwb_neurid.new_model`.
    device
        What it is built for: "auto", "cpu" or "cuda".
    """

    folder: str | None = None
    encoder: str | None = None
    preset: str | None = None
    untrained: bool = False
    seed: int = 0
    device: str = "auto"

    def build(self) -> Model | None:
        """Build it; None for the model that ships for what each recording holds.

        Raises
        ------
        NeuridError
            If there is no such model.
        """
        if self.folder is not None:
            return load_model(self.folder, device=self.device)
        if self.encoder is None:
            return None
        return new_model(self.encoder, preset=self.preset, untrained=self.untrained, seed=self.seed, device=self.device)


def resolve_model(model: Model | str | Path, *, device: str = "auto") -> Model:
    """A model as it is, that of a folder, or a new one of an encoder that needs no training.

    Parameters
    ----------
    model
        A model, the path of its folder, the name of a model that ships, or the name of an installed encoder.
    device
        What a model is built for that is not built yet: "auto", "cpu" or "cuda".

    Returns
    -------
    Model
        Ready to embed.

    Raises
    ------
    InvalidModel
        If it is neither a folder with a model nor the name of a model or an encoder.
    UntrainedEncoder
        If it is an encoder that learns.

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
            f"Encoder {str(model)!r} learns: name the folder of a model instead, as nwb-neurid train writes it."
        ) from None


def names_encoder(model: str | Path) -> bool:
    """Whether this names an installed encoder rather than a folder with a model."""
    return not (Path(model) / "model.json").is_file() and str(model) in registry.encoders()
