"""What finding clusters costs with other settings of HDBSCAN, and whether it finds the same.

    python tests/benchmarks/clusters.py

CPU times of the largest number of units, as ratios to the setting that is used; the slope is that from a quarter of the
units to all. The points are eight clouds in ten dimensions. Two clusterings agree fully at an adjusted Rand index of 1.
"""

import time

import numpy as np
from _options import parse_options
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

CLOUDS, DIMENSIONS = 8, 10
SETTINGS = {
    "the setting in use": ({}, DIMENSIONS),
    "a kd tree with leaves of 10": ({"algorithm": "kd_tree", "leaf_size": 10}, DIMENSIONS),
    "a kd tree with leaves of 200": ({"algorithm": "kd_tree", "leaf_size": 200}, DIMENSIONS),
    "a ball tree": ({"algorithm": "ball_tree"}, DIMENSIONS),
    "two jobs": ({"n_jobs": 2}, DIMENSIONS),
    "5 dimensions": ({}, 5),
    "3 dimensions": ({}, 3),
}


def draw_points(units):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLOUDS, DIMENSIONS)) * 6
    return centres[rng.integers(0, CLOUDS, units)] + rng.normal(size=(units, DIMENSIONS))


def find_clusters(points, setting):
    """CPU time, and the cluster of each point, with the sizes that `nwb_neurid.clusters` asks for."""
    began = time.process_time()
    units = len(points)
    model = HDBSCAN(
        min_cluster_size=max(5, units // 50), max_cluster_size=units // 2, min_samples=3, copy=True, **setting
    )
    found = model.fit_predict(points)
    return max(time.process_time() - began, 1e-6), found


def main() -> None:
    options = parse_options(__doc__, full={"units": 20_000}, tiny={"units": 400})
    sizes = options.units // 4, options.units
    first, expected = 0.0, None
    for name, (setting, dimensions) in SETTINGS.items():
        (few, _), (took, found) = (find_clusters(draw_points(size)[:, :dimensions], setting) for size in sizes)
        if expected is None:
            first, expected = took, found
        slope = np.log(took / few) / np.log(sizes[1] / sizes[0])
        print(
            f"clusters of {options.units:,} units with {name}: {took:.2f} s, {took / first:.2f} x the setting in use, "
            f"agreement {adjusted_rand_score(expected, found):.2f}, slope {slope:.2f}"
        )


if __name__ == "__main__":
    main()
