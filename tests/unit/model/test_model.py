"""Models: groups are embedded apart, rows never vanish, and a folder gives the same vectors again."""

import hashlib
import json
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.contracts import CONTRACT, EncoderPlugin, EncoderSpec, silent
from nwb_neurid.errors import BrokenPlugin, CannotEncode, InvalidModel, InvalidOption, UntrainedEncoder, WrongWeights
from nwb_neurid.model.making import import_model, load_model, new_model
from nwb_neurid.model.model import Model
from nwb_neurid.results import Embeddings, Provenance


class Rates:
    """Rate of a unit, and the mean rate of the population that it is embedded with, each times a weight."""

    dim = 2

    def __init__(self, config, state):
        self.config, self._state = config, state

    def state(self):
        return self._state

    def embed(self, population, *, progress=silent):
        counts = [len(population.spikes.train_s(unit)) for unit in progress(range(len(population)))]
        rates = np.array(counts) / population.duration_s
        vectors = np.column_stack([rates, np.full(len(population), rates.mean())]) * self._state["weights"]
        return Embeddings.of(
            population,
            vectors,
            n_windows=np.full(len(population), 7),
            stability=np.full(len(population), 0.5),
            reasons=["" if rate else "silent" for rate in rates],
            provenance=Provenance(window_s=float(len(population)), notes=("Rates were averaged.",)),
        )


def build(config, state, _device):
    if set(state) != {"weights"}:
        raise WrongWeights(f"rates needs weights, got {sorted(state)}.")
    return Rates(config, state)


def initial_state(config, seed):
    return {"weights": np.random.default_rng(seed).normal(size=2) * config["gain"]}


def import_checkpoint(_path, settings):
    return {"gain": settings["gain"]}, {"weights": np.ones(2)}


def plugin_of(**fields):
    needs = {"min_units": 2, "min_observed_s": 5.0, "citation": "Adrian 1926", **fields.pop("needs", {})}
    spec = EncoderSpec(
        **{
            "name": "rates",
            "version": "3",
            "summary": "Rates",
            "contract": CONTRACT,
            "accepts": frozenset({"spikes"}),
            **needs,
        }
    )
    parts = {
        "build": build,
        "presets": {"soft": {"gain": 1.0}, "loud": {"gain": 10.0}},
        "initial_state": initial_state,
        "import_checkpoint": import_checkpoint,
    }
    return EncoderPlugin(spec=spec, **{**parts, **fields})


@pytest.fixture
def provide(monkeypatch, installed, entry_points_of):
    """Makes a plugin the installed encoder "rates"."""

    def make(plugin, distributions=("lab-a",)):
        monkeypatch.setitem(sys.modules, "lab_a", ModuleType("lab_a"))
        sys.modules["lab_a"].PLUGIN = plugin
        installed(point for name in distributions for point in entry_points_of(name, rates="lab_a:PLUGIN"))
        return plugin

    return make


@pytest.fixture
def model(provide):
    """An untrained model of the encoder "rates"."""
    provide(plugin_of())
    return new_model("rates", untrained=True, seed=3)


def groups_of(*names):
    return {"units": len(names), "group": np.array(names)}


def test_every_unit_gets_its_row(model, make_population):
    population = make_population(units=5, rate_hz=5.0, excluded={1: "noise", 4: "multi-unit"})
    embeddings = model.embed(population)
    np.testing.assert_array_equal(embeddings.unit_ids, population.unit_ids)
    np.testing.assert_array_equal(embeddings.reasons, ["", "noise", "", "", "multi-unit"])
    np.testing.assert_array_equal(np.isnan(embeddings.vectors).all(axis=1), [False, True, False, False, True])
    np.testing.assert_array_equal(embeddings.n_windows, [7, 0, 7, 7, 0])
    np.testing.assert_array_equal(embeddings.stability, np.array([0.5, np.nan, 0.5, 0.5, np.nan], np.float32))


def test_excluded_units_are_not_seen_by_the_others(model, make_population):
    population = make_population(units=5)
    kept = model.embed(population.select(np.array([0, 2, 3])))
    embeddings = model.embed(replace(population, excluded={1: "noise", 4: "noise"}))
    np.testing.assert_array_equal(embeddings.vectors[[0, 2, 3]], kept.vectors)


