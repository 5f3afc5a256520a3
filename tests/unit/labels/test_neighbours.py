"""Up to five nearest units within 60 µm on the same probe vote together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.labels.neighbours import find_nearest_rows
from nwb_neurid.labels.novelty import find_quantiles
from nwb_neurid.labels.spelling import group_variants


def column(*depths_um):
    return np.column_stack([np.zeros(len(depths_um)), depths_um, np.zeros(len(depths_um))]).astype(np.float32)


def test_units_vote_within_60_um_and_five_at_most():
    found = find_nearest_rows(np.full(8, "a"), column(0, 10, 20, 30, 40, 50, 60, 200))
    assert found[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert found[7].tolist() == [7, -1, -1, -1, -1, -1]
    pair = find_nearest_rows(np.full(3, "a"), column(0, 60, 121))
    assert pair[:, :2].tolist() == [[0, 1], [1, 0], [2, -1]]


def test_probes_do_not_vote_together_nor_units_without_a_place():
    places = column(0, 10, 20, np.nan)
    found = find_nearest_rows(np.array(["a", "b", "a", "a"]), places)
    assert found[:, :3].tolist() == [[0, 2, -1], [1, -1, -1], [2, 0, -1], [3, -1, -1]]


@given(seed=st.integers(0, 100), units=st.integers(1, 25))
def test_it_is_as_by_hand(seed, units):
    rng = np.random.default_rng(seed)
    places, group = rng.uniform(0, 100, (units, 3)).astype(np.float32), rng.integers(2, size=units)
    found = find_nearest_rows(group, places)
    apart = np.linalg.norm(places[:, None].astype(float) - places[None], axis=2)
    for row in range(units):
        others = [at for at in np.argsort(apart[row]) if at != row and group[at] == group[row] and apart[row, at] <= 60]
        assert found[row].tolist() == ([row, *others[:5]] + [-1] * 5)[:6]


def test_distances_are_told_in_steps_that_weigh_animals_alike():
    steps = find_quantiles(np.r_[np.zeros(100), np.ones(10)], np.r_[np.zeros(100, int), np.ones(10, int)])
    assert len(steps) == 1001
    assert steps.mean() == pytest.approx(0.5, abs=0.01)


def test_names_that_may_be_one_class():
    found = group_variants(["CA1", "PV", "Pvalb", "SST", "Som", "VIP", "ca 1", "pv", "vip-like", "+", "-"])
    assert found == [["CA1", "ca 1"], ["PV", "Pvalb", "pv"], ["SST", "Som"]]
