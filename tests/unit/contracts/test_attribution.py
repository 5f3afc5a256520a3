"""What code of a plugin does is told under its name."""

import pytest

from nwb_neurid.contracts.attribution import blaming, culprit, running
from nwb_neurid.errors import BrokenPlugin, InvalidModel, NeuridWarning


@pytest.mark.parametrize("error", [KeyError("dim"), ZeroDivisionError("by zero"), SystemExit(3)])
def test_an_error_is_told_with_whose_it_is(error):
    message = (
        f"Encoder 'acg' (lab-a 2.5) failed on a.nwb: {type(error).__name__}: {error}. "
        "This is a fault of the plugin: tell its authors."
    )
    with (
        pytest.raises(BrokenPlugin) as caught,
        blaming(lambda: culprit("Encoder", "acg", "lab-a 2.5"), "failed on a.nwb"),
    ):
        raise error
    assert str(caught.value) == message
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [InvalidModel("no dim"), MemoryError(), NeuridWarning("slow"), KeyboardInterrupt()])
def test_what_is_meant_for_others_passes(error):
    with pytest.raises(type(error)) as caught, blaming(lambda: "encoder"):
        raise error
    assert caught.value is error


def test_whose_code_is_running_is_known_while_it_runs():
    with blaming(lambda: "outer"):
        with blaming(lambda: "inner"):
            assert running() == "inner"
        assert running() == "outer"
    assert running() == ""


def test_a_plugin_of_no_distribution_is_named_too():
    assert culprit("Reader", "made", "") == "Reader 'made' (no distribution)"
