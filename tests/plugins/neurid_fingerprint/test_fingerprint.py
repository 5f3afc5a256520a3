"""A fingerprint is the same from spikes and from histograms, free of scale, and whole where parts are missing."""

from dataclasses import replace

import numpy as np
import pytest

from neurid_fingerprint.encoder import Fingerprint
from neurid_fingerprint.inputs import WIDTHS, Cells, convert_histograms, measure_population
from neurid_fingerprint.timing import EDGES_S, WIDTHS_S, count_histograms
from neurid_fingerprint.waveforms import measure_waveform
from nwb_neurid import load_model, new_model, read
from nwb_neurid.contracts import TrainingOptions
from nwb_neurid.correlogram import count_pairs
from nwb_neurid.errors import CannotTrain, InvalidOption, WrongWeights
from nwb_neurid.population import Population, Spikes

DURATION_S = 900.0
RATE_HZ = 30000.0
WHOLE = np.array([[0.0, DURATION_S]])


def spike(trough_to_peak_ms, rate_hz=RATE_HZ):
    t = np.arange(-0.8, 1.2, 1e3 / rate_hz)
    return -np.exp(-((t / 0.1) ** 2)) + 0.3 * np.exp(-(((t - trough_to_peak_ms) / 0.15) ** 2))


def fire(hz, seed, refractory_s=0.003):
    rng = np.random.default_rng(seed)
    train_s = np.cumsum(refractory_s + rng.gamma(0.7, 1 / (0.7 * hz), int(2 * hz * DURATION_S)))
    return train_s[train_s < DURATION_S]


@pytest.fixture(scope="module")
def population():
    """Six units, of which the last two have no waveform."""
    waveforms = np.stack([spike(0.2 + 0.1 * unit) for unit in range(6)]).astype(np.float32)
    waveforms[4:] = np.nan
    return Population(
        unit_ids=np.arange(6),
        activity=Spikes.of([fire(3.0 + 4 * unit, unit) for unit in range(6)]),
        observed_s=WHOLE,
        source="made",
        waveforms_uv=waveforms,
        waveform_rate_hz=RATE_HZ,
    )


@pytest.fixture(scope="module")
def model():
    return load_model("cell-types")


def embed(model, population):
    return model.embed(population).vectors


def as_cells(population):
    """The histograms that CellExplorer keeps of these units."""
    rows = {"isi": [], "acg_log": [], "acg_wide": []}
    for unit in range(len(population)):
        train_s = population.spikes.train_s(unit)
        rows["isi"].append(np.histogram(np.diff(train_s), EDGES_S)[0] / WIDTHS_S)
        rows["acg_log"].append(count_pairs(train_s, WHOLE, EDGES_S) / WIDTHS_S / len(train_s))
        half = count_pairs(train_s, WHOLE, (np.arange(501) + 0.5) * 1e-3)
        rows["acg_wide"].append(np.r_[half[::-1], 0, half])
    return Cells(
        **{name: np.array(values, np.float64) for name, values in rows.items()},
        waveform=population.waveforms_uv,
        waveform_rate_hz=population.waveform_rate_hz,
    )


def test_a_cell_has_one_vector_as_spikes_and_as_histograms(model, population):
    spikes, histograms = embed(model, population), model.encoder.encode(convert_histograms(as_cells(population)))
    cosine = (spikes * histograms).sum(axis=1) / np.linalg.norm(spikes, axis=1) / np.linalg.norm(histograms, axis=1)
    assert cosine.min() > 0.98
    for head in model.heads.values():
        assert head.compute_probabilities(spikes).argmax(axis=1).tolist() == (
            head.compute_probabilities(histograms).argmax(axis=1).tolist()
        )


