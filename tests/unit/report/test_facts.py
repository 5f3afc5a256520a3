"""What the page shows: numbers that are right, and neighbours as everywhere else."""

import base64
import json

import numpy as np
import pytest

from nwb_neurid.errors import InvalidResults
from nwb_neurid.model.bundled import FOLDER
from nwb_neurid.population import Population, Traces
from nwb_neurid.report.activity import describe_activity
from nwb_neurid.report.facts import LONGEST_NOTE, About, collect_facts, find_neighbours
from nwb_neurid.report.places import describe_places
from nwb_neurid.results import Embeddings, select

TYPES = {"u1": np.uint8, "i1": np.int8, "u2": np.uint16, "u4": np.uint32, "i4": np.int32}


def decode(encoded):
    values = np.frombuffer(base64.b64decode(encoded["data"]), TYPES[encoded["type"]])
    return values.reshape(encoded["shape"])


def column(facts, kind, name):
    return next(each for each in facts[kind] if each["name"] == name)


@pytest.fixture(scope="module")
def imaged():
    """Six ROIs of 3 x 3 pixels, one of which has no trace."""
    values = np.random.default_rng(0).normal(size=(6, 900)).astype(np.float32)
    values[5] = np.nan
    square = np.array([[x, y, 1] for x in range(3) for y in range(3)], np.float32)
    return Population(
        unit_ids=np.arange(6),
        activity=Traces(values=values, rate_hz=30.0),
        observed_s=np.array([[0.0, 30.0]]),
        masks_px=tuple(square + 10 * row * np.array([1, 0, 0], np.float32) for row in range(6)),
        source="imaged.nwb",
    )


def embed(population, dim=3):
    return Embeddings.of(population, np.random.default_rng(1).normal(size=(len(population), dim)))


def test_every_unit_has_its_row(facts, recorded):
    assert facts["ids"] == [str(unit) for unit in recorded.unit_ids]
    for text in facts["texts"]:
        assert len(text["codes"]) == len(recorded)
    for number in facts["numbers"]:
        assert len(number["values"]) == len(recorded)
    assert facts["points"]["x"][7] is None
    assert column(facts, "texts", "why no vector")["levels"] == ["", "silent"]


def test_rates_are_of_observed_time(facts, recorded):
    rate = len(recorded.spikes.train_s(4)) / 38.0
    assert column(facts, "numbers", "firing rate (Hz)")["values"][4] == pytest.approx(rate, rel=1e-3)


def test_rasters_of_short_trials_include_gaps(make_population):
    trials = make_population(units=3, duration_s=30.0, gaps=[(second + 0.5, second + 1.0) for second in range(30)])
    raster = describe_activity(trials)["raster"]
    assert (raster["start_s"], raster["length_s"], raster["gaps"]) == (0.0, 29.5, True)


def test_rasters_hold_the_spikes_of_the_longest_run(facts, recorded):
    raster = facts["activity"]["raster"]
    assert (raster["start_s"], raster["length_s"], raster["gaps"]) == (12.0, 28.0, False)
    splits, times = decode(raster["splits"]), decode(raster["times"])
    train = recorded.spikes.train_s(9)
    shown = 12.0 + times[splits[9] : splits[10]] / 65_535 * 28.0
    np.testing.assert_allclose(shown, train[train >= 12.0], atol=28 / 65_535)


def test_interval_histograms_are_shares(facts, recorded):
    shares, edges = facts["activity"]["intervals"], np.array(facts["activity"]["intervals"]["edges_ms"])
    heights = decode(shares["values"])[3] / 255 * shares["peak"][3]
    wanted = np.histogram(1e3 * recorded.intervals_s(3), edges)[0]
    np.testing.assert_allclose(heights, 100 * wanted / len(recorded.intervals_s(3)), atol=shares["peak"][3] / 200)


def test_autocorrelograms_of_poisson_neurons_are_flat_at_their_rate(facts):
    shown = facts["activity"]["autocorrelograms"]
    rates = decode(shown["values"]) / 255 * np.array(shown["peak_hz"])[:, None]
    assert rates.mean() == pytest.approx(10.0, rel=0.1)


def test_neighbours_are_those_of_the_embeddings(recorded, facts):
    embeddings = Embeddings.of(recorded, np.random.default_rng(3).normal(size=(len(recorded), 4)))
    found = find_neighbours(embeddings)
    for row in (0, 17, 59):
        assert found[row].tolist() == embeddings.most_alike(row, 5).tolist()
    assert (decode(facts["neighbours"])[7] == -1).all()
    assert 7 not in decode(facts["neighbours"])


