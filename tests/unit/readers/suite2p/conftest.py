"""Folders as suite2p writes them, and what their traces come to, by loops."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

RATE_HZ = 10.0


def settings_since_1(
    fs: float = RATE_HZ, coefficient: float = 0.7, window_s: float = 60.0, sigma: float = 10.0
) -> dict:
    return {
        "fs": fs,
        "torch_device": "cpu",
        "extraction": {"neuropil_coefficient": coefficient, "neuropil_extract": True},
        "dcnv_preprocess": {"baseline": "maximin", "win_baseline": window_s, "sig_baseline": sigma},
    }


def settings_before_1(
    fs: float = RATE_HZ, coefficient: float = 0.7, window_s: float = 60.0, sigma: float = 10.0
) -> dict:
    return {"fs": np.float64(fs), "neucoeff": coefficient, "win_baseline": window_s, "sig_baseline": np.float32(sigma)}


def fluorescence(units: int, frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Transients over a noisy baseline in a common neuropil, as F and Fneu."""
    rng = np.random.default_rng(seed)
    neuropil = 50 + 5 * np.sin(np.arange(frames) / 30) + rng.normal(0, 1, (units, frames))
    events = rng.random((units, frames)) < 0.01
    decay = np.exp(-np.arange(60) / 10)
    transients = np.array([np.convolve(row, decay)[:frames] for row in events]).reshape(units, frames)
    raw = 100 + 80 * transients + 0.7 * neuropil + rng.normal(0, 2, (units, frames))
    return raw.astype(np.float32), neuropil.astype(np.float32)


def write(folder: Path, files: Mapping[str, Any]) -> Path:
    """Writes `.npy` files by name; None stands for no file, a dict for pickled settings, bytes for themselves."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / f"{name}.npy").write_bytes(content)
        elif content is not None:
            np.save(folder / f"{name}.npy", content)
    return folder


def plane_files(units: int = 4, frames: int = 300, seed: int = 0, **replaced: Any) -> dict[str, Any]:
    """The files of a plane, as `write` takes them."""
    raw, neuropil = fluorescence(units, frames, seed)
    rng = np.random.default_rng(seed + 1000)
    files = {
        "F": raw,
        "Fneu": neuropil,
        "spks": rng.exponential(1, (units, frames)).astype(np.float32),
        "iscell": np.column_stack([np.ones(units), rng.random(units)]),
        "settings": settings_since_1(),
    }
    return {**files, **replaced}


def combined_files(planes: list[dict[str, Any]], numbers: list[int] | None = None) -> dict[str, Any]:
    """The files of the combined folder: planes one below the other, the shorter padded with zeros."""
    frames = max(files["F"].shape[1] for files in planes)
    files = {
        name: np.concatenate([np.pad(one[name], ((0, 0), (0, frames - one[name].shape[1]))) for one in planes])
        for name in ("F", "Fneu", "spks")
    }
    numbers = numbers or list(range(len(planes)))
    stat = [
        {"iplane": number, "med": [1, 2], "ypix": np.arange(3)}
        for number, one in zip(numbers, planes, strict=True)
        for _ in range(len(one["F"]))
    ]
    files["iscell"] = np.concatenate([one["iscell"] for one in planes])
    return {**files, "stat": np.array(stat, object), "settings": planes[0]["settings"]}


def maximin_by_loops(trace: np.ndarray, sigma: float, window: int) -> np.ndarray:
    """The definition, one sample after another."""
    frames, half = len(trace), window // 2
    radius = int(3 * sigma + 0.5)
    weights = [np.exp(-(step**2) / (2 * sigma**2)) if sigma else 1.0 for step in range(-radius, radius + 1)]
    smooth = []
    for frame in range(frames):
        total = 0.0
        for step, weight in zip(range(-radius, radius + 1), weights, strict=True):
            total += weight * float(trace[min(max(frame + step, 0), frames - 1)])
        smooth.append(total / sum(weights))
    lower = [min(smooth[max(0, frame - half) : frame + half + 1]) for frame in range(frames)]
    return np.array([max(lower[max(0, frame - half) : frame + half + 1]) for frame in range(frames)])


def dff_by_loops(raw: np.ndarray, neuropil: np.ndarray, coefficient: float, sigma: float, window: int) -> np.ndarray:
    values = []
    for own, around in zip(raw.astype(np.float64), neuropil.astype(np.float64), strict=True):
        corrected = own - coefficient * around
        baseline = maximin_by_loops(corrected, sigma, window)
        floor = (1 - 0.7 / 1.03) * maximin_by_loops(own, sigma, window)
        values.append([(c - b) / max(b, f) for c, b, f in zip(corrected, baseline, floor, strict=True)])
    return np.array(values)


@pytest.fixture(scope="session")
def suite2p() -> SimpleNamespace:
    """What makes folders of suite2p, and the loops that say what is right."""
    return SimpleNamespace(
        write=write,
        plane_files=plane_files,
        combined_files=combined_files,
        fluorescence=fluorescence,
        settings_since_1=settings_since_1,
        settings_before_1=settings_before_1,
        maximin_by_loops=maximin_by_loops,
        dff_by_loops=dff_by_loops,
        rate_hz=RATE_HZ,
    )


@pytest.fixture
def plane(suite2p: SimpleNamespace, tmp_path: Path) -> Callable[..., Path]:
    """Writes the root of a single plane: `plane(units=3, iscell=None)`."""

    def make(**parts: Any) -> Path:
        suite2p.write(tmp_path / "suite2p" / "plane0", suite2p.plane_files(**parts))
        return tmp_path / "suite2p"

    return make
