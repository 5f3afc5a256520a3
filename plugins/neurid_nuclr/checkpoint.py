"""Weights of a network. They are checked against its config, or read from checkpoints of the authors' code."""

import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurid_nuclr.config import FRAME_S, NetworkConfig
from nwb_neurid.contracts import Config, State
from nwb_neurid.errors import InvalidModel, WrongWeights
from nwb_neurid.results import Json

if TYPE_CHECKING:
    import neurid_nuclr.network

DROPOUT = 0.2
"""Dropout of the authors, which is used if a checkpoint does not state it."""

_WRAPPERS = re.compile(r"^((module|_orig_mod|model)\.)+")
_OTHER_PARTS = re.compile(r"^(projector|loss)\.")
_SIZED_BY = {"read_in.weight": 2, "rotary_emb.omega": 1, "t_blocks.0.0.to_qkv.weight": 2}  # name: number of axes
_SETTINGS_TREE = re.compile(  # names in pickles of OmegaConf, with which the authors store settings
    r"omegaconf\..*|typing\.Any|collections\.defaultdict|pathlib\..*Path|builtins\.(bool|dict|float|int|list|str)"
)


def load_network(
    config: Config, state: State, device: str = "cpu", *, origin: str = "The weights"
) -> "neurid_nuclr.network.Network":
    """Make the network of a config with these weights, ready to embed.

    Parameters
    ----------
    config
        A config for `NetworkConfig.from_json`.
    state
        Arrays with the authors' names.
    device
        The device for the network.
    origin
        The source of the weights, for the message.

    Raises
    ------
    InvalidModel
        If the config is not the config of a network.
    WrongWeights
        If weights are missing, unexpected, of another shape or not finite. The message lists all faults.
    """
    from neurid_nuclr.network import Network
    from nwb_neurid.training import with_weights

    checked = NetworkConfig.from_json(config)
    return with_weights(lambda: Network(checked), state, owner="the NuCLR network", origin=origin, device=device)


def read_checkpoint(path: Path, settings: Config) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
    """Read a checkpoint of the authors' code. No code in the checkpoint is run.

    Parameters
    ----------
    path
        The file that their trainer wrote, its `model_state_dict` alone, or the latter as safetensors.
    settings
        Entries of the config that override those of the checkpoint.

    Returns
    -------
    config, state
        The arguments of `load_network`.

    Raises
    ------
    WrongWeights
        If there is no checkpoint, it cannot be read without running code, or its weights are not exactly those of an
        encoder of binned activity.
    InvalidModel
        If neither the checkpoint nor the settings state the activity on which it was trained, or the settings are not
        valid.
    """
    content = _load(path)
    tensors = _as_mapping(content.get("model_state_dict", content))
    _check_size(path, tensors)
    state = _select_encoder(tensors)
    lacking = [name for name, axes in _SIZED_BY.items() if np.ndim(state.get(name, 0)) != axes]
    if lacking:
        raise WrongWeights(f"{path} holds no NuCLR encoder of binned activity: it lacks {', '.join(lacking)}.")
    try:
        stored = _as_mapping(_as_mapping(_simplify(content.get("cfg"))).get("model"))
    except RecursionError:
        raise WrongWeights(f"{path} is damaged: its settings are nested too deep.") from None
    sizes = _infer_sizes(state)
    recorded = _infer_activity(sizes["patch"], stored)
    if settings.get("activity", recorded.get("activity")) != recorded.get("activity"):
        recorded = {}
    config = {**sizes, **recorded, "dropout": stored.get("lin_dropout", DROPOUT), **settings}
    if "activity" not in config or not {"bin_s", "rate_hz"} & config.keys():
        raise InvalidModel(
            f"{path} does not state whether its tokens are {sizes['patch']} bins or {sizes['patch']} frames long. "
            "Set activity to 'spikes' and bin_s to the seconds of a bin, or activity to 'dff' and rate_hz to "
            "the frames a second."
        )
    load_network(config, state, origin=f"The weights of {path}")
    return config, state


