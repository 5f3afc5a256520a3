from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.criteria import CRITERIA, apply_criterion, choose_criteria
from nwb_neurid.labels.criteria.timing import fit_rise_ms
from nwb_neurid.labels.criteria.waveform import measure_trough_to_peak_ms
from nwb_neurid.population import Population, Spikes, Traces

RATE_HZ = 30000.0
DURATION_S = 600.0


def spike(trough_to_peak_ms, *, samples=60):
    t = (np.arange(samples) - 20) / 30
    return (-np.exp(-((t / 0.1) ** 2)) + 0.3 * np.exp(-(((t - trough_to_peak_ms) / 0.15) ** 2))).astype(np.float32)


def fire(rng, hz, *, refractory_s=0.002, burst=0.0):
    """A train with a refractory time; a share of its spikes is followed by another 4 ms later."""
    intervals = refractory_s + rng.exponential(1 / hz, int(2 * hz * DURATION_S))
    train_s = np.cumsum(intervals)
    train_s = train_s[train_s < DURATION_S - 0.01]
    followed = train_s[:-1][(np.diff(train_s) > 0.012) & (rng.random(len(train_s) - 1) < burst)]
    return np.sort(np.r_[train_s, followed + rng.normal(0.004, 0.0007, len(followed))])


def rise_slowly(rng, hz=20.0, tau_s=0.02):
    """A train whose autocorrelogram recovers slowly after each spike."""
    proposed = np.cumsum(rng.exponential(1 / (3 * hz), int(4 * hz * DURATION_S)))
    kept, last = [], -1.0
    for time in proposed[proposed < DURATION_S - 0.01]:
        if rng.random() < 1 - np.exp(-(time - last) / tau_s):
            kept.append(time)
            last = time
    return np.array(kept)


@pytest.fixture(scope="module")
def recording():
    """A narrow interneuron, a bursting pyramidal cell, an interneuron with a wide spike, and two that are not clear."""
    rng = np.random.default_rng(0)
    trains = [fire(rng, 30), fire(rng, 2, burst=0.5), rise_slowly(rng), fire(rng, 5), fire(rng, 0.05)]
    waveforms = np.stack([spike(0.25), spike(0.6), spike(0.6), np.full(60, np.nan), spike(0.6)])
    return Population(
        unit_ids=np.arange(5),
        activity=Spikes.of(trains),
        observed_s=np.array([[0.0, DURATION_S]]),
        waveforms_uv=waveforms.astype(np.float32),
        waveform_rate_hz=RATE_HZ,
        source="a.nwb",
    )


def with_regions(population, *regions):
    return replace(population, labels={"brain_region": np.array(regions)})


def judge(population, name="cellexplorer"):
    return apply_criterion(CRITERIA[name], population)


def test_putative_types_by_waveform_and_autocorrelogram(recording):
    predictions = judge(recording).predictions
    assert predictions.label.tolist() == ["narrow interneuron", "pyramidal", "wide interneuron", "", ""]
    assert predictions.reasons.tolist()[3:] == [
        "no mean waveform with a known sampling rate",
        "too few spikes: 35 of 100",
    ]


def test_a_criterion_is_no_classifier(recording):
    judgement = judge(recording)
    predictions = judgement.predictions
    assert np.isnan(predictions.probability).all()
    assert np.isnan(predictions.coverage)
    assert not predictions.prediction_set.any()
    assert "no classifier" in predictions.scope
    assert "hippocampus and cortex" in predictions.scope
    assert "no classifier" in predictions.provenance.training
    assert predictions.provenance == judgement.measured.provenance
    assert predictions.provenance.config["thresholds"] == {"trough_to_peak_ms": 0.425, "acg_tau_rise_ms": 6.0}
    assert "Petersen et al. 2021" in predictions.notes[0]