@pytest.mark.filterwarnings("ignore::nwb_neurid.errors.NeuridWarning")
def test_a_recorded_cell_has_one_vector_as_spikes_and_as_histograms(model, shared_data):
    """22 juxtacellular cells that CellExplorer keeps as histograms, in the order of their sessions; one has 6 s."""
    cells = np.load(shared_data / "identified_cells" / "cellexplorer.npz")
    rows = cells["cell_type"] == "Juxt"
    known = Cells(**{name: cells[name][rows] for name in ("isi", "acg_log", "acg_wide")})
    paths = sorted(shared_data.glob("cellexplorer*/sub-hc*.nwb"), key=lambda path: path.stem.rpartition("ses-")[2])
    recorded = [read(path) for path in paths]
    long = [part.duration_s >= model.spec.min_observed_s for part in recorded]
    assert (len(recorded), sum(long)) == (23, 22)
    spikes = np.concatenate([embed(model, part) for part, enough in zip(recorded, long, strict=True) if enough])
    histograms = model.encoder.encode(convert_histograms(known))[long]
    cosine = (spikes * histograms).sum(axis=1) / np.linalg.norm(spikes, axis=1) / np.linalg.norm(histograms, axis=1)
    assert cosine.min() > 0.98
    assert np.median(cosine) > 0.998
    head = model.heads["cell_type"]
    labels = [head.compute_probabilities(vectors).argmax(axis=1).tolist() for vectors in (spikes, histograms)]
    assert labels[0] == labels[1]


def test_a_vector_is_free_of_the_scale_of_its_waveform(model, population):
    scaled = replace(population, waveforms_uv=population.waveforms_uv * np.float32(0.0078125))
    np.testing.assert_allclose(embed(model, scaled), embed(model, population), atol=1e-5)


def test_the_sign_of_a_waveform_matters(model, population):
    turned = replace(population, waveforms_uv=-population.waveforms_uv)
    change = np.abs(embed(model, turned) - embed(model, population))
    own = np.r_[model.encoder.columns["shape"], model.encoder.columns["waveform"]]
    assert change[:4][:, own].max(axis=1).min() > 0.1
    assert not np.delete(change, own, axis=1).any()


def test_a_waveform_at_another_rate_is_the_same(model, population):
    rate_hz = 20000.0
    waveforms = np.stack([spike(0.2 + 0.1 * unit, rate_hz) for unit in range(6)]).astype(np.float32)
    waveforms[4:] = np.nan
    other = embed(model, replace(population, waveforms_uv=waveforms, waveform_rate_hz=rate_hz))
    mine = embed(model, population)
    cosine = (other * mine).sum(axis=1) / np.linalg.norm(other, axis=1) / np.linalg.norm(mine, axis=1)
    assert cosine.min() > 0.97


def test_what_is_not_known_is_zero_and_said(model, population):
    found = model.embed(population)
    own = np.r_[model.encoder.columns["shape"], model.encoder.columns["waveform"]]
    assert not found.vectors[4:, own].any()
    assert found.vectors[:4, own].any(axis=1).all()
    assert found.provenance.notes == (
        "2 of 6 units do not have a mean waveform with a known sampling rate: their vectors rest on spike times alone.",
    )
    without = model.embed(replace(population, waveforms_uv=None, waveform_rate_hz=None))
    assert without.provenance.notes[0].startswith("No unit has a mean waveform with a known sampling rate")
    np.testing.assert_array_equal(without.vectors[4:], found.vectors[4:])


def test_too_few_spikes_have_no_vector(model):
    trains = [np.linspace(1, 50, count) for count in (0, 1, 19, 20)]
    silent = Population(unit_ids=np.arange(4), activity=Spikes.of(trains), observed_s=WHOLE, source="made")
    found = model.embed(silent)
    assert found.reasons.tolist() == [
        "no spikes in observed time",
        "too few spikes: 1 of 20",
        "too few spikes: 19 of 20",
        "",
    ]


def test_coarse_times_leave_fine_bins_unknown(model, population):
    trains = [np.unique(np.round(population.spikes.train_s(unit), 2)) for unit in range(6)]
    coarse = replace(population, activity=replace(Spikes.of(trains), resolution_s=0.01))
    inputs = measure_population(coarse)
    assert np.isnan(inputs["lags"][:, :20]).all()
    assert np.isfinite(inputs["lags"][:, 60:]).all()
    assert np.isnan(inputs["linear"]).all()
    found = model.embed(coarse)
    assert found.provenance.notes[-1] == "Spike times are exact to 10 ms only: what is finer is left out."
    assert np.isfinite(found.vectors).all()


def test_lags_longer_than_the_observation_are_unknown():
    train_s = fire(20.0, 0)
    runs_s = np.array([[start, start + 1.0] for start in range(0, 100, 2)], np.float64)
    inside = train_s[((train_s[:, None] >= runs_s[:, 0]) & (train_s[:, None] < runs_s[:, 1])).any(axis=1)]
    found = count_histograms(inside, runs_s, 0.0)
    assert np.isnan(found.lags[EDGES_S[1:] > 1.0]).all()
    whole = count_histograms(train_s, WHOLE, 0.0)
    known = (EDGES_S[:-1] > 0.01) & (EDGES_S[1:] < 0.3)
    assert np.abs(found.lags[known] / whole.lags[known] - 1).mean() < 0.15


