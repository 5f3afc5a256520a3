"""The values that plugins are made of refuse to contradict themselves."""

import pytest

from nwb_neurid.contracts import CONTRACT, EncoderPlugin, EncoderSpec, ReaderSpec, silent
from nwb_neurid.errors import BrokenPlugin


def spec(**fields):
    return EncoderSpec(**{"name": "isi", "version": "1", "summary": "", "contract": CONTRACT, **fields})


@pytest.mark.parametrize("accepts", [frozenset(), frozenset({"spikes", "voltage"})])
def test_an_encoder_accepts_known_kinds_of_activity(accepts):
    message = (
        r"The spec of encoder 'isi' cannot be used:\n"
        r"  - accepts must be a frozenset with some of \['deconvolved', 'dff', 'fluorescence', 'spikes'\], got \["
    )
    with pytest.raises(BrokenPlugin, match=message):
        spec(accepts=accepts)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        (
            {"accepts": "spikes"},
            "accepts must be a frozenset with some of ['deconvolved', 'dff', 'fluorescence', 'spikes'], got 'spikes'",
        ),
        ({"version": 1}, "version must be text, got 1"),
        ({"contract": "1"}, f"contract must be a whole number (this is version {CONTRACT}), got '1'"),
        ({"rate_hz": 30.0}, "rate_hz must be None, or the lowest and the highest rate, got 30.0"),
        ({"rate_hz": (30.0, 3.0)}, "rate_hz must be None, or the lowest and the highest rate, got (30.0, 3.0)"),
        ({"rate_hz": ("3", "30")}, "rate_hz must be None, or the lowest and the highest rate, got ('3', '30')"),
        ({"min_units": 2.5}, "min_units must be a whole number, got 2.5"),
        ({"min_observed_s": "10"}, "min_observed_s must be a number of seconds, got '10'"),
    ],
)
def test_every_fault_of_a_spec_is_named(fields, fault):
    with pytest.raises(BrokenPlugin) as caught:
        spec(**{"accepts": frozenset({"spikes"}), **fields})
    assert str(caught.value) == f"The spec of encoder 'isi' cannot be used:\n  - {fault}"


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("options", [frozenset({"whence"}), ["where"], "where", frozenset({"start_s"})])
def test_a_reader_knows_options_that_there_are(options):
    message = r"The spec of reader 'lab' cannot be used:\n  - options must be a frozenset with \['activity', 'all_rois'"
    with pytest.raises(BrokenPlugin, match=message):
        ReaderSpec(name="lab", version="1", summary="", contract=CONTRACT, options=options)


def test_an_encoder_has_a_preset():
    message = r"Encoder 'isi' must have at least one preset; an empty config is enough\."
    with pytest.raises(BrokenPlugin, match=message):
        EncoderPlugin(spec=spec(accepts=frozenset({"spikes"})), build=lambda *_: None, presets={})


@pytest.mark.parametrize("field", ["spec_for_config", "narrowed"])
def test_what_an_encoder_needs_may_depend_on_its_config(field):
    """`narrowed` is the name of the field in nwb-neurid 0.1."""
    plugin = EncoderPlugin(
        spec=spec(accepts=frozenset({"spikes", "dff"})),
        build=lambda *_: None,
        **{field: lambda config: spec(accepts=frozenset({config["modality"]}))},
    )
    assert plugin.spec_for({"modality": "dff"}).accepts == {"dff"}
    assert EncoderPlugin(spec=plugin.spec, build=plugin.build).spec_for({"modality": "dff"}) is plugin.spec


def test_one_name_for_the_spec_of_a_config_is_enough():
    both = dict.fromkeys(["spec_for_config", "narrowed"], lambda _: None)
    with pytest.raises(BrokenPlugin, match=r"Encoder 'isi' must define spec_for_config or narrowed .*, not both"):
        EncoderPlugin(spec=spec(accepts=frozenset({"spikes"})), build=lambda *_: None, **both)


def test_silence_passes_everything_on():
    items = [1, 2, 3]
    assert silent(items, label="windows", total=3) is items
