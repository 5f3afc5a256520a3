"""Positions of units: on a probe by depth, or as outlines in an imaging plane."""

from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from nwb_neurid.population import Population
from nwb_neurid.report.encoding import encode_numbers

CORNERS = 14
AXES = ("x", "y", "z")


def describe_places(population: Population) -> dict[str, Any] | None:
    """Return two coordinates of each unit and outlines of ROIs, or None if no unit has a position."""
    outlines = None if population.masks_px is None else [_trace_outline(mask) for mask in population.masks_px]
    if outlines is not None and any(map(len, outlines)):
        centres = np.array([mask.mean(axis=0) if len(mask) else [np.nan, np.nan] for mask in outlines])
        return {
            "kind": "rois",
            "x": encode_numbers(centres[:, 0]),
            "y": encode_numbers(centres[:, 1]),
            "titles": ["x (pixels)", "y (pixels)"],
            "outlines": [np.round(each, 1).ravel().tolist() for each in outlines],
        }
    places = population.positions_um
    if places is None or not np.isfinite(places).all(axis=1).any():
        return None
    return _describe_positions(population, places.astype(np.float64))


def measure_depth(population: Population) -> dict[str, tuple[str, Float64[np.ndarray, " units"]]]:
    """Return coordinates of units for colouring and sorting. Coordinates that do not vary are left out."""
    places = population.positions_um
    if places is None:
        return {}
    return {
        f"{name} (µm)": (f"Position of the unit, {name}", places[:, axis].astype(np.float64))
        for axis, name in enumerate(AXES)
        if np.isfinite(places[:, axis]).any() and np.nanstd(places[:, axis]) > 0
    }


def _describe_positions(population: Population, places: Float64[np.ndarray, "units 3"]) -> dict[str, Any]:
    """Describe positions on probes. The axis with the largest range is vertical, and the next one is horizontal.

    Probes are drawn side by side.
    """
    ranges = np.nanmax(places, axis=0) - np.nanmin(places, axis=0) if len(places) else np.zeros(3)
    up = 1 if ranges[1] >= 0.5 * np.nanmax(ranges) else int(np.nanargmax(ranges))
    across = max((axis for axis in range(3) if axis != up), key=lambda axis: (ranges[axis], -axis))
    x, y = _spread_ties(places[:, across], places[:, up], ranges[up])
    spread = bool((x != places[:, across])[np.isfinite(x)].any())
    names = [] if population.group is None else sorted({str(name) for name in population.group.tolist()})
    if len(names) > 1:
        width = 1.3 * max(np.nanmax(x) - np.nanmin(x), 0.1 * ranges[up], 1.0)
        x = x + width * np.searchsorted(names, np.array([str(name) for name in population.group.tolist()]))  # type: ignore[union-attr]
    notes = [", probes side by side"] if len(names) > 1 else []
    if spread:
        notes.append(", overlaps spread")
    return {
        "kind": "probe",
        "x": encode_numbers(x, 6),
        "y": encode_numbers(y, 6),
        "titles": [f"{AXES[across]} (µm)" + "".join(notes), f"{AXES[up]} (µm)"],
        "outlines": None,
    }


def _spread_ties(
    x: Float64[np.ndarray, " units"], y: Float64[np.ndarray, " units"], height: float
) -> tuple[Float64[np.ndarray, " units"], Float64[np.ndarray, " units"]]:
    """Move units that share a place apart, so that each can be seen and chosen."""
    seen: dict[tuple[float, float], int] = {}
    moved = x.copy()
    step = max(float(height), 1.0) * 0.006
    for unit, place in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        times = seen.get(place, 0)
        seen[place] = times + 1
        moved[unit] += step * ((times + 1) // 2) * (-1 if times % 2 else 1)
    return moved, y


def _trace_outline(mask: Float32[np.ndarray, "_ 3"]) -> Float64[np.ndarray, "corners 2"]:
    """Return the convex hull of the pixels of an ROI, with few corners."""
    from scipy.spatial import ConvexHull, QhullError

    pixels = np.unique(mask[:, :2].astype(np.float64), axis=0)
    if len(pixels) == 0 or not np.isfinite(pixels).all():
        return np.empty((0, 2))
    corners = np.concatenate([pixels + shift for shift in ([-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5])])
    try:
        hull = corners[ConvexHull(corners).vertices]
    except QhullError:
        return np.empty((0, 2))
    return np.asarray(hull[:: max(1, -(-len(hull) // CORNERS))])