def test_long_lags_counted_in_bins_are_those_of_pairs():
    train_s = fire(8.0, 3)
    found = count_histograms(train_s, WHOLE, 0.0)
    pairs = count_pairs(train_s, WHOLE, EDGES_S)
    room = 1 - (EDGES_S[1:] + EDGES_S[:-1]) / 2 / DURATION_S
    np.testing.assert_allclose(found.lags, pairs / (len(train_s) * WIDTHS_S * room), rtol=0.02, atol=0.02)


def test_a_train_of_one_steady_rate_is_flat():
    rng = np.random.default_rng(0)
    train_s = np.sort(rng.uniform(0, DURATION_S, 18_000))
    found = count_histograms(train_s, WHOLE, 0.0)
    np.testing.assert_allclose(found.lags[40:], 20.0, rtol=0.06)
    np.testing.assert_allclose(found.linear, 20.0, rtol=0.2)


@pytest.mark.parametrize("waveform", [np.zeros(40), np.full(40, 3.0), np.full(40, np.nan), np.ones(2)])
def test_a_waveform_without_a_shape_is_missing(waveform):
    assert measure_waveform(waveform, RATE_HZ) is None


def test_training_is_deterministic_and_needs_no_label(population):
    options = TrainingOptions(steps=20, seed=0)
    trained = []
    for _ in range(2):
        encoder = new_model("fingerprint", untrained=True).encoder
        log = encoder.fit([population, population], options)
        trained.append(encoder.state())
    assert log.finished
    assert log.loss[-1] <= log.loss[0]
    assert trained[0].keys() == trained[1].keys()
    for name, values in trained[0].items():
        np.testing.assert_array_equal(values, trained[1][name])


def test_there_is_nothing_to_learn_of_one_unit(population):
    alone = population.select(np.arange(6) == 0)
    with pytest.raises(
        CannotTrain, match="two units with 20 spikes or more are needed, the recordings have 1 together"
    ):
        new_model("fingerprint", untrained=True).encoder.fit([alone], TrainingOptions(steps=2))


def test_weights_that_do_not_fit_are_refused(model):
    state = dict(model.encoder.state())
    name = next(iter(state))
    state[name] = state[name][..., :1]
    with pytest.raises(WrongWeights):
        model.plugin.build(model.encoder.config, state, "cpu")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"acg_log": np.ones((2, 99))}, r"acg_log must have shape \(2, 100\), got \(2, 99\)\."),
        ({"isi": np.ones((2, 50))}, r"isi must have shape \(2, 100\), got \(2, 50\)\."),
        ({"acg_wide": np.ones((2, 1000))}, r"acg_wide must have shape \(2, 1001\), got \(2, 1000\)\."),
        ({"waveform": np.ones((3, 40))}, r"waveform must have shape \(2, samples\), got \(3, 40\)\."),
        ({"waveform_rate_hz": 0.0}, r"waveform_rate_hz must be a rate in Hz, got 0\.0\."),
        ({"waveform_rate_hz": None}, r"waveform_rate_hz must be a rate in Hz, got None\."),
    ],
)
def test_histograms_of_other_bins_are_refused(changes, wanted):
    parts = {"isi": np.ones((2, 100)), "acg_log": np.ones((2, 100)), "acg_wide": np.ones((2, 1001))}
    parts |= {"waveform": np.ones((2, 40)), "waveform_rate_hz": RATE_HZ}
    with pytest.raises(InvalidOption, match=wanted):
        Cells(**{**parts, **changes})


def test_inputs_have_their_widths(population):
    for inputs in (measure_population(population), convert_histograms(as_cells(population))):
        assert {name: values.shape for name, values in inputs.items()} == {
            name: (6, width) for name, width in WIDTHS.items()
        }


def test_columns_tile_the_vector(model):
    assert isinstance(model.encoder, Fingerprint)
    columns = model.encoder.columns
    assert sum(part.stop - part.start for part in columns.values()) == model.encoder.dim
    assert columns["shape"].start == 0