def test_groups_are_embedded_apart(model, make_population):
    population = make_population(**groups_of("b", "a", "b", "a", "a"))
    embeddings = model.embed(population)
    for rows in ([0, 2], [1, 3, 4]):
        alone = model.embed(population.select(np.array(rows)))
        np.testing.assert_array_equal(embeddings.vectors[rows], alone.vectors)
    assert len(np.unique(embeddings.vectors[:, 1])) == 2


def test_groups_are_pooled_on_request(model, make_population):
    population = make_population(**groups_of("b", "a", "b", "a", "a"))
    pooled = model.embed(population, pool_groups=True)
    np.testing.assert_array_equal(pooled.vectors, model.embed(replace(population, group=None)).vectors)
    assert len(np.unique(pooled.vectors[:, 1])) == 1


def test_a_group_that_is_too_small_says_so(model, make_population):
    population = make_population(**groups_of("b", "a", "a", "c", "c"), excluded={4: "noise"})
    embeddings = model.embed(population)
    too_few = "at least 2 are needed"
    wanted = [f"group b has 1 unit, {too_few}", "", "", f"group c has 1 unit, {too_few}", "noise"]
    np.testing.assert_array_equal(embeddings.reasons, wanted)


def test_progress_is_passed_on(provide, make_population):
    seen = []

    class Counting(Rates):
        def embed(self, population, *, progress=silent):
            seen.append(progress)
            return super().embed(population, progress=progress)

    provide(plugin_of(build=lambda config, state, _device: Counting(config, state)))
    new_model("rates", untrained=True).embed(make_population(**groups_of(*"abab")), progress=silent)
    assert seen == [silent, silent]


def test_provenance_tells_how_the_vectors_came_to_be(model, make_population):
    recording = {"source": "/data/mouse/one.nwb", "session_id": "day 1", "subject_id": "mouse"}
    provenance = model.embed(make_population(**groups_of(*"aabbb"), **recording)).provenance
    assert provenance.encoder == "rates"
    assert provenance.encoder_version == "3"
    assert provenance.config == {"gain": 1.0}
    assert provenance.weights_sha256 == model.weights_sha256 != ""
    assert provenance.training == "untrained: random weights, seed 3"
    assert provenance.window_s == 3.0
    assert provenance.stitched is False
    assert provenance.notes == ("Rates were averaged.",)
    assert (provenance.source, provenance.session_id, provenance.subject_id) == ("one.nwb", "day 1", "mouse")
    assert provenance.software["nwb-neurid"] == nwb_neurid.__version__
    assert provenance.software["numpy"] == np.__version__


def test_stitched_windows_of_one_group_mark_the_whole(provide, make_population):
    class Stitched(Rates):
        def embed(self, population, *, progress=silent):
            embeddings = super().embed(population, progress=progress)
            stitched = replace(embeddings.provenance, stitched=len(population) == 2)
            return replace(embeddings, provenance=stitched)

    provide(plugin_of(build=lambda config, state, _device: Stitched(config, state)))
    model = new_model("rates", untrained=True)
    assert model.embed(make_population(**groups_of(*"aabbb"))).provenance.stitched
    assert not model.embed(make_population(**groups_of(*"aaabbb"))).provenance.stitched


def test_what_cannot_be_embedded_says_every_reason(model, make_population):
    population = make_population(units=1, duration_s=2.0, source="one.nwb")
    with pytest.raises(CannotEncode) as caught:
        model.embed(population)
    assert caught.value.problems == (
        "it needs 5 s of observed time, the recording has 2 s",
        "it needs 2 units, the recording has 1",
    )
    assert str(caught.value) == "\n  - ".join(["Encoder 'rates' cannot encode one.nwb:", *caught.value.problems])
    with pytest.raises(CannotEncode, match="Encoder 'rates' cannot encode this recording:"):
        model.embed(replace(population, source=""))


