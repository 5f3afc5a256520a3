"""Functions that make models: from an installed encoder, from a published checkpoint, or from a model folder."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nwb_neurid import registry
from nwb_neurid._system import limits
from nwb_neurid.contracts import DEVICES, Config, EncoderPlugin, State
from nwb_neurid.contracts.attribution import attribute_errors, name_plugin
from nwb_neurid.errors import InvalidModel, InvalidOption, UnknownPlugin, UntrainedEncoder
from nwb_neurid.labels.folder import read_heads
from nwb_neurid.model.bundled import find_model_folder
from nwb_neurid.model.folder import explain_misfit, read_description, read_weights
from nwb_neurid.model.model import Model
from nwb_neurid.results import UNTRAINED, Json


def new_model(
    encoder: str, *, preset: str | None = None, untrained: bool = False, seed: int = 0, device: str = "auto"
) -> Model:
    """Make a model from an installed encoder, without trained weights.

    Parameters
    ----------
    encoder
        Name of the encoder, or `name@distribution`.
    preset
        Name of a preset of the encoder. By default, its first preset is used.
    untrained
        Accept random weights. This is required if the encoder learns.
    seed
        Random seed of the weights.
    device
        "auto" (a GPU if there is one), "cpu" or "cuda".

    Returns
    -------
    Model
        The model, ready to embed.

    Raises
    ------
    UntrainedEncoder
        If the encoder learns and `untrained` is not set.
    InvalidOption
        If the preset or the device does not exist.
    UnknownPlugin, DuplicatePlugin, BrokenPlugin, IncompatiblePlugin
        If the encoder cannot be loaded.

    Examples
    --------
    >>> new_model("isi").encoder.dim
    53
    >>> new_model("nuclr", preset="small", untrained=True, device="cpu").spec.min_observed_s
    10.0
    """
    encoders = registry.encoders()
    plugin = encoders.load(encoder)
    config = plugin.presets.get(preset or next(iter(plugin.presets)))
    if config is None:
        raise InvalidOption(f"Encoder {encoder!r} has no preset {preset!r}. It has: {', '.join(plugin.presets)}.")
    state: State = {}
    training = ""
    if plugin.initial_state is not None:
        if not untrained:
            raise UntrainedEncoder(
                f"Encoder {encoder!r} needs a trained model, and none was given. Choose one (--model FOLDER), or use "
                "random weights (--untrained), whose vectors mean little."
            )
        with attribute_errors(
            lambda: name_plugin("Encoder", encoder, encoders.distribution(encoder)), "failed to make weights"
        ):
            state, training = plugin.initial_state(config, seed), f"{UNTRAINED}, seed {seed}"
    return _build(plugin, config, state, device, training, encoders.distribution(encoder))


def import_model(encoder: str, checkpoint: Path, settings: Mapping[str, Json]) -> Model:
    """Make a model from a checkpoint that the original code of the method saved. Code in the checkpoint is never run.

    Parameters
    ----------
    encoder
        Name of the encoder.
    checkpoint
        The checkpoint file.
    settings
        Settings of the encoder that the checkpoint does not contain, or that replace the settings in the checkpoint.

    Returns
    -------
    Model
        The model, on the CPU. `Model.save` writes it to a folder.

    Raises
    ------
    InvalidOption
        If the encoder cannot import checkpoints.
    WrongWeights, InvalidModel
        If the checkpoint does not contain everything that the encoder needs.

    Examples
    --------
    >>> from safetensors.numpy import save_file
    >>> weights = new_model("nuclr", preset="base", untrained=True, device="cpu").encoder.state()
    >>> save_file(dict(weights), "checkpoint.safetensors")
    >>> import_model("nuclr", Path("checkpoint.safetensors"), {}).encoder.dim
    256
    """
    encoders = registry.encoders()
    plugin = encoders.load(encoder)
    if plugin.import_checkpoint is None:
        raise InvalidOption(f"Encoder {encoder!r} has no checkpoints to import.")
    who = encoders.distribution(encoder)
    with (
        limits.reading(checkpoint),
        attribute_errors(lambda: name_plugin("Encoder", encoder, who), f"failed on {checkpoint}"),
    ):
        config, state = plugin.import_checkpoint(checkpoint, settings)
    training = f"imported from {checkpoint.name}, which does not state what it was trained on"
    return _build(plugin, config, state, "cpu", training, encoders.distribution(encoder))


def load_model(folder: str | Path, *, device: str = "auto") -> Model:
    """Load a model from its folder, or load an included model.

    Parameters
    ----------
    folder
        The model folder, or the name of an included model, such as "company-spikes" or "default-calcium".
    device
        "auto" (a GPU if there is one), "cpu" or "cuda".

    Returns
    -------
    Model
        The model with its label heads, ready to embed.

    Raises
    ------
    InvalidModel
        If the folder is not a model folder, or its format or encoder is not supported.
    WrongWeights
        If the weights of the encoder or of a label head are damaged, or do not fit the encoder or the label head.

    Examples
    --------
    >>> load_model("default-spikes", device="cpu").name
    'neurpir'
    """
    folder = find_model_folder(folder)
    with limits.reading(folder):
        about = read_description(folder)
    encoders = registry.encoders()
    exact = f"{about.encoder}@{about.distribution.partition(' ')[0]}"
    name = exact if exact in encoders else about.encoder  # listed so where several distributions provide it
    try:
        plugin = encoders.load(name)
    except UnknownPlugin as error:
        needed = about.distribution or "a package that the model does not name"
        raise InvalidModel(
            f"{folder} needs encoder {name!r}, which comes with {needed}: install that. {error}"
        ) from None
    with limits.reading(folder):
        state, heads = read_weights(folder, about.weights_sha256), read_heads(folder)
    with explain_misfit(about, folder):
        built = _build(plugin, about.config, state, device, about.training, encoders.distribution(name))
    return replace(built, details=about.details, heads=heads)


def _build(plugin: EncoderPlugin, config: Config, state: State, device: str, training: str, distribution: str) -> Model:
    """Make a model of these parts. The device is checked here, because some encoders do not use it."""
    if device not in DEVICES:
        raise InvalidOption(f"device must be one of {', '.join(DEVICES)}, got {device!r}.")
    with attribute_errors(lambda: name_plugin("Encoder", plugin.spec.name, distribution), "failed while it was built"):
        encoder = plugin.build(config, state, device)
    return Model(encoder=encoder, plugin=plugin, training=training, distribution=distribution, device=device)
