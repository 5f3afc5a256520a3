import numpy as np
import pytest

from nwb_neurid.errors import CannotFit, InvalidOption, Leak
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.protocols import PROTOCOLS, Split, check_encoder, check_split, split_cohort

ZERO_SHOT = PROTOCOLS[1:]


@pytest.fixture
def cohort(animals):
    truth = np.concatenate([animal.labels["cell_type"] for animal in animals])
    return Cohort.of("cell_type", animals, truth)


def splits(cohort, protocol, **options):
    return split_cohort(cohort, cohort.truth != "", protocol, **options)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_unit_is_tested_once(cohort, protocol):
    tested = np.concatenate([split.test for split in splits(cohort, protocol, folds=4)])
    assert sorted(tested.tolist()) == list(range(32))


@pytest.mark.parametrize("protocol", ZERO_SHOT)
def test_no_test_subject_trains(cohort, protocol):
    for split in splits(cohort, protocol, folds=4):
        assert set(cohort.subject[split.train]) & set(cohort.subject[split.test]) == set()


def test_rows_of_one_neuron_share_a_fold(animals):
    truth = np.concatenate([animal.labels["cell_type"] for animal in animals])
    neuron = np.repeat(np.arange(16), 2)
    cohort = Cohort.of("cell_type", animals, truth, neuron=neuron)
    for split in splits(cohort, "transductive"):
        assert np.intersect1d(neuron[split.train], neuron[split.test]).size == 0


def test_one_seed_gives_one_split_and_another_gives_another(cohort):
    tests = [splits(cohort, "transductive", seed=seed)[0].test.tolist() for seed in (1, 1, 2)]
    assert tests[0] == tests[1] != tests[2]


def test_only_the_subjects_named_are_tested(cohort):
    (split,) = splits(cohort, "inductive-zero-shot", test_subjects=["mouse1"])
    assert set(cohort.subject[split.test]) == {"mouse1"}
    assert set(cohort.subject[split.train]) == {"mouse0", "mouse2", "mouse3"}


def test_recordings_that_only_train_are_not_tested(animals):
    truth = np.concatenate([animal.labels["cell_type"] for animal in animals])
    (split,) = splits(Cohort.of("cell_type", animals, truth, train_only=2), "transductive-zero-shot")
    assert split.test.tolist() == list(range(16))
    assert split.train.tolist() == list(range(16, 32))


def test_a_subject_on_both_sides_is_refused(make_animal):
    both = [make_animal(0), make_animal(1), make_animal(2, subject_id="mouse0")]
    cohort = Cohort.of("cell_type", both, np.tile(["fast", "slow"], 12), train_only=1)
    with pytest.raises(Leak, match=r"Test subjects also have recordings in --train: mouse0\. Leave"):
        splits(cohort, "transductive-zero-shot")


def test_a_split_that_leaks_is_refused(cohort):
    with pytest.raises(Leak, match="1 neurons would be in both the training and the test data"):
        check_split(cohort, Split(train=np.array([0, 1]), test=np.array([1, 2])), "transductive")
    with pytest.raises(Leak, match="subjects that it is tested on: mouse0"):
        check_split(cohort, Split(train=np.array([0, 1]), test=np.array([2])), "inductive-zero-shot")


def test_one_subject_is_too_few_to_leave_out(animals):
    cohort = Cohort.of("cell_type", animals[:1], animals[0].labels["cell_type"])
    with pytest.raises(
        CannotFit, match=r"needs at least two of them with a known cell_type, got 1 \(subjects: mouse0\)"
    ):
        splits(cohort, "inductive-zero-shot")


def test_what_leaves_nothing_to_train_on_is_refused(animals):
    cohort = Cohort.of("cell_type", animals[:1], animals[0].labels["cell_type"])
    with pytest.raises(CannotFit, match="No unit with a known cell_type is left to train on"):
        splits(cohort, "inductive-zero-shot", test_subjects=["mouse0"])


@pytest.mark.parametrize(
    ("protocol", "options", "words"),
    [
        ("inductive", {}, "There is no protocol 'inductive'. Choose one of: transductive, "),
        ("transductive", {"folds": 1}, "--folds must be at least 2, got 1"),
        (
            "transductive",
            {"test_subjects": ["rat"]},
            "no recording of the test subject rat. The recordings are of: m",
        ),
    ],
)
def test_bad_options_are_refused(cohort, protocol, options, words):
    with pytest.raises(InvalidOption, match=words.replace(".", r"\.")):
        splits(cohort, protocol, **options)


RECORD = {"subjects": ["mouse1", "mouse7"], "populations_without_subject": 0}


class TestEncoder:
    def check(self, record, *, protocol="inductive-zero-shot", learns=True):
        check_encoder("nuclr", record, protocol, ["mouse0", "mouse1"], learns=learns)

    def test_one_that_saw_a_test_subject_is_refused_by_name(self):
        with pytest.raises(Leak, match="nuclr was trained on subjects that it would be tested on: mouse1"):
            self.check(RECORD)

    @pytest.mark.parametrize("record", [{}, {"subjects": []}, {**RECORD, "populations_without_subject": 1}])
    def test_one_whose_record_does_not_tell_is_refused(self, record):
        with pytest.raises(Leak, match=r"It is not recorded which subjects .* was trained on"):
            self.check(record)

    def test_it_may_have_seen_them_otherwise(self):
        self.check(RECORD, protocol="transductive-zero-shot")
        self.check({}, learns=False)
        self.check({"subjects": ["mouse7"]})