def test_an_encoder_may_need_what_its_config_says(provide, make_population):
    plugin = plugin_of()
    spec = plugin.spec
    provide(replace(plugin, spec_for_config=lambda config: replace(spec, min_observed_s=100 * config["gain"])))
    assert new_model("rates", untrained=True).spec.min_observed_s == 100
    with pytest.raises(CannotEncode, match="it needs 1000 s of observed time, the recording has 20 s"):
        new_model("rates", preset="loud", untrained=True).embed(make_population())


class Broken(Rates):
    """Returns whatever `result` makes of its embeddings."""

    result = None

    def embed(self, population, *, progress=silent):
        return type(self).result(super().embed(population, progress=progress))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda right: right.vectors, r"must return Embeddings with vectors of shape \(4, 2\), got ndarray\."),
        (
            lambda right: replace(right, vectors=right.vectors[:, :1]),
            r"must return Embeddings with vectors of shape \(4, 2\), got \(4, 1\)\.",
        ),
        (lambda right: replace(right, unit_ids=right.unit_ids[::-1]), r"returned its units in another order\."),
        (
            lambda right: replace(right, vectors=right.vectors * np.nan),
            r"gave results that contradict one another: A vector must be finite",
        ),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_named(provide, make_population, monkeypatch, result, message):
    monkeypatch.setattr(Broken, "result", staticmethod(result))
    provide(plugin_of(build=lambda config, state, _device: Broken(config, state)))
    model = new_model("rates", untrained=True)
    with pytest.raises(BrokenPlugin, match=r"Encoder 'rates' \(lab-a 1\.0\) " + message):
        model.embed(make_population())


def test_a_model_of_no_distribution_is_named_so(make_population, monkeypatch):
    monkeypatch.setattr(Broken, "result", staticmethod(lambda _: None))
    model = Model(encoder=Broken({}, {"weights": np.ones(2)}), plugin=plugin_of())
    with pytest.raises(BrokenPlugin, match=r"Encoder 'rates' \(no distribution\) must return"):
        model.embed(make_population())


def test_one_seed_is_one_model(provide):
    provide(plugin_of())
    first, again, other = (new_model("rates", untrained=True, seed=seed) for seed in (1, 1, 2))
    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256


def test_the_first_preset_is_the_default(provide):
    provide(plugin_of())
    assert new_model("rates", untrained=True).encoder.config == {"gain": 1.0}
    assert new_model("rates", preset="loud", untrained=True).encoder.config == {"gain": 10.0}
    with pytest.raises(InvalidOption, match=r"Encoder 'rates' has no preset 'huge'\. It has: soft, loud\."):
        new_model("rates", preset="huge", untrained=True)


def test_random_weights_must_be_asked_for(provide):
    provide(plugin_of())
    message = (
        r"Encoder 'rates' needs a trained model, and none was given\. Choose one \(--model FOLDER\), or use random "
        r"weights \(--untrained\), whose vectors mean little\."
    )
    with pytest.raises(UntrainedEncoder, match=message):
        new_model("rates")


def test_a_device_is_one_that_there_is(provide):
    provide(plugin_of())
    with pytest.raises(InvalidOption, match=r"device must be one of auto, cpu, cuda, got 'tpu'\."):
        new_model("rates", untrained=True, device="tpu")


def test_an_encoder_that_learns_nothing_needs_no_training(provide, tmp_path):
    provide(plugin_of(initial_state=None, build=lambda config, *_: Rates(config, {})))
    model = new_model("rates")
    assert model.training == model.weights_sha256 == ""
    written = (model.save(tmp_path / "model") / "README.md").read_text("utf-8")
    assert "- Training: none needed" in written
    assert "- Weights (SHA-256): none" in written


def test_a_checkpoint_becomes_a_model(provide, tmp_path):
    provide(plugin_of())
    model = import_model("rates", tmp_path / "best.pt", {"gain": 2.0})
    assert model.encoder.config == {"gain": 2.0}
    assert model.training == "imported from best.pt, which does not state what it was trained on"
    provide(plugin_of(import_checkpoint=None))
    with pytest.raises(InvalidOption, match=r"Encoder 'rates' has no checkpoints to import\."):
        import_model("rates", tmp_path / "best.pt", {})


