"""What is named instead where an encoder cannot take a recording."""

import pytest

from nwb_neurid.errors import CannotEncode
from nwb_neurid.model.candidates import check_fits
from nwb_neurid.model.making import new_model
from nwb_neurid.simulate import simulate


def refused(encoder, population, **options):
    with pytest.raises(CannotEncode) as caught:
        check_fits(population, new_model(encoder, untrained=True, device="cpu", **options))
    return str(caught.value).splitlines()[1:]


def test_other_presets_and_the_model_that_ships_are_named():
    imaged = simulate(6, 40.0, 0).imaged_population()
    names = ("company-calcium", "default-calcium")
    shipped = "  Encoders and models that can embed it without training: " + " or ".join(
        f'--model {name}, in Python model="{name}"' for name in names
    )
    shipped += "."
    assert refused("isi", imaged) == ["  - it takes spikes, the recording has dff", shipped]
    *_, named, presets = refused("nuclr", imaged, preset="small")
    assert named == shipped
    assert presets == "  Presets of nuclr that can embed it: base-calcium, small-calcium."


def test_nothing_is_named_that_would_be_refused_too():
    short = simulate(6, 5.0, 0).population()
    assert refused("nuclr", short, preset="small") == [
        "  - it needs 10 s of observed time, the recording has 5 s",
        '  Encoders and models that can embed it without training: --encoder isi, in Python encoder="isi".',
    ]
