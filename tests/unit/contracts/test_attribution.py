"""What code of a plugin does is told under its name."""

import pytest

from nwb_neurid.contracts.attribution import attribute_errors, name_plugin, name_running_plugin
from nwb_neurid.errors import BrokenPlugin, InvalidModel, NeuridWarning


@pytest.mark.parametrize("error", [KeyError("dim"), ZeroDivisionError("by zero"), SystemExit(3)])
def test_an_error_is_told_with_whose_it_is(error):
    message = (
        f"Encoder 'acg' (lab-a 2.5) failed on a.nwb: {type(error).__name__}: {error}. "
        "This is a bug in the plugin. Please report it to its authors."
    )
    with (
        pytest.raises(BrokenPlugin) as caught,
        attribute_errors(lambda: name_plugin("Encoder", "acg", "lab-a 2.5"), "failed on a.nwb"),
    ):
        raise error
    assert str(caught.value) == message
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [InvalidModel("no dim"), MemoryError(), NeuridWarning("slow"), KeyboardInterrupt()])
def test_what_is_meant_for_others_passes(error):
    with pytest.raises(type(error)) as caught, attribute_errors(lambda: "encoder"):
        raise error
    assert caught.value is error


def test_whose_code_is_running_is_known_while_it_runs():
    with attribute_errors(lambda: "outer"):
        with attribute_errors(lambda: "inner"):
            assert name_running_plugin() == "inner"
        assert name_running_plugin() == "outer"
    assert name_running_plugin() == ""


def test_a_plugin_of_no_distribution_is_named_too():
    assert name_plugin("Reader", "made", "") == "Reader 'made' (no distribution)"