def test_a_folder_gives_the_same_vectors_again(model, make_population, tmp_path):
    population = make_population()
    loaded = load_model(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.embed(population).vectors, model.embed(population).vectors, strict=True)
    assert loaded.embed(population).provenance == model.embed(population).provenance
    assert loaded.describe() == model.describe()
    assert loaded.distribution == "lab-a 1.0"


def test_a_folder_holds_weights_their_description_and_a_card(model, tmp_path):
    folder = model.save(str(tmp_path / "new" / "model"))
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.json", "weights.safetensors"]
    about = json.loads((folder / "model.json").read_text("utf-8"))
    assert about["weights_sha256"] == hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    assert about["encoder"] == "rates"
    assert about["distribution"] == "lab-a 1.0"
    card = (folder / "README.md").read_text("utf-8")
    assert card.startswith("# Model of the encoder rates, version 3\n\nRates\n")
    for line in (
        "- Accepted activity: spikes",
        "- Vectors: 2 dimensions",
        "- Training: untrained: random weights, seed 3",
        f"- Weights (SHA-256): {model.weights_sha256}",
        "- Package that provides the encoder: lab-a 1.0",
        "- Citation: Adrian 1926",
        '  "gain": 1.0',
    ):
        assert line in card.splitlines()


@pytest.mark.parametrize("named", ["antigravity:PLUGIN", "antigravity", "../antigravity", "rates@antigravity"])
def test_a_folder_never_chooses_what_is_imported(model, tmp_path, named):
    folder = model.save(tmp_path / "model")
    about = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps(about | {"encoder": named}), "utf-8")
    with pytest.raises(InvalidModel, match="needs encoder"):
        load_model(folder)
    assert "antigravity" not in sys.modules


def test_a_folder_needs_the_encoder_that_it_was_made_with(model, installed, tmp_path):
    folder = model.save(tmp_path / "model")
    installed([])
    message = (
        r"model needs encoder 'rates', which comes with lab-a 1\.0: install that\. "
        r"There is no encoder 'rates'\. Installed: none\."
    )
    with pytest.raises(InvalidModel, match=message):
        load_model(folder)
    (folder / "model.json").write_text((folder / "model.json").read_text("utf-8").replace("lab-a 1.0", ""), "utf-8")
    with pytest.raises(InvalidModel, match="which comes with a package that the model does not name: install that"):
        load_model(folder)


def test_a_folder_knows_which_of_two_distributions_it_was_made_with(model, provide, tmp_path):
    folder = model.save(tmp_path / "model")
    provide(plugin_of(), distributions=["lab-b", "lab-a"])
    assert load_model(folder).distribution == "lab-a 1.0"


def test_weights_that_do_not_fit_are_refused_by_the_plugin(model, tmp_path):
    other = Model(encoder=Rates({"gain": 1.0}, {"bias": np.ones(2)}), plugin=model.plugin)
    with pytest.raises(WrongWeights, match=r"rates needs weights, got \['bias'\]\."):
        load_model(other.save(tmp_path / "model"))


def test_weights_that_the_installed_encoder_cannot_take_name_their_folder(tmp_path):
    folder = new_model("nuclr", preset="small", untrained=True, device="cpu").save(tmp_path / "model")
    about = json.loads((folder / "model.json").read_text())
    about["config"]["dim"] = 32
    (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(
        WrongWeights, match=r"model cannot be used with the installed version of encoder 'nuclr'\. "
    ) as caught:
        load_model(folder, device="cpu")
    assert (
        str(caught.value)
        .splitlines()[-1]
        .startswith("  Train the model again, or install the package that made it: nwb-neurid ")
    )


def test_a_model_shows_what_one_wants_to_see():
    lines = repr(load_model("default-calcium", device="cpu")).splitlines()
    assert lines[0] == "Model('nuclr', dim 64)"
    assert [line.strip().partition(":")[0] for line in lines[1:]] == [
        "encoder",
        "takes",
        "training",
        "weights",
        "device",
        "labels",
    ]
    assert "  takes: dff, 0.5 to 1000 Hz, from 10 s" in lines
    assert "  labels: none: nwb_neurid.fit_labels adds them" in lines
    assert max(map(len, lines)) < 130
