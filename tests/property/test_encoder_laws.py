"""Laws of encoders, for the baseline and for a torch module over windows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neurid_isi import PLUGIN as ISI
from neurid_isi import IsiEncoder
from nwb_neurid.contracts import CONTRACT, EncoderPlugin, EncoderSpec
from nwb_neurid.contracts.compatibility import list_problems
from nwb_neurid.errors import CannotEncode
from nwb_neurid.model.model import Model
from nwb_neurid.training import ContrastiveLoss, Recipe, TorchEncoder, WindowOptions

RECIPE = Recipe(loss=ContrastiveLoss, windows=4, learning_rate=1e-3, max_distance_s=None)


class Mixture(nn.Module):
    """Mean counts of the tokens of a unit, and of all units of its window."""

    def forward(self, activity, present):
        tokens = activity.float().unflatten(-1, (4, 5)).mean(-1)
        there = 1.0 if present is None else present[..., None].float()
        everyone = (tokens * there).sum(1, keepdim=True) / (torch.zeros_like(tokens) + there).sum(1, keepdim=True)
        return torch.cat([tokens, everyone.expand_as(tokens)], -1)


WINDOWS = WindowOptions(bin_s=0.02, token_bins=5, tokens=4)
ENCODERS = {
    "isi": IsiEncoder(),
    "torch": TorchEncoder(Mixture(), config={}, dim=8, options=WINDOWS, device="cpu", recipe=RECIPE),
}
SPEC = EncoderSpec(name="mixture", version="1", summary="", contract=CONTRACT, accepts=frozenset({"spikes"}))
MODELS = {
    "isi": Model(encoder=ENCODERS["isi"], plugin=ISI),
    "torch": Model(encoder=ENCODERS["torch"], plugin=EncoderPlugin(spec=SPEC, build=lambda *_: ENCODERS["torch"])),
}

encoders = pytest.mark.parametrize("name", sorted(ENCODERS))
spans = st.tuples(st.integers(0, 19), st.integers(1, 8)).map(lambda span: (span[0] / 4, (span[0] + span[1]) / 4))


@st.composite
def recordings(draw):
    """What `make_population` makes a recording of 5 s from, with gaps, absences and silent units."""
    units = draw(st.integers(1, 6))
    return {
        "seed": draw(st.integers(0, 1000)),
        "units": units,
        "duration_s": 5.0,
        "rate_hz": draw(st.sampled_from([0.2, 3.0, 60.0])),
        "gaps": draw(st.lists(spans, max_size=2)),
        "absences": draw(st.dictionaries(st.integers(0, units - 1), st.lists(spans, min_size=1, max_size=2))),
        "sampling_hz": draw(st.sampled_from([100.0, 30_000.0])),
    }


def assert_rows_equal(left, right, rows):
    np.testing.assert_allclose(left.vectors, right.vectors[rows], atol=1e-4)
    np.testing.assert_array_equal(left.n_windows, right.n_windows[rows])
    np.testing.assert_allclose(left.stability, right.stability[rows], atol=1e-4)
    np.testing.assert_array_equal(left.reasons, right.reasons[rows])


@encoders
@given(recording=recordings(), data=st.data())
def test_permuted_units_are_permuted_rows(make_population, name, recording, data):
    population = make_population(**recording)
    order = np.array(data.draw(st.permutations(range(len(population)))))
    embed = ENCODERS[name].embed
    assert_rows_equal(embed(population.select(order)), embed(population), order)


@encoders
@given(recording=recordings(), clock_s=st.sampled_from([0.1, -7 / 3, 86_400.0]) | st.floats(-1e6, 1e6))
def test_shifting_the_clock_changes_no_vector(make_population, name, recording, clock_s):
    embed = ENCODERS[name].embed
    shifted = embed(make_population(**recording, start_s=clock_s))
    assert_rows_equal(shifted, embed(make_population(**recording)), slice(None))


@encoders
@given(recording=recordings(), data=st.data())
def test_rows_never_vanish(make_population, name, recording, data):
    rows = range(recording["units"])
    excluded = data.draw(st.dictionaries(st.sampled_from(rows), st.sampled_from(["noise", "multi-unit"])))
    group = np.array([data.draw(st.sampled_from(["a", "b"])) for _ in rows])
    population = make_population(**recording, excluded=excluded, group=group)
    try:
        embeddings = MODELS[name].embed(population, pool_groups=data.draw(st.booleans()))
    except CannotEncode:
        assert len(excluded) == len(rows)
        return
    np.testing.assert_array_equal(embeddings.unit_ids, population.unit_ids)
    silent_or_unseen = population.spikes.counts() == 0
    for row in rows:
        has_vector = np.isfinite(embeddings.vectors[row]).all()
        assert has_vector == (embeddings.reasons[row] == "")
        assert has_vector or np.isnan(embeddings.vectors[row]).all()
        assert has_vector == (embeddings.n_windows[row] > 0)
        assert not (has_vector and (row in excluded or silent_or_unseen[row]))
        assert row not in excluded or embeddings.reasons[row] == excluded[row]


@encoders
@given(recording=recordings())
def test_same_population_same_vectors(make_population, name, recording):
    first, again = (ENCODERS[name].embed(make_population(**recording)) for _ in range(2))
    np.testing.assert_array_equal(first.vectors, again.vectors)
    np.testing.assert_array_equal(first.stability, again.stability)


@st.composite
def specs(draw):
    return EncoderSpec(
        name="demanding",
        version="1",
        summary="",
        contract=CONTRACT,
        accepts=draw(st.sampled_from([frozenset({"spikes"}), frozenset({"spikes", "dff"}), frozenset({"dff"})])),
        min_units=draw(st.integers(0, 5)),
        min_observed_s=draw(st.sampled_from([0.0, 2.5, 4.9, 5.0])),
        needs_positions=draw(st.booleans()),
    )


@given(recording=recordings(), spec=specs(), data=st.data())
def test_there_are_problems_exactly_where_embedding_is_refused(make_population, recording, spec, data):
    units = recording["units"]
    positions = data.draw(
        st.sampled_from([None, np.zeros((units, 3), np.float32), np.full((units, 3), np.nan, np.float32)])
    )
    population = make_population(**recording, positions_um=positions)
    model = Model(encoder=IsiEncoder(), plugin=EncoderPlugin(spec=spec, build=ISI.build))
    found = list_problems(population, spec)
    if found:
        with pytest.raises(CannotEncode) as caught:
            model.embed(population)
        assert caught.value.problems == tuple(found)
    else:
        assert len(model.embed(population)) == units
