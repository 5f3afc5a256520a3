"""The values that plugins are made of refuse to contradict themselves."""

import pytest

from nwb_neurid.contracts import CONTRACT, EncoderPlugin, EncoderSpec, silent
from nwb_neurid.errors import BrokenPlugin


def spec(**fields):
    return EncoderSpec(**{"name": "isi", "version": "1", "summary": "", "contract": CONTRACT, **fields})


@pytest.mark.parametrize("accepts", [frozenset(), frozenset({"spikes", "voltage"})])
def test_an_encoder_accepts_known_kinds_of_activity(accepts):
    message = (
        r"The spec of encoder 'isi' must accept some of \['deconvolved', 'dff', 'fluorescence', 'spikes'\], got \["
    )
    with pytest.raises(BrokenPlugin, match=message):
        spec(accepts=accepts)


def test_an_encoder_has_a_preset():
    message = r"Encoder 'isi' must have a preset; an empty config makes one\."
    with pytest.raises(BrokenPlugin, match=message):
        EncoderPlugin(spec=spec(accepts=frozenset({"spikes"})), build=lambda *_: None, presets={})


def test_what_an_encoder_needs_may_depend_on_its_config():
    plugin = EncoderPlugin(
        spec=spec(accepts=frozenset({"spikes", "dff"})),
        build=lambda *_: None,
        narrowed=lambda config: spec(accepts=frozenset({config["modality"]})),
    )
    assert plugin.spec_for({"modality": "dff"}).accepts == {"dff"}
    assert EncoderPlugin(spec=plugin.spec, build=plugin.build).spec_for({"modality": "dff"}) is plugin.spec


def test_silence_passes_everything_on():
    items = [1, 2, 3]
    assert silent(items, label="windows", total=3) is items
