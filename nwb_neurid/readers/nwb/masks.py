"""The masks of ROIs: lists of pixels or voxels, or images."""

import math

import numpy as np
from jaxtyping import Float64, Shaped

from nwb_neurid.readers.nwb.table import Table

PIXELS_AT_ONCE = 2**22

_AXES = {"pixel_mask": ("x", "y"), "voxel_mask": ("x", "y", "z")}


def centroids_px(rois: Table, axes: int) -> Float64[np.ndarray, "rois axes"] | None:
    """Return the weighted centre of each mask along its first axes, in pixels, with NaN for empty masks.

    Pixels in lists have the coordinate 0 along a third axis. Return None if there are no masks with this number of
    axes.
    """
    for name in _AXES:
        if name in rois and (centroids := _of_lists(rois, name, axes)) is not None:
            return centroids
    return _of_images(rois, axes) if "image_mask" in rois else None


def _of_lists(rois: Table, name: str, axes: int) -> Float64[np.ndarray, "rois axes"] | None:
    splits = rois.splits(name)
    pixels = rois.dataset(name).fields([*_AXES[name], "weight"])
    if pixels is None or len(_AXES[name]) > axes:
        return None
    row = np.repeat(np.arange(len(rois)), np.diff(splits))
    weight = _weights(pixels[-1])
    total = np.bincount(row, weight, len(rois)).astype(np.float64)  # bincount returns integers if there are no pixels
    centroids = np.zeros((len(rois), axes))
    for axis, place in enumerate(pixels[:-1]):
        centroids[:, axis] = np.bincount(row, weight * place, len(rois))
    return _divided(centroids, total)


def _of_images(rois: Table, axes: int) -> Float64[np.ndarray, "rois axes"] | None:
    """Compute centroids from image masks, which have shape (x, y) for a plane, or (x, y, z) for a volume."""
    images = rois.dataset("image_mask")
    shape = images.shape[1:]
    if not images.is_number or len(images) != len(rois) or len(shape) not in {2, axes}:
        return None
    total, centroids = np.zeros(len(rois)), np.zeros((len(rois), axes))
    step = max(1, PIXELS_AT_ONCE // max(1, math.prod(shape)))
    for start in range(0, len(rois), step):
        rows = slice(start, start + step)
        weight = _weights(images.numbers(rows))
        total[rows] = weight.sum(axis=tuple(range(1, weight.ndim)))
        for axis, length in enumerate(shape):
            others = tuple(other + 1 for other in range(len(shape)) if other != axis)
            centroids[rows, axis] = weight.sum(axis=others) @ np.arange(length)
    return _divided(centroids, total)


def _weights(stored: Shaped[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
    """Return the weights of pixels. Weights that are negative, infinite or NaN become 0."""
    return np.nan_to_num(stored.astype(np.float64), posinf=0.0).clip(0.0)


def _divided(sums: Float64[np.ndarray, "rois axes"], total: Float64[np.ndarray, " rois"]) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.where(total[:, None] > 0, sums / total[:, None], np.nan)
