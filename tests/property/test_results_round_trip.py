"""What was written is read again, whatever the ids, the dimensions and the text."""

import tempfile
from pathlib import Path

import h5py
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nwb_neurid.results import Embeddings, Predictions, Provenance
from nwb_neurid.writers.nwb.store import read, write

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
provenances = st.fixed_dictionaries(
    {name: words for name in ("encoder_version", "weights_sha256", "training", "source", "session_id")}
    | {"encoder": words.filter(bool)}
    | {"config": st.dictionaries(words, json, max_size=3), "software": st.dictionaries(words, words, max_size=2)}
    | {"window_s": st.floats(0, 1e6), "stitched": st.booleans(), "notes": st.lists(words, max_size=3).map(tuple)}
)


@st.composite
def unit_ids(draw, units):
    whole = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=units, max_size=units).map(np.array)
    repeated = st.lists(st.integers(0, 2), min_size=units, max_size=units).map(lambda ids: np.array(ids, np.int32))
    named = st.lists(words, min_size=units, max_size=units).map(lambda ids: np.array(ids, np.str_))
    return draw(st.one_of(whole, repeated, named))


@st.composite
def reasons(draw, units):
    return np.array(draw(st.lists(st.just("") | words, min_size=units, max_size=units)), np.str_)


@st.composite
def embeddings(draw):
    """The parts of `Embeddings`."""
    units, dim = draw(st.integers(1, 8)), draw(st.integers(1, 12))
    why = draw(reasons(units))
    seen = why == ""
    vectors = draw(arrays(np.float32, (units, dim), elements=numbers))
    return {
        "vectors": np.where(seen[:, None], vectors, np.float32(np.nan)),
        "unit_ids": draw(unit_ids(units)),
        "n_windows": draw(arrays(np.int32, units, elements=st.integers(0, 2**31 - 1)) | st.just(seen.astype(np.int32))),
        "stability": draw(arrays(np.float32, units, elements=st.floats(-1, 1, width=32) | st.just(np.nan))),
        "reasons": why,
    }


@st.composite
def predictions(draw, units):
    """The parts of `Predictions` for so many units."""
    classes = np.array(draw(st.lists(words, min_size=1, max_size=4, unique=True)), np.str_)
    weights = draw(arrays(np.float64, (units, len(classes)), elements=st.floats(0.01, 1)))
    probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    known = draw(arrays(np.bool_, units))
    return {
        "label_name": draw(st.sampled_from(["cell_type", "brain_region", "型"])),
        "scope": draw(words),
        "classes": classes,
        "label": np.where(known, classes[probabilities.argmax(axis=1)], ""),
        "class_probabilities": np.where(known[:, None], probabilities, np.float32(np.nan)),
        "prediction_set": draw(arrays(np.bool_, (units, len(classes)))),
        "abstained": draw(arrays(np.bool_, units)),
        "reasons": draw(reasons(units)),
        "ood_score": draw(arrays(np.float32, units, elements=numbers | st.just(np.nan))),
        "prevalence": draw(arrays(np.float32, len(classes), elements=st.floats(0, 1, width=32))),
        "coverage": draw(st.floats(0, 1, exclude_min=True, exclude_max=True)),
        "notes": draw(st.lists(words, max_size=3).map(tuple)),
    }


@st.composite
def results(draw):
    """The parts of embeddings, and of their predictions if there are any."""
    of = draw(embeddings())
    return of, draw(st.lists(predictions(len(of["reasons"])), max_size=1))


def recording(path, ids, namespaces):
    """As little of an NWB file as there must be for results."""
    with h5py.File(path, "w") as file:
        file.attrs[".specloc"] = file.create_group("specifications").ref
        for namespace in namespaces:
            file.create_group(f"specifications/{namespace}")
        file.attrs["nwb_version"] = "2.8.0"
        units = file.create_group("units")
        units.attrs["neurodata_type"] = "Units"
        units["id"] = ids.astype(object) if ids.dtype.kind == "U" else ids


def assert_equal(one, other):
    for name in one.__dataclass_fields__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
        else:
            assert mine == theirs, name


@given(parts=results(), provenance=provenances, others=st.sampled_from([[], ["ndx-other"]]))
def test_reading_undoes_writing(parts, provenance, others):
    how = Provenance(**provenance)
    embeddings = Embeddings(**parts[0], provenance=how)
    predictions = [Predictions(**part, unit_ids=embeddings.unit_ids, provenance=how) for part in parts[1]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.nwb"
        recording(path, embeddings.unit_ids, ["core", *others])
        write(path, embeddings, predictions, name="x")
        ((_, back, also),) = read(path)
        assert [found.name for found in Path(folder).iterdir()] == ["recording.nwb"]
    assert_equal(back, embeddings)
    assert len(also) == len(predictions)
    for one, other in zip(predictions, also, strict=True):
        assert_equal(one, other)
