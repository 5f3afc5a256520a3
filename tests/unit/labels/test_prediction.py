"""Predictions name what can be named, and decline the rest with the reason."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import CannotEncode, InvalidOption, NeuridWarning, WrongWeights
from nwb_neurid.labels.head import PublishedPrior, RequiredPart
from nwb_neurid.labels.prediction import parse_prior, predict
from nwb_neurid.population import Population, Spikes, Traces


def test_most_units_are_named_and_rightly(animals, trained):
    new = animals(5, seed=1)
    found = predict(trained, new.embeddings())
    named = ~found.abstained
    assert named.mean() > 0.5
    wrong = found.label != new.labels
    assert wrong[named].mean() < wrong.mean() / 2
    assert np.all((found.reasons == "") == named)
    assert found.ood_score.min() >= 0
    assert found.label_name == "cell_type"
    assert found.coverage == 0.9


def test_the_most_probable_class_is_always_in_the_set(animals, trained):
    for coverage in (0.1, 0.5, 0.9, 0.99):
        found = predict(trained, animals(seed=1).embeddings(), coverage=coverage)
        rows = np.arange(len(found))
        best = found.class_probabilities.argmax(axis=1)
        assert found.prediction_set[rows, best].all()
        assert np.all(found.classes[best] == found.label)
        assert found.coverage == coverage


def test_sets_grow_with_the_coverage(animals, trained):
    sets = [predict(trained, animals(seed=1).embeddings(), coverage=share).prediction_set for share in (0.5, 0.9, 0.99)]
    assert np.all(sets[0] <= sets[1])
    assert np.all(sets[1] <= sets[2])
    assert sets[0].sum() < sets[2].sum()


def test_between_two_classes_both_are_plausible(trained, embedded):
    found = predict(trained, embedded([[1.5, 1.5, 0, 0]]))
    assert found.abstained.all()
    assert found.reasons.tolist() == ["several classes are plausible at a coverage of 0.9: CH, FS"]


def test_where_no_class_is_plausible_the_best_is_declined(trained, embedded):
    found = predict(trained, embedded([[1.5, 1.5, 0, 0]]), coverage=0.2)
    assert found.reasons.tolist() == ["no class is plausible at a coverage of 0.2"]
    assert found.prediction_set.sum() == 1


def test_what_was_never_seen_is_declined(trained, embedded):
    found = predict(trained, embedded([[40.0, 0, 0, 0], [3.0, 0, 0, 0]]))
    assert found.reasons.tolist() == ["unlike anything seen in training", ""]
    assert found.ood_score[0] == 1.0
    assert found.ood_score[1] < 0.9


def test_a_class_that_was_left_out_of_training_is_declined(animals):
    data, new = animals(distance=8.0), animals(5, distance=8.0, seed=1)
    data.labels[data.labels == "CH"] = ""
    found = predict(data.fit(), new.embeddings())
    assert found.abstained[new.labels == "CH"].mean() > 0.95
    assert found.abstained[new.labels != "CH"].mean() < 0.1


def test_a_unit_without_a_vector_keeps_its_reason(trained, embedded):
    found = predict(trained, embedded([[np.nan] * 4, [3.0, 0, 0, 0]]))
    assert found.reasons.tolist() == ["no spikes", ""]
    assert found.label.tolist() == ["", "CH"]
    assert np.isnan(found.class_probabilities[0]).all()
    assert np.isnan(found.ood_score[0])
    assert not found.prediction_set[0].any()


def test_too_few_windows_or_spikes_are_too_little_evidence(trained, embedded, make_population):
    vectors = [[3.0, 0, 0, 0]] * 2
    few = predict(trained, embedded(vectors, n_windows=3, window_s=10.0))
    assert few.reasons.tolist() == ["too little evidence: 3 of 4 windows"] * 2
    population = make_population(units=2, duration_s=1.0)
    count = population.spikes.counts()[0]
    found = predict(trained, embedded(vectors), population=population)
    assert found.reasons[0] == f"too little evidence: {count} of 50 spikes"
    assert predict(trained, embedded(vectors), population=population, min_spikes=1).reasons.tolist() == ["", ""]


def test_another_kind_of_activity_is_declined_whole(trained, embedded, make_population):
    head = replace(trained, details={"activities": ["dff"]})
    found = predict(head, embedded([[3.0, 0, 0, 0]] * 2), population=make_population(units=2))
    assert found.reasons.tolist() == ["unlike anything seen in training: spikes, fitted on dff"] * 2


KINDS = ("dff", "fluorescence", "deconvolved")


@pytest.mark.parametrize("fitted", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_imaging_are_not_taken_for_each_other(trained, embedded, fitted, kind):
    imaged = Population(
        unit_ids=np.arange(2),
        activity=Traces(values=np.eye(2, 50, dtype=np.float32), rate_hz=10.0, kind=kind),
        observed_s=np.array([[0.0, 5.0]]),
    )
    head = replace(trained, details={"activities": [fitted]})
    found = predict(head, embedded([[3.0, 0, 0, 0]] * 2), population=imaged)
    why = "" if kind == fitted else f"unlike anything seen in training: {kind}, fitted on {fitted}"
    assert found.reasons.tolist() == [why] * 2
    assert found.abstained.all() == (kind != fitted)


def test_a_prior_moves_the_decision(trained, embedded):
    between = embedded([[1.5, 1.5, 0, 0]])
    often = {"CH": 1.0, "FS": 98.0, "RS": 1.0}
    assert predict(trained, between, prior=often).label.tolist() == ["FS"]
    assert predict(trained, between, prior={**often, "CH": 98.0, "FS": 1.0}).label.tolist() == ["CH"]
    assert "Probabilities use the class shares that were given" in " ".join(
        predict(trained, between, prior="uniform").notes
    )
    np.testing.assert_allclose(parse_prior(trained, often), [0.01, 0.98, 0.01])


@pytest.mark.parametrize(
    ("prior", "wanted"),
    [
        ("flat", r"A prior must be a share for each class of cell_type, or one of uniform, got 'flat'\."),
        ({"CH": 1.0}, r"needs a share for each class of cell_type \(CH, FS, RS\), got CH\."),
        ({"CH": 1.0, "FS": -1.0, "RS": 1.0}, r"shares of a prior must not be negative, got \{'CH': 1\.0, 'FS': -1\.0"),
        ({"CH": 0.0, "FS": 0.0, "RS": 0.0}, r"shares of a prior must not be negative"),
    ],
)
def test_a_prior_that_cannot_be_is_an_error(trained, prior, wanted):
    with pytest.raises(InvalidOption, match=wanted):
        parse_prior(trained, prior)


def test_few_animals_promise_nothing_and_say_so(animals, trained):
    few = predict(animals(8).fit(), animals(1).embeddings())
    note = "Nominal coverage, not guaranteed for new animals: calibrated on 8 animals (a guarantee needs 9)."
    assert few.notes == (note,)
    assert predict(trained, animals(1).embeddings()).notes == ()
    assert "(a guarantee needs 19)." in predict(trained, animals(1).embeddings(), coverage=0.95).notes[0]


def test_a_head_takes_no_vectors_of_other_weights(animals):
    data = animals(3)
    encoder = {"encoder": "isi", "encoder_version": "1", "config": {}, "weights_sha256": "aa"}
    head = data.fit(encoder=encoder)
    assert len(predict(head, data.embeddings(weights_sha256="aa"))) == len(data.labels)
    message = (
        "The label head 'cell_type' was fitted to vectors of another encoder: weights_sha256 'bb', expected 'aa'. Fit "
        "a head to this one: nwb-neurid fit-labels."
    )
    with pytest.raises(WrongWeights) as caught:
        predict(head, data.embeddings(weights_sha256="bb"))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"coverage": 0.0}, r"coverage must lie above 0 and below 1, such as 0.9, got 0\.0\."),
        ({"smooth": True}, r"--smooth averages over neighbours, which share a region but not a cell_type\."),
    ],
)
def test_options_that_cannot_be_are_an_error(animals, trained, options, wanted):
    with pytest.raises(InvalidOption, match=wanted):
        predict(trained, animals(1).embeddings(), **options)


def test_vectors_and_population_must_fit(trained, embedded, make_population):
    with pytest.raises(InvalidOption, match=r"takes vectors of 4 dimensions, got 3\."):
        predict(trained, embedded([[0.0] * 3]))
    with pytest.raises(InvalidOption, match=r"must hold the units of the embeddings, in the same order\."):
        predict(trained, embedded([[0.0] * 4]), population=make_population(units=3))


def regions(animals, *, neighbours=True):
    """A head for regions, whose units stand in stretches along a probe, and what it has to name."""
    data = animals(10, 30, distance=1.2)
    order = np.lexsort([data.labels, data.subjects])
    data.vectors, data.labels, data.subjects = data.vectors[order], data.labels[order], data.subjects[order]
    rows = np.arange(len(order))
    near = np.column_stack([rows, *(np.where((rows + step) // 30 == rows // 30, rows + step, -1) for step in (1, -1))])
    return data, data.fit(label_name="brain_region", neighbours=near if neighbours else None)


def test_neighbours_vote_for_regions(animals, make_population):
    data, head = regions(animals)
    vectors, truth = data.vectors[:30], data.labels[:30]
    places = np.column_stack([np.zeros(30), 20.0 * np.arange(30), np.zeros(30)]).astype(np.float32)
    population = make_population(units=30, group=np.full(30, "probe"), positions_um=places)
    data.vectors = vectors
    alone, voted = (predict(head, data.embeddings(), smooth=smooth, population=population) for smooth in (False, True))
    assert np.mean(voted.label == truth) > np.mean(alone.label == truth)
    assert np.mean(voted.prediction_set.sum(axis=1)) < np.mean(alone.prediction_set.sum(axis=1))
    assert "means over up to five nearest units" in voted.notes[-1]
    covered = [name in voted.classes[row] for name, row in zip(truth, voted.prediction_set, strict=True)]
    assert np.mean(covered) > 0.85


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ({}, r"the group \(probe\) of the units of this population are not known\. Leave it out\."),
        ({"group": np.full(30, "a")}, r"the positions of the units of this population are not known"),
        (None, r"Smoothing needs the population, for the groups and positions of its units\."),
    ],
)
def test_neighbours_need_groups_and_positions(animals, make_population, parts, wanted):
    data, head = regions(animals)
    data.vectors = data.vectors[:30]
    population = None if parts is None else make_population(units=30, **parts)
    with pytest.raises(InvalidOption, match=wanted):
        predict(head, data.embeddings(), smooth=True, population=population)


def test_a_head_without_positions_does_not_smooth(animals):
    data, head = regions(animals, neighbours=False)
    with pytest.raises(
        InvalidOption, match=r"'brain_region' was fitted to units without positions, so its prediction sets"
    ):
        predict(head, data.embeddings(), smooth=True)


def test_a_class_that_is_said_not_to_occur_is_in_no_set(animals):
    data = animals(3)
    data.labels[data.subjects == "mouse 0"] = "CH"  # an animal that then tells nothing
    with pytest.warns(NeuridWarning, match="1 of 3 subjects have units of one cell_type only"):
        head = data.fit()
    found = predict(head, data.embeddings(), prior={"CH": 0.0, "FS": 1.0, "RS": 1.0})
    assert not found.prediction_set[:, 0].any()
    assert not found.class_probabilities[:, 0].any()


def test_a_part_that_a_head_needs_is_missing(trained, embedded):
    head = replace(trained, required=RequiredPart(dims=(0, 1), reason="no waveform"))
    found = predict(head, embedded([[3.0, 0, 0, 0], [0.0, 0, 3.0, 0], [np.nan] * 4]))
    assert found.reasons.tolist() == ["", "no waveform", "no spikes"]
    assert found.label[1] == "RS"


def test_a_region_that_a_head_is_not_for_is_declined(trained, embedded, make_population):
    head = replace(trained, parts=("cortex", "hippocampus"))
    regions = np.array(["VISp", "CA1", "LP", ""])
    population = make_population(labels={"brain_region": regions})
    found = predict(head, embedded([[3.0, 0, 0, 0]] * 4), population=population, min_spikes=0)
    assert found.reasons.tolist() == ["", "", "not valid in its region: LP", ""]
    anywhere = predict(trained, embedded([[3.0, 0, 0, 0]] * 4), population=population, min_spikes=0)
    assert not anywhere.abstained.any()
    unknown = predict(head, embedded([[3.0, 0, 0, 0]] * 4), population=make_population(), min_spikes=0)
    assert not unknown.abstained.any()


def test_a_prior_that_somebody_published_has_a_name(trained, animals):
    shares = {"CH": 0.1, "FS": 0.1, "RS": 0.8}
    head = replace(
        trained,
        priors={"cortex": PublishedPrior(shares=shares, source="Somebody 1999")},
        caveats=("All classes count the same.",),
    )
    new = animals(2, seed=1).embeddings()
    by_name, by_shares = predict(head, new, prior="cortex"), predict(head, new, prior=shares)
    np.testing.assert_array_equal(by_name.class_probabilities, by_shares.class_probabilities)
    assert "Probabilities use the class shares of cortex: Somebody 1999." in by_name.notes
    assert "All classes count the same." not in by_name.notes
    assert "All classes count the same." in predict(head, new).notes
    with pytest.raises(InvalidOption, match=r"or one of uniform, cortex, got 'moon'\."):
        predict(head, new, prior="moon")


def test_a_class_of_which_too_few_were_known_is_never_predicted_alone(trained, embedded):
    vectors = embedded([[3.0, 0, 0, 0], [0, 3.0, 0, 0], [1.5, 1.5, 0, 0]])
    found = predict(replace(trained, rare=("FS",)), vectors)
    assert found.reasons.tolist() == [
        "",
        "too few training units of the class: FS",
        "several classes are plausible at a coverage of 0.9: CH, FS",
    ]
    assert found.label[1] == "FS"


CLASS_CENTRES = {"CH": [3.0, 0, 0, 0], "FS": [0, 3.0, 0, 0], "RS": [0, 0, 3.0, 0]}


def test_a_class_that_changes_during_the_recording_is_not_predicted(trained, embedded):
    """Four units in four stretches of 25 s: one stays what it is, one changes, one falls silent, one is never sure."""
    stages = [
        ["CH", "CH", "CH", "CH"],
        ["FS", "FS", "RS", "CH"],
        ["FS", "FS", None, None],
        ["CH", "FS", "CH", "FS"],
    ]
    vague = [1.5, 1.5, 0, 0]
    whole = embedded([CLASS_CENTRES["CH"], CLASS_CENTRES["FS"], CLASS_CENTRES["FS"], vague])
    population = Population(
        unit_ids=np.arange(4), activity=Spikes.of([np.arange(0.5, 100)] * 4), observed_s=np.array([[0.0, 100.0]])
    )
    asked = []

    def embed(part):
        asked.append(part.observed_s.tolist())
        at = len(asked) - 1
        return embedded([CLASS_CENTRES.get(unit[at], [np.nan] * 4) for unit in stages])

    found = predict(replace(trained, stretches=4), whole, population=population, embed=embed)
    assert asked == [[[0, 25]], [[25, 50]], [[50, 75]], [[75, 100]]]
    assert found.reasons.tolist() == [
        "",
        "predicted class differs between parts of the recording: CH, RS",
        "",
        "several classes are plausible at a coverage of 0.9: CH, FS",
    ]
    assert found.label.tolist()[:3] == ["CH", "FS", "FS"]
    for head, options in (
        (trained, {"population": population, "embed": embed}),
        (replace(trained, stretches=4), {"population": population}),
        (replace(trained, stretches=4), {"embed": embed}),
    ):
        assert predict(head, whole, **options).reasons[1] == "", "nothing to compare, or not asked to"
    assert len(asked) == 4

    def refuse(part):
        raise CannotEncode("isi", "recording", ["too short"])

    assert predict(replace(trained, stretches=4), whole, population=population, embed=refuse).reasons[1] == ""
