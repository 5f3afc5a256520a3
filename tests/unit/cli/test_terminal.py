"""Standard output holds results alone."""

import sys

from nwb_neurid.cli.terminal import terminal
from nwb_neurid.contracts.attribution import attribute_errors


def test_what_a_plugin_prints_becomes_one_warning_that_names_it(capsys):
    with terminal(quiet=False, verbose=False) as out:
        out.say("a result")
        print("of a library")
        with attribute_errors(lambda: "Encoder 'acg' (lab-a 2.5)"):
            print("loading weights")
            print("done")
        out.say("another")
    said = capsys.readouterr()
    assert said.out.splitlines() == ["a result", "of a library", "another"]
    told = "Encoder 'acg' (lab-a 2.5) prints to standard output, where only results belong. It begins: loading weights"
    assert said.err.splitlines() == [f"warning: {told}"]


def test_standard_output_is_whole_again_afterwards(capsys):
    before = sys.stdout
    with terminal(quiet=True, verbose=False) as out:
        assert sys.stdout is not before
        assert sys.stdout.isatty() == before.isatty()
        with attribute_errors(lambda: "Encoder 'acg' (lab-a 2.5)"):
            print("unwanted")
        sys.stdout.flush()
        out.say("nothing")
    assert sys.stdout is before
    assert capsys.readouterr() == ("", "")