def test_what_was_measured_is_kept(recording):
    measured = judge(recording).measured
    assert measured.vectors[:3, 0].tolist() == pytest.approx([0.25, 0.6, 0.6], abs=0.04)
    assert measured.vectors[2, 1] > 6 > measured.vectors[1, 1]
    assert measured.reasons.tolist()[3:] == [
        "no mean waveform with a known sampling rate",
        "too few spikes: 35 of 100",
    ]


def test_one_line_says_what_was_found(recording):
    assert judge(recording).summary == (
        "putative cell type by CellExplorer's criterion: 1 narrow interneuron, 1 wide interneuron, 1 pyramidal, "
        "2 abstained: 1 no mean waveform with a known sampling rate; 1 too few spikes"
    )
    noise = replace(recording, excluded={0: "group is 'noise'", 4: "group is 'noise'"})
    assert judge(noise).summary == (
        "putative cell type by CellExplorer's criterion: 1 wide interneuron, 1 pyramidal, "
        "1 abstained: 1 no mean waveform with a known sampling rate"
    )


def test_it_is_not_applied_where_it_is_not_valid(recording):
    predictions = judge(with_regions(recording, "CA1", "LP", "VISp2/3", "CA1", "")).predictions
    assert predictions.label.tolist() == ["narrow interneuron", "", "wide interneuron", "", ""]
    assert predictions.reasons[1] == "not valid in its region: LP"


def test_units_without_spikes_and_excluded_ones_have_their_reasons(recording):
    silent = replace(
        recording,
        activity=Spikes.of([np.empty(0), *[recording.spikes.train_s(unit) for unit in range(1, 5)]]),
        unit_observed=np.array([[True], [False], [True], [True], [True]]),
        excluded={2: "quality is noise"},
    )
    reasons = judge(silent).predictions.reasons.tolist()
    assert reasons[:3] == ["no spikes in observed time", "never observed", "quality is noise"]


def test_coarse_spike_times_give_no_autocorrelogram(recording):
    coarse = Spikes.of([np.unique(np.round(recording.spikes.train_s(unit), 2)) for unit in range(5)], resolution_s=0.01)
    predictions = judge(replace(recording, activity=coarse)).predictions
    assert predictions.label[0] == "narrow interneuron"  # its waveform says enough
    assert predictions.reasons[1] == "spike times too coarse for an autocorrelogram: 10 ms"


def test_a_short_waveform_that_is_narrow_so_far_says_nothing(recording):
    short = replace(recording, waveforms_uv=np.tile(spike(0.6)[:30], (5, 1)))
    assert judge(short).predictions.reasons[0] == "its waveform ends before its peak"
    longer = replace(recording, waveforms_uv=np.tile(spike(0.8)[:36], (5, 1)))  # already wide where it ends
    assert judge(longer).predictions.label[1] == "pyramidal"


@pytest.mark.parametrize("waveform", [np.zeros(60), np.full(60, 3.0), np.r_[1.0, -1.0, 0.5, np.full(57, np.nan)]])
def test_a_waveform_without_a_spike_is_none(recording, waveform):
    flat = replace(recording, waveforms_uv=np.tile(waveform.astype(np.float32), (5, 1)))
    assert set(judge(flat).predictions.reasons.tolist()) == {"no mean waveform with a known sampling rate"}


def test_bombcell_in_striatum(recording):
    rng = np.random.default_rng(1)
    population = Population(
        unit_ids=np.arange(5),
        activity=Spikes.of(
            [
                fire(rng, 1.0),
                fire(rng, 20),
                fire(rng, 6, refractory_s=0.08),
                np.sort(np.r_[fire(rng, 20)[:400], 300.0]),
                fire(rng, 20),
            ]
        ),
        observed_s=np.array([[0.0, DURATION_S]]),
        waveforms_uv=np.stack([spike(0.6), spike(0.3), spike(0.6), spike(0.3), spike(0.3)]),
        waveform_rate_hz=RATE_HZ,
        labels={"brain_region": np.array(["CP", "STR", "striatum", "CP", "LP"])},
    )
    judgement = judge(population, "bombcell")
    assert judgement.predictions.label.tolist() == ["MSN", "FSI", "TAN", "UIN", ""]
    assert judgement.predictions.reasons[4] == "not valid in its region: LP"
    assert judgement.predictions.label_name == "putative_cell_type_bombcell"