@pytest.mark.parametrize("units", [0, 1, 2, 3])
def test_few_units_have_a_page_too(make_population, collect, units):
    population = make_population(units=3).select(np.arange(units))
    made = collect_facts(population, embed(population), (), About(name="few", path="few.nwb"))
    assert len(made["ids"]) == units
    assert decode(made["neighbours"]).shape == (units, 5)


def test_clusters_have_a_column_and_a_line_each(recorded):
    vectors = np.random.default_rng(0).normal(size=(60, 3)) + 50 * np.eye(3)[np.arange(60) % 3]
    made = collect_facts(recorded, Embeddings.of(recorded, vectors), (), About(name="made", path="made.nwb"))
    column_ = column(made, "texts", "cluster")
    assert sorted(np.bincount(column_["codes"]).tolist()) == [20, 20, 20]
    assert [line.partition(":")[0] for line in made["clusters"]] == [f"cluster {n}, 20 units" for n in range(3)]
    assert "HDBSCAN" in made["methods"]


def test_results_on_other_units_are_refused(recorded):
    part = select(embed(recorded), np.arange(5))
    with pytest.raises(InvalidResults, match=r"a\.nwb has results on 5 units, the recording has 60\."):
        collect_facts(recorded, part, (), About(name="part", path="a.nwb"))


def test_confusion_and_reliability_are_counted_where_truth_is_known(facts):
    (prediction,) = facts["predictions"]
    truth = prediction["truth"]
    assert truth["columns"] == ["PV", "SST", "VIP", "abstained"]
    assert truth["units"] == np.sum(truth["counts"]) == 60 - len([row for row in range(60) if row % 7 == 0])
    assert (truth["accuracy"], truth["accuracy_of_all"]) == (1.0, 1.0)
    (bin_,) = truth["reliability"]
    assert (bin_["confidence"], bin_["accuracy"], bin_["units"]) == (0.7, 1.0, truth["units"])
    assert prediction["abstained"] == [
        {"reason": "not confident enough", "units": 12},
        {"reason": "silent", "units": 1},
    ]


def test_methods_name_versions_and_what_is_cited(facts):
    for words in (
        "59 of 60 sorted units",
        "encoder test version 1",
        "on made neurons",
        "cell_type",
        "numpy 2",
        "t-SNE",
    ):
        assert words in facts["methods"]
    for words in (
        "@software{nwb_neurid",
        "eprint = {2501.00001}",
        "eLife",
        "vandermaaten2008tsne",
        "campello2013hdbscan",
    ):
        assert words in facts["bibtex"]
    assert facts["card"] == "# A card"


def test_rois_have_outlines_and_traces(imaged):
    made = collect_facts(imaged, embed(imaged), (), About(name="imaged", path="imaged.nwb"))
    assert made["places"]["kind"] == "rois"
    assert made["places"]["outlines"][1][0::2] == pytest.approx([9.5, 9.5, 12.5, 12.5], abs=3)
    assert made["places"]["x"][2] == pytest.approx(21.0, abs=0.5)
    traces = decode(made["activity"]["traces"]["values"])
    assert traces.shape == (6, 300)
    assert (traces[5] == 0).all()
    assert traces[0].max() == 255
    assert made["activity"]["traces"]["step_s"] == pytest.approx(0.1)


def test_probes_stand_side_by_side_and_depth_goes_up(facts):
    places = facts["places"]
    assert places["titles"] == ["x (µm), probes side by side", "y (µm)"]
    assert places["y"][3] == 60.0
    assert len({*places["x"]}) == 2


def test_units_at_one_place_are_spread(make_population):
    population = make_population(units=4, positions_um=np.zeros((4, 3), np.float32))
    places = describe_places(population)
    assert len({*places["x"]}) == 4
    assert places["titles"][0].endswith("(µm), overlaps spread")


def test_without_places_there_is_no_map_of_them(make_population):
    assert describe_places(make_population(units=2)) is None
    nowhere = make_population(units=2, positions_um=np.full((2, 3), np.nan, np.float32))
    assert describe_places(nowhere) is None


def test_caveats_of_a_head_are_not_cut():
    (about,) = [json.loads(path.read_text("utf-8")) for path in (FOLDER / "cell-types").glob("heads/*.json")]
    assert max(map(len, about["caveats"])) < LONGEST_NOTE
