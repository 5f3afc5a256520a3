"""Heads in a model folder: what was kept is what predicts, and nothing in it is believed unseen."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from nwb_neurid._system.arrays import hash_arrays
from nwb_neurid.errors import InvalidModel, InvalidOption, WrongWeights
from nwb_neurid.labels.fitting import check_label
from nwb_neurid.labels.folder import describe_heads, pack_heads, read_heads
from nwb_neurid.labels.head import PublishedPrior, RequiredPart
from nwb_neurid.labels.prediction import predict
from nwb_neurid.model.making import load_model, new_model


@pytest.fixture
def head(trained):
    """A head bound to `isi`."""
    return replace(trained, encoder=new_model("isi").identity)


def put(folder, heads):
    (folder / "heads").mkdir()
    for name, content in pack_heads(heads).items():
        (folder / name).write_bytes(content)


@pytest.fixture
def folder(tmp_path, head):
    """A folder with one head."""
    put(tmp_path, {"cell_type": head})
    return tmp_path


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_a_head_that_was_kept_predicts_the_same_bit_for_bit(animals, tmp_path, kind):
    near = np.column_stack([np.arange(80), np.r_[1:80, -1]])
    head = animals(4, 20).fit(kind=kind, label_name="brain_region_µ", scope="V1", neighbours=near)
    put(tmp_path, {head.label_name: head})
    (back,) = read_heads(tmp_path).values()
    new = animals(2, seed=1).embeddings()
    mine, theirs = predict(head, new), predict(back, new)
    for name in ("class_probabilities", "prediction_set", "ood_score", "reasons", "label"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    assert (back.label_name, back.scope, back.kind) == (head.label_name, head.scope, head.kind)
    assert dict(back.details) == dict(head.details)
    np.testing.assert_array_equal(back.calibration.neighbours, near)


SHARES = {"CH": 0.2, "FS": 0.1, "RS": 0.7}
SAID = {
    "caveats": ("Classes were chosen.",),
    "priors": {"cortex": PublishedPrior(shares=SHARES, source="Somebody 1999")},
    "required": RequiredPart(dims=(1, 2), reason="no waveform"),
    "parts": ("cortex",),
    "rare": ("FS",),
    "stretches": 4,
}


def test_what_a_head_says_of_itself_is_kept(tmp_path, head):
    put(tmp_path, {"cell_type": replace(head, **SAID)})
    (back,) = read_heads(tmp_path).values()
    assert {name: getattr(back, name) for name in SAID} == SAID
    card = "\n".join(describe_heads({"cell_type": back}))
    for line in (
        "- `--prior cortex`: CH 0.2, FS 0.1, RS 0.7 (Somebody 1999)",
        "- Classes were chosen.",
        "- The head abstains from units outside cortex, if their region is known",
        "- The head abstains from units with no waveform",
        "- The head abstains from a unit if its prediction set holds only FS, because too few training units have this "
        "class",
        "- The head abstains from a unit if its most probable class differs between 4 equal parts of the recording",
    ):
        assert line in card


def test_a_head_of_an_earlier_version_says_nothing_of_these(folder):
    path = folder / "heads" / "cell_type.json"
    stored = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({name: value for name, value in stored.items() if name not in SAID}), "utf-8")
    (back,) = read_heads(folder).values()
    assert (back.caveats, back.priors, back.required, back.parts, back.rare) == ((), {}, None, (), ())
    assert back.stretches == 0


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"caveats": "text"}, r"has an invalid value of 'caveats': 'text'"),
        ({"caveats": [1]}, r"has an invalid value of 'caveats': \[1\]"),
        ({"parts": {}}, r"has an invalid value of 'parts': \{\}"),
        ({"parts": [None]}, r"has an invalid value of 'parts': \[None\]"),
        ({"rare": ["PV"]}, r"has an invalid value of 'rare': \['PV'\]"),
        ({"rare": [["CH"]]}, r"has an invalid value of 'rare': \[\['CH'\]\]"),
        ({"stretches": -1}, r"has an invalid value of 'stretches': -1"),
        ({"stretches": True}, r"has an invalid value of 'stretches': True"),
        ({"stretches": 1e9}, r"has an invalid value of 'stretches': 1000000000\.0"),
        ({"priors": []}, r"has an invalid value of 'priors': \[\]"),
        ({"priors": {"x": {"shares": SHARES}}}, r"has an invalid value of 'priors': \{'x'"),
        ({"priors": {"x": {"shares": {"CH": 1.0}, "source": ""}}}, r"has an invalid value of 'priors': \{'x'"),
        (
            {"priors": {"x": {"shares": dict.fromkeys(SHARES, 0), "source": ""}}},
            r"has an invalid value of 'priors': \{'x'",
        ),
        (
            {"priors": {"x": {"shares": dict.fromkeys(SHARES, -1), "source": ""}}},
            r"has an invalid value of 'priors': \{'x'",
        ),
        ({"required": []}, r"has an invalid value of 'required': \[\]"),
        ({"required": {"dims": [], "reason": ""}}, r"has an invalid value of 'required': \{'dims'"),
        ({"required": {"dims": [-1], "reason": ""}}, r"has an invalid value of 'required': \{'dims'"),
        ({"required": {"dims": [True], "reason": ""}}, r"has an invalid value of 'required': \{'dims'"),
        ({"required": {"dims": [1], "reason": 2}}, r"has an invalid value of 'required': \{'dims'"),
    ],
)
def test_what_a_head_cannot_say_of_itself_is_an_error(folder, changes, wanted):
    about(folder, **changes)
    with pytest.raises(InvalidModel, match=rf"cell_type\.json {wanted}.*Fit the head again: nwb-neurid fit-labels\."):
        read_heads(folder)


def test_a_head_that_requires_dimensions_that_vectors_lack_is_an_error(folder):
    about(folder, required={"dims": [1000], "reason": "no waveform"})
    with pytest.raises(WrongWeights, match="it requires dimensions that vectors do not have"):
        read_heads(folder)


def test_a_model_keeps_its_heads(tmp_path, head, animals):
    model = replace(new_model("isi"), heads={"cell_type": head})
    model.save(tmp_path / "model")
    back = load_model(tmp_path / "model")
    assert back.heads.keys() == {"cell_type"}
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert "### cell_type" in card
    assert "of 10 animals, linear" in card
    assert "\n".join(describe_heads({"cell_type": head})) in card
    new = animals(2, seed=1).embeddings()
    assert back.predict(new).label.tolist() == predict(head, new).label.tolist()
    assert back.predict(new, "cell_type", coverage=0.5).coverage == 0.5
    replace(back, heads={}).save(tmp_path / "model", overwrite=True)
    assert not (tmp_path / "model" / "heads").exists()


def test_a_head_of_another_encoder_is_refused(head):
    other = replace(head, encoder={**head.encoder, "weights_sha256": "ab"})
    with pytest.raises(WrongWeights, match=r"of another encoder: weights_sha256 '', expected 'ab'\."):
        replace(new_model("isi"), heads={"cell_type": other})


def test_which_head_is_meant_must_be_clear(head, animals):
    model, new = new_model("isi"), animals(1).embeddings()
    none = r"The model has no label heads and predicts no labels\. Fit one: nwb-neurid fit-labels\."
    with pytest.raises(InvalidOption, match=none):
        model.predict(new)
    two = replace(model, heads={"cell_type": head, "layer": replace(head, label_name="layer")})
    with pytest.raises(
        InvalidOption,
        match=r"has 2 label heads, and none was chosen \(--label\)\. It has: cell_type, "
        r"layer\.",
    ):
        two.predict(new)
    assert two.predict(new, "layer").label_name == "layer"
    with pytest.raises(InvalidOption, match=r"has no label head 'depth'\. It has: cell_type, layer\."):
        two.predict(new, "depth")


def about(folder, **changes):
    path = folder / "heads" / "cell_type.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"format": 2}, r"cell_type\.json must have format 1, got 2\. A newer nwb-neurid may read it\."),
        (
            {"classes": "CH"},
            r"cell_type\.json has an invalid value of 'classes': 'CH'\. Fit the head again: "
            r"nwb-neurid fit-labels\.",
        ),
        ({"classes": ["CH"]}, r"cell_type\.json must name two classes or more, got \['CH'\]\."),
        (
            {"classes": ["a\nb", "c"]},
            r"cell_type\.json has a class called 'a\\nb': names of classes must have 1 to 200",
        ),
        ({"classes": ["a", "\u202eb"]}, r"cell_type\.json has a class called '\\u202eb': names of classes must have"),
        (
            {"classes": ["a", ""]},
            r"cell_type\.json has a class called '': names of classes must have 1 to 200 characters",
        ),
        ({"classes": ["a", "b" * 201]}, r"cell_type\.json has a class called 'b+: names of classes must have"),
        ({"classes": ["a", "a"]}, r"cell_type\.json lists a class twice"),
        ({"classes": ["a", 1]}, r"cell_type\.json has an invalid value of 'classes': \['a', 1\]\."),
        ({"coverage": 1.5}, r"cell_type\.json has an invalid value of 'coverage': 1\.5\."),
        ({"coverage": 0}, r"cell_type\.json has an invalid value of 'coverage': 0\."),
        ({"sharpness": 0}, r"cell_type\.json has an invalid value of 'sharpness': 0\."),
        ({"lapse": -1}, r"cell_type\.json has an invalid value of 'lapse': -1\."),
        ({"voted_lapse": 1}, r"cell_type\.json has an invalid value of 'voted_lapse': 1\."),
    ],
)
def test_a_description_that_cannot_be_is_an_error(folder, changes, wanted):
    about(folder, **changes)
    with pytest.raises(InvalidModel, match=wanted):
        read_heads(folder)


def test_a_description_that_is_damaged_is_an_error(folder, monkeypatch):
    (folder / "heads" / "cell_type.json").write_text("[", "utf-8")
    with pytest.raises(InvalidModel, match=r"cell_type\.json is not JSON: "):
        read_heads(folder)
    (folder / "heads" / "cell_type.json").unlink()
    (folder / "heads" / "cell_type.json").mkdir()
    with pytest.raises(InvalidModel, match=r"cell_type\.json cannot be read: "):
        read_heads(folder)


def test_arrays_that_are_missing_damaged_or_others_are_an_error(folder):
    path = folder / "heads" / "cell_type.safetensors"
    arrays = load(path.read_bytes())
    path.write_bytes(save(arrays | {"scale": arrays["scale"] * 2}))
    with pytest.raises(
        WrongWeights,
        match=r"does not match cell_type\.json: its SHA-256 differs\. Copy both files "
        r"from the same model again\.",
    ):
        read_heads(folder)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(WrongWeights, match=r"cell_type\.safetensors is damaged"):
        read_heads(folder)
    path.unlink()
    with pytest.raises(WrongWeights, match=r"cell_type\.safetensors cannot be read"):
        read_heads(folder)


@pytest.mark.parametrize(
    ("name", "change", "wanted"),
    [
        ("scale", None, "scale is missing"),
        ("center", None, "center is missing"),
        ("scale", lambda array: array[1:], "scale has shape"),
        ("bias_0", lambda array: array.astype(np.float32), "bias_0 has shape .* and type float32"),
        ("weights_0", None, "weights_0 is missing"),
        ("prevalence", lambda array: array * np.nan, "its values are not finite numbers"),
        ("truth", lambda array: array + 3, "truth refers to a class that does not exist"),
        ("distances", lambda array: array[::-1].copy(), "distances are missing or not in ascending order"),
        ("means", None, "means are missing or have the wrong shape"),
        ("neighbours", lambda _: np.full((300, 2), 300), "neighbours refer to a row that does not exist"),
    ],
)
def test_arrays_that_contradict_one_another_are_an_error(folder, name, change, wanted):
    path = folder / "heads" / "cell_type.safetensors"
    arrays = load(path.read_bytes())
    old = arrays.pop(name, None)
    if change is not None:
        arrays[name] = change(old)
    path.write_bytes(save(arrays))
    about(folder, arrays_sha256=hash_arrays(arrays))
    with pytest.raises(WrongWeights, match=rf"cell_type\.safetensors holds no label head: {wanted}"):
        read_heads(folder)


BAD_NAMES = ["/../../elsewhere/cluster_group", "../x", "a/b", "a\\b", "a b", ".x", "", "a\nb", "a\u202eb", "a\0b", "/x"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_label_that_can_be_no_part_of_a_name_is_refused(folder, name):
    path = folder / "heads" / "cell_type.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"label_name": name}), "utf-8")
    with pytest.raises(InvalidModel, match=r"cannot be used in names of files and columns: it must consist of letters"):
        read_heads(folder)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_nor_is_a_head_fitted_to_such_a_label(name):
    with pytest.raises(InvalidOption, match=r"A head cannot predict a label called .*: it must consist of letters"):
        check_label(name)
