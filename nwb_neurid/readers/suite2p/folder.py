"""The location of the traces in a suite2p folder."""

import re
from pathlib import Path

COMBINED = "combined"

_PLANE = re.compile(r"plane(\d+)")


def trace_folders(path: Path) -> list[Path]:
    """Find the folders with traces: the path itself, or the planes below it in the order of their numbers.

    The folder in which suite2p combines all planes is used only if no single plane is left, because shorter planes are
    padded in it.

    Raises
    ------
    OSError
        If access to a folder is denied.
    """
    if has_traces(path):
        return [path]
    for root in (path, path / "suite2p"):
        if planes := [plane for plane in plane_folders(root) if has_traces(plane)]:
            return planes
        if has_traces(root / COMBINED):
            return [root / COMBINED]
    return []


def plane_folders(root: Path) -> list[Path]:
    """Return the folders `plane0`, `plane1` and so on, with or without traces (flyback planes have none)."""
    entries = root.iterdir() if root.is_dir() else ()
    numbered = sorted((int(found[1]), entry) for entry in entries if (found := _PLANE.fullmatch(entry.name)))
    return [entry for _, entry in numbered]


def has_traces(folder: Path) -> bool:
    """Return whether this folder contains fluorescence or deconvolved traces."""
    return (folder / "F.npy").is_file() or (folder / "spks.npy").is_file()