def test_bombcell_in_cortex_looks_at_the_waveform_alone(recording):
    predictions = judge(with_regions(recording, "VISp", "VISp", "S1", "S1", ""), "bombcell").predictions
    assert predictions.label.tolist() == ["narrow-spiking", "wide-spiking", "wide-spiking", "", ""]
    assert predictions.reasons.tolist()[3:] == [
        "no mean waveform with a known sampling rate",
        "its brain region is not known",
    ]


def test_bombcell_needs_spikes_in_striatum(recording):
    predictions = judge(with_regions(recording, *["CP"] * 5), "bombcell").predictions
    assert predictions.reasons[4] == "too few spikes: 35 of 100"


def test_what_fits_the_recording_is_chosen(recording):
    def chosen(population, name="auto"):
        return [criterion.name for criterion in choose_criteria(population, name)]

    assert chosen(recording) == ["cellexplorer"]
    assert chosen(with_regions(recording, *["CA1"] * 5)) == ["cellexplorer"]
    assert chosen(with_regions(recording, *["LP"] * 5)) == []
    assert chosen(with_regions(recording, "CP", *["LP"] * 4)) == ["bombcell"]
    assert chosen(recording, "none") == []
    assert chosen(recording, "bombcell") == ["bombcell"]
    with pytest.raises(InvalidOption, match=r"There is no criterion 'width'\. Choose one of: auto, cellexplorer"):
        choose_criteria(recording, "width")


def test_criteria_are_for_spikes():
    traces = Population(
        unit_ids=np.arange(2),
        activity=Traces(values=np.zeros((2, 100), np.float32), rate_hz=10.0),
        observed_s=np.array([[0.0, 10.0]]),
        source="b.nwb",
    )
    assert choose_criteria(traces) == []
    with pytest.raises(InvalidOption, match=r"is for spikes, b\.nwb has dff\. Leave --criteria out"):
        choose_criteria(traces, "cellexplorer")


@pytest.mark.slow
def test_they_agree_with_cellexplorer_itself(shared_data):
    """On 343 cells whose metrics CellExplorer computed, of waveforms that are resampled there and cut after 0.7 ms."""
    cells = np.load(shared_data / "identified_cells" / "cellexplorer.npz")
    duration_ms, rise_ms = cells["features"][:, 3], cells["features"][:, 11]
    measured = [measure_trough_to_peak_ms(waveform, 1e3 / 0.03) for waveform in cells["waveform"]]
    ours_ms, cut = np.array([value for value, _ in measured]), np.array([cut for _, cut in measured])
    assert np.mean(np.abs(ours_ms - duration_ms)[~cut] <= 0.03 + 1e-6) > 0.97
    narrow, wide = cells["acg_narrow"][:, 101:].astype(float), cells["acg_wide"][:, 501:].astype(float)
    in_hz = narrow * (2 * wide[:, :45].sum(axis=1) / np.maximum(narrow[:, :90].sum(axis=1), 1e-9))[:, None]
    in_hz[:, 0] = 0.0
    known = np.isfinite(in_hz).all(axis=1)
    fitted_ms = np.full(len(cells["waveform"]), np.nan)  # of narrow ones nothing depends on it
    fitted_ms[known & (ours_ms > 0.425)] = [fit_rise_ms(row) for row in in_hz[known & (ours_ms > 0.425)]]

    def classify(duration, rise):
        return np.where(duration <= 0.425 + 1e-9, 0, np.where(rise > 6, 1, 2))

    agree = classify(ours_ms[known], fitted_ms[known]) == classify(duration_ms[known], rise_ms[known])
    assert np.mean(agree) > 0.95
