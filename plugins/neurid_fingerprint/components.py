"""The networks: a linear autoencoder for each input, trained without labels, and standardisation of the measures.

A linear autoencoder with minimal reconstruction error spans the leading principal components. It is trained by
orthogonal iteration. Each step multiplies the decoder by the covariance of the input and orthogonalises it. At the end,
the code is rotated to principal components and whitened. Unknown numbers are replaced by the mean of the training data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from neurid_fingerprint.inputs import CODED, WIDTHS, Inputs
from nwb_neurid.contracts import State
from nwb_neurid.errors import WrongWeights

MEASURED = ("shape", "timing")
LEAST_SPREAD = 1e-6
CLIP = 8.0
"""Standardised numbers are clipped at this number of standard deviations, so that a single number cannot dominate a
vector.
"""

Matrix = Float64[np.ndarray, "_ _"]
Values = Float64[np.ndarray, "units _"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Network:
    """The network for one input: standardisation, and the components of its code.

    Parameters
    ----------
    center, scale
        Mean and standard deviation of each number of the input, shape (width,).
    weights
        Weights from the standardised input to the whitened code, shape (width, code).
    """

    center: Float64[np.ndarray, " width"]
    scale: Float64[np.ndarray, " width"]
    weights: Float64[np.ndarray, "width code"]

    def standardise(self, values: Float64[np.ndarray, "units width"]) -> Float64[np.ndarray, "units width"]:
        """Standardise the input. Unknown numbers become 0."""
        return np.clip(np.nan_to_num((values - self.center) / self.scale), -CLIP, CLIP)

    def encode(self, values: Float64[np.ndarray, "units width"]) -> Float64[np.ndarray, "units code"]:
        """Compute the code of each unit. It is 0 if the input is missing."""
        return np.asarray(self.standardise(values) @ self.weights)


def list_sizes(codes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Return the width of the input and of the code of each network, by name.

    For the measures, the code is the input.
    """
    sizes = {name: (WIDTHS[name], codes[name]) for name in CODED}
    return sizes | {name: (WIDTHS[name], WIDTHS[name]) for name in MEASURED}


def draw_state(codes: Mapping[str, int], seed: int) -> State:
    """Draw untrained weights: random orthogonal codes, without standardisation of the input."""
    rng = np.random.default_rng(seed)
    state: dict[str, np.ndarray] = {}
    for name, (width, code) in list_sizes(codes).items():
        weights = np.eye(width) if name in MEASURED else np.linalg.qr(rng.normal(size=(width, code)))[0]
        state |= {f"{name}.center": np.zeros(width), f"{name}.scale": np.ones(width), f"{name}.weights": weights}
    return {name: array.astype(np.float32) for name, array in state.items()}


def read_state(state: State, codes: Mapping[str, int]) -> dict[str, Network]:
    """Make the networks from a state.

    Raises
    ------
    WrongWeights
        If weights are missing, unexpected, of another shape or not finite, or a scale is not positive.
    """
    wanted: dict[str, tuple[int, ...]] = {}
    for name, (width, code) in list_sizes(codes).items():
        wanted |= {f"{name}.center": (width,), f"{name}.scale": (width,), f"{name}.weights": (width, code)}
    faults = [f"missing {name}, shape {wanted[name]}" for name in sorted(wanted.keys() - state.keys())]
    faults += [f"unexpected {name}" for name in sorted(state.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & state.keys()):
        if state[name].shape != wanted[name]:
            faults.append(f"{name} has shape {state[name].shape}, the network expects {wanted[name]}")
        elif not np.isfinite(state[name]).all() or (name.endswith(".scale") and not (state[name] > 0).all()):
            faults.append(f"{name} holds numbers that cannot be")
    if faults:
        raise WrongWeights("\n  - ".join(["The weights do not fit the fingerprint:", *faults[:20]]))
    return {
        name: Network(**{part: state[f"{name}.{part}"].astype(np.float64) for part in ("center", "scale", "weights")})
        for name in list_sizes(codes)
    }


def pack_state(networks: Mapping[str, Network]) -> State:
    """Convert the networks to arrays in single precision, so that the saved weights equal the weights that are used."""
    parts = ("center", "scale", "weights")
    return {
        f"{name}.{part}": getattr(network, part).astype(np.float32)
        for name, network in networks.items()
        for part in parts
    }


class Trainer:
    """Trains the networks on the inputs of some units, step by step.

    Parameters
    ----------
    networks
        The networks at the start of the training.
    inputs
        The inputs of all units.
    """

    def __init__(self, networks: Mapping[str, Network], inputs: Inputs) -> None:
        self.networks = dict(networks)
        self.covariances: dict[str, Matrix] = {}
        self.decoders: dict[str, Matrix] = {}
        for name, network in networks.items():
            values = inputs[name][np.isfinite(inputs[name]).any(axis=1)]
            if len(values) < 2:  # there is nothing to learn, so the network is not changed
                continue
            center = np.nan_to_num(_average(values))
            scale = np.sqrt(np.nan_to_num(_average((values - center) ** 2)))
            self.networks[name] = replace(network, center=center, scale=np.where(scale > LEAST_SPREAD, scale, 1.0))
            standard = self.networks[name].standardise(values)
            standard = standard - standard.mean(axis=0)
            self.covariances[name] = standard.T @ standard / len(standard)
            self.decoders[name] = _orthogonalise(network.weights)

    def step(self) -> float:
        """Do one orthogonal iteration of every network.

        Returns
        -------
        float
            The share of the variance of the inputs that was not reconstructed before the step, averaged over networks.
        """
        lost = []
        for name, covariance in self.covariances.items():
            decoder = self.decoders[name]
            kept = float(np.trace(decoder.T @ covariance @ decoder))
            lost.append(1 - kept / max(float(np.trace(covariance)), LEAST_SPREAD))
            if name not in MEASURED:
                self.decoders[name] = _orthogonalise(covariance @ decoder)
        return float(np.mean(lost)) if lost else 0.0

    def finish(self) -> dict[str, Network]:
        """Return the trained networks. Their codes are rotated to principal components and whitened."""
        whitened = {
            name: replace(self.networks[name], weights=_whiten(self.decoders[name], covariance))
            for name, covariance in self.covariances.items()
            if name not in MEASURED
        }
        return self.networks | whitened


def _average(values: Values) -> Float64[np.ndarray, " _"]:
    """Compute the mean of each number over the units for which it is known. It is NaN if it is known for no unit."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)


def _orthogonalise(weights: Matrix) -> Matrix:
    """Return an orthonormal basis of the space that the columns span, with fixed signs."""
    basis, upper = np.linalg.qr(weights)
    return np.asarray(basis * np.where(np.diag(upper) < 0, -1.0, 1.0))


def _whiten(decoder: Matrix, covariance: Matrix) -> Matrix:
    """Return weights for a code of unit variance, with the largest component first and with fixed signs."""
    variance, rotation = np.linalg.eigh(decoder.T @ covariance @ decoder)
    order = np.argsort(-variance, kind="stable")
    components = decoder @ rotation[:, order]
    largest = np.abs(components).argmax(axis=0)
    components = components * np.sign(components[largest, np.arange(len(order))])
    return np.asarray(components / np.sqrt(np.maximum(variance[order], LEAST_SPREAD)))