def _load(path: Path) -> Mapping[Any, Any]:
    """Load the content of a checkpoint: tensors, plain values, and replacements of settings."""
    from safetensors.torch import load_file

    if not path.is_file():
        raise WrongWeights(f"There is no file {path}.")
    try:
        return _as_mapping(load_file(path) if path.suffix == ".safetensors" else _unpickle(path))
    except WrongWeights:
        raise
    except Exception as error:  # damaged or unrelated files cause many kinds of errors
        raise WrongWeights(
            f"{path} is damaged, or written neither by torch.save nor as safetensors ({type(error).__name__})."
        ) from error


def _check_size(path: Path, tensors: Mapping[Any, Any]) -> None:
    """Refuse tensors that share memory, because as arrays they could need any amount of memory."""
    needed = sum(value.nelement() * value.element_size() for value in tensors.values() if hasattr(value, "detach"))
    if needed > path.stat().st_size:
        raise WrongWeights(
            f"{path} has {path.stat().st_size} bytes, but its tensors would take {needed}: it is damaged."
        )


def _check_archive(path: Path) -> None:
    """Refuse an archive whose unpacked size is larger than the file. torch.save does not compress."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > path.stat().st_size:
            raise WrongWeights(
                f"{path} has {path.stat().st_size} bytes and unpacks to {unpacked}: it was not written by torch.save."
            )


def _unpickle(path: Path) -> object:
    """Load a file of `torch.save` without running any code. The classes that it names are not even imported."""
    import torch
    from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

    _check_archive(path)
    named = get_unsafe_globals_in_checkpoint(path)
    foreign = [name for name in named if not _SETTINGS_TREE.fullmatch(name)]
    if foreign:
        raise WrongWeights(
            f"{path} holds objects that could run code when read: {', '.join(sorted(foreign))}. Where it comes from, "
            "save only its weights: torch.save(checkpoint['model_state_dict'], 'weights.pt'), or as safetensors."
        )
    with safe_globals([(_StandIn, name) for name in named]):
        return torch.load(path, map_location="cpu", weights_only=True)


class _StandIn:
    """Replacement of an object in a pickle. It only stores attributes."""

    def __init__(self, *_: object) -> None: ...


def _simplify(node: Any) -> Any:
    """Convert a tree of settings that OmegaConf built to plain values."""
    if isinstance(node, _StandIn):
        return _simplify(vars(node).get("_content", vars(node).get("_val")))
    return {key: _simplify(value) for key, value in node.items()} if isinstance(node, dict) else node


def _as_mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _select_encoder(tensors: Mapping[Any, Any]) -> dict[str, np.ndarray]:
    """Select the arrays of the encoder, and remove the prefixes of wrappers from their names."""
    names = {name: _WRAPPERS.sub("", str(name)) for name, value in tensors.items() if hasattr(value, "detach")}
    return {own: tensors[name].detach().float().numpy() for name, own in names.items() if not _OTHER_PARTS.match(own)}


def _infer_sizes(state: State) -> dict[str, Any]:
    """Infer sizes from shapes and names of the weights, and from the longest rotary period, which is 8 windows."""
    dim, patch = state["read_in.weight"].shape
    omega = state["rotary_emb.omega"]
    dim_head = 2 * len(omega)
    return {
        "patch": patch,
        "tokens": round(2 * math.pi / omega[omega > 0].min(initial=np.inf).item() / 8),
        "dim": dim,
        "heads": len(state["t_blocks.0.0.to_qkv.weight"]) // max(3 * dim_head, 1),
        "dim_head": dim_head,
        "temporal_blocks": _count_blocks("t_blocks", state),
        "spatiotemporal_blocks": _count_blocks("st_blocks", state),
    }


def _count_blocks(blocks: str, state: State) -> int:
    return len({name.split(".")[1] for name in state if name.startswith(f"{blocks}.")})


def _infer_activity(patch: int, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Infer the kind of activity of the authors' models from the settings, or otherwise from the size of patches."""
    if "patch_size" in stored or (patch == 4 and "bin_size" not in stored):
        return {"activity": "dff", "rate_hz": 1 / FRAME_S}
    if "bin_size" in stored or patch == 50:
        return {"activity": "spikes", "bin_s": stored.get("bin_size", 0.02)}
    return {}
