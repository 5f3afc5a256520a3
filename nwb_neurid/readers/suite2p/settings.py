"""The settings of suite2p that affect the traces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from nwb_neurid._system.text import show_value
from nwb_neurid._system.warning import warn
from nwb_neurid.errors import InvalidOption, InvalidSource, UnreadableSource
from nwb_neurid.readers.suite2p.pickled import objects

SLOWEST_HZ, FASTEST_HZ = 0.01, 10_000.0  # suite2p does not allow lower rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a plane. The defaults are those of suite2p.

    Parameters
    ----------
    file
        The file with the settings, which may not exist.
    fs
        Frames per second of one plane, as stated in the file; None if it is not stated.
    neuropil_coefficient
        The share of the neuropil's fluorescence that is subtracted.
    window_s, sigma_frames
        Width of the minimum and maximum filters and of the Gaussian of the baseline.
    """

    file: Path
    fs: object = None
    neuropil_coefficient: float = 0.7
    window_s: float = 60.0
    sigma_frames: float = 10.0


# Keys of each setting since suite2p 1.0 and before, and its largest valid value.
_KEYS: Mapping[str, tuple[tuple[str, str], float]] = {
    "neuropil_coefficient": (("extraction.neuropil_coefficient", "neucoeff"), 10.0),
    "window_s": (("dcnv_preprocess.win_baseline", "win_baseline"), 1e6),
    "sigma_frames": (("dcnv_preprocess.sig_baseline", "sig_baseline"), 1e4),
}


def read_settings(folder: Path) -> Settings:
    """Read `settings.npy` (suite2p 1.0 and later) or `ops.npy`. Return the defaults if neither file exists.

    Raises
    ------
    UnreadableSource, InvalidSource
        If the file cannot be read, or a value in it cannot be used.
    """
    for file in (folder / "settings.npy", folder / "ops.npy"):
        if file.is_file():
            held = objects(file)
            if len(held) != 1 or not isinstance(held[0], dict):
                raise InvalidSource(f"{file} must hold one dict of settings, it does not. Copy it again.")
            return Settings(file=file, fs=held[0].get("fs"), **_numbers(held[0], file))
    return Settings(file=folder / "settings.npy")


def frame_rate_hz(settings: Sequence[Settings], wanted_hz: float | None) -> float:
    """Return the frames per second of one plane, from the user's option or otherwise from the settings of all planes.

    Raises
    ------
    InvalidOption
        If the option is not a valid frame rate.
    UnreadableSource, InvalidSource
        If the rate is not stated, or the settings contradict one another.

    Warns
    -----
    NeuridWarning
        If the option differs from the settings.
    """
    if wanted_hz is None:
        return _common_rate_hz(settings)
    if not _is_rate(wanted_hz):
        raise InvalidOption(f"--rate-hz must be from {SLOWEST_HZ:g} to {FASTEST_HZ:g} Hz, got {show_value(wanted_hz)}.")
    for plane in settings:
        if _is_rate(plane.fs) and not _agree(plane.fs, wanted_hz):
            warn(
                f"{plane.file} has fs = {plane.fs:g} frames per second and plane, but --rate-hz {wanted_hz:g} is used."
            )
            break
    return float(wanted_hz)


def _common_rate_hz(settings: Sequence[Settings]) -> float:
    rates: list[float] = []
    for plane in settings:
        if plane.fs is None:
            found = "has no fs" if plane.file.is_file() else "is missing, and so is ops.npy"
            raise UnreadableSource(
                f"The frame rate is unknown: {plane.file} {found}. Pass --rate-hz, the frames per second of one plane."
            )
        if not _is_rate(plane.fs):
            raise InvalidSource(
                f"{plane.file}: fs must be from {SLOWEST_HZ:g} to {FASTEST_HZ:g} frames per second, got "
                f"{show_value(plane.fs)}. Pass --rate-hz, the frames per second of one plane."
            )
        if not _agree(plane.fs, (rates or [plane.fs])[0]):
            raise InvalidSource(
                f"{plane.file} has fs = {plane.fs:g}, {settings[0].file} has {rates[0]:g}: planes that were recorded "
                "together have one frame rate. Read one plane, or pass --rate-hz."
            )
        rates.append(plane.fs)
    return rates[0]


def _is_rate(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and SLOWEST_HZ <= value <= FASTEST_HZ


def _agree(rate_hz: float, other_hz: float) -> bool:
    return abs(rate_hz - other_hz) <= 1e-3 * other_hz


def _numbers(stated: Mapping[str, Any], file: Path) -> dict[str, float]:
    """Return the values of the stated `_KEYS`.

    Raises
    ------
    InvalidSource
        If a value is not a number, or out of range.
    """
    found: dict[str, float] = {}
    for field, (keys, most) in _KEYS.items():
        for key in keys:
            value = _stands_at(stated, key)
            if value is None:
                continue
            if not isinstance(value, int | float) or not 0 <= value <= most:
                raise InvalidSource(f"{file}: {key} must be from 0 to {most:g}, got {show_value(value)}. Correct it.")
            found.setdefault(field, float(value))
    return found


def _stands_at(stated: Any, key: str) -> Any:
    """Return the value of a nested key, or None if it does not exist."""
    for part in key.split("."):
        stated = stated.get(part) if isinstance(stated, dict) else None
    return stated
