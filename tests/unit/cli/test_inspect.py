"""What `inspect` lists of behaviour and stimulus."""

import numpy as np
import pytest

from nwb_neurid import readers
from nwb_neurid.cli import inspect as inspect_command
from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec
from nwb_neurid.population import Population, Series, Spikes
from nwb_neurid.testing import mock_population


@pytest.fixture
def inspect(monkeypatch, capsys):
    """What `inspect` says of one unit and these covariates, line by line."""

    def inspect(source, covariates):
        def read(source, options):
            return Population(
                unit_ids=np.arange(1),
                activity=Spikes.of([np.array([1.0])]),
                observed_s=np.array([[0.0, 2.0]]),
                source=source,
                covariates=covariates if options.covariates else {},
            )

        spec = ReaderSpec(name="made", version="1", summary="", contract=CONTRACT, options=frozenset({"covariates"}))
        reader = ReaderPlugin(spec=spec, recognises=lambda _: True, read=read)
        monkeypatch.setattr(readers, "reader_for", lambda _: reader)
        inspect_command.inspect(source)
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return inspect


def test_every_covariate_has_a_line(inspect):
    values = np.zeros((3, 2), np.float32)
    pupil = Series(values=values, times_s=np.arange(3) / 30, unit="mm", channels=("x", "y"))
    trials = Series(values=values, times_s=np.arange(3.0), stops_s=np.arange(3) + 0.5, kind="intervals")
    nothing = Series.of_events(np.empty(0))
    said = inspect("recording", {"pupil": pupil, "trials/a": trials, "licks": nothing})
    assert "pupil continuous, 30 Hz, in mm x, y 0 s 0.0666667 s" in said
    assert "trials/a intervals, 3 2 0 s 2.5 s" in said
    assert "licks events, 0 1" in said


def test_those_of_a_url_are_not_fetched(inspect):
    said = inspect("https://example.org/recording.nwb", {"licks": Series.of_events(np.array([1.0]))})
    assert "behaviour and stimulus: not listed for a URL" in said
    assert not [line for line in said if "licks" in line]


def test_a_model_for_one_species_must_be_asked_for(monkeypatch, capsys):
    spec = ReaderSpec(name="made", version="1", summary="", contract=CONTRACT, options=frozenset({"covariates"}))
    reader = ReaderPlugin(spec=spec, recognises=lambda _: True, read=lambda *_: mock_population("dff", units=3))
    monkeypatch.setattr(readers, "reader_for", lambda _: reader)
    inspect_command.inspect("recording")
    said = capsys.readouterr().out
    assert "  worm-classes (company): yes, predicts cell_type on request (--model worm-classes)\n" in said
    assert "  company-calcium (company): yes, the default for this recording\n" in said


def test_waveforms_that_are_cut_off_count(make_population):
    waveforms = np.ones((3, 40), np.float32)
    waveforms[0, :5] = np.nan
    waveforms[1] = np.nan
    population = make_population(units=3, waveforms_uv=waveforms, waveform_rate_hz=30_000.0)
    assert inspect_command._facts(population)["waveforms"] == 2
