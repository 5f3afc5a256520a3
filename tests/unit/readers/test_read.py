"""Reading for an encoder: behaviour and stimulus where it looks at them."""

import os
from contextlib import contextmanager

import numpy as np
import pytest

from nwb_neurid import readers
from nwb_neurid.contracts import CONTRACT, EncoderSpec, ReaderPlugin, ReaderSpec, ReadOptions
from nwb_neurid.errors import InvalidOption, NeuridWarning, SourceNotFound, UnreadableSource
from nwb_neurid.population import Population, Series, Spikes


def reader_that_knows(*options):
    """A reader of one unit and its licks."""
    licks = {"licks": Series.of_events(np.array([1.0]))}

    def read(_source, wanted):
        return Population(
            unit_ids=np.arange(1),
            activity=Spikes.of([np.array([1.0])]),
            observed_s=np.array([[0.0, 2.0]]),
            covariates=licks if wanted.covariates else {},
        )

    spec = ReaderSpec(name="made", version="1", summary="", contract=CONTRACT, options=frozenset(options))
    return ReaderPlugin(spec=spec, recognises=lambda _: True, read=read)


def encoder(**needs):
    return EncoderSpec(name="isi", version="1", summary="", contract=CONTRACT, accepts=frozenset({"spikes"}), **needs)


@pytest.mark.parametrize(
    ("needs", "knows", "found"),
    [
        ({"uses_covariates": True}, ["covariates"], ["licks"]),
        ({"uses_covariates": True}, [], []),
        ({}, ["covariates"], []),
    ],
)
def test_covariates_are_read_for_an_encoder_that_uses_them_where_the_reader_can(needs, knows, found):
    population = readers.read_for(encoder(**needs), reader_that_knows(*knows), "recording", ReadOptions())
    assert list(population.covariates) == found


def test_covariates_can_be_asked_for():
    wanted = ReadOptions(covariates=True)
    population = readers.read_for(encoder(), reader_that_knows("covariates"), "recording", wanted)
    assert list(population.covariates) == ["licks"]
    with pytest.raises(InvalidOption, match=r"reads recording, has no option covariates\. Its options: none\."):
        readers.read_with(reader_that_knows(), "recording", wanted)


def test_a_folder_that_two_readers_recognise_is_read_by_the_first_and_said_so(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "spike_times.npy", np.sort(rng.choice(20_000, 90, replace=False)))
    np.save(tmp_path / "spike_clusters.npy", rng.integers(0, 3, 90))
    assert readers.reader_for(tmp_path).spec.name == "spikeinterface"
    np.save(tmp_path / "F.npy", rng.random((2, 50)).astype(np.float32))
    with pytest.warns(NeuridWarning, match="fits several readers .spikeinterface and suite2p., and is read by"):
        assert readers.reader_for(tmp_path).spec.name == "spikeinterface"


def test_a_link_to_what_was_not_fetched_says_so(tmp_path):
    link = tmp_path / "recording.nwb"
    link.symlink_to(tmp_path / ".git" / "annex" / "objects" / "key")
    with pytest.raises(SourceNotFound, match=r"recording\.nwb is a broken link\. .* download its content \(git annex"):
        readers.reader_for(link)


def test_a_recording_that_would_count_double_is_refused(tmp_path):
    path, population = tmp_path / "rec.nwb", reader_that_knows().read(None, ReadOptions())
    path.touch()
    link = tmp_path / "link.nwb"
    link.symlink_to(path)
    url = "https://example.org/rec.nwb"
    check = readers.check_each_once
    check([path, str(tmp_path / "other.nwb"), url, population, reader_that_knows().read(None, ReadOptions())])
    for sources in ([path, str(link)], [url, url], [population, population]):
        with pytest.raises(
            InvalidOption,
            match=r"was given twice and would be counted twice. Give each recording "
            r"once.",
        ):
            check(sources)


@contextmanager
def as_somebody():
    """Whatever root may do, do as a user without rights."""
    if not hasattr(os, "seteuid"):
        pytest.skip("there are no users")
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(before)


def open_up(folder):
    """Let everybody reach a folder of this test."""
    for outer in (folder, *folder.parents):
        if outer.stat().st_uid == os.geteuid() and outer.name.startswith(("test_", "pytest-", "popen-")):
            outer.chmod(0o755)


def test_what_may_not_be_reached_is_said(tmp_path):
    (tmp_path / "closed").mkdir()
    recording = tmp_path / "closed" / "recording.nwb"
    recording.touch()
    open_up(tmp_path)
    (tmp_path / "closed").chmod(0)
    try:
        with pytest.raises(UnreadableSource, match=f"{recording} cannot be reached: permission denied"), as_somebody():
            readers.reader_for(recording)
    finally:
        (tmp_path / "closed").chmod(0o755)


@pytest.mark.parametrize("closed", ["recording", "recording/plane0"])
def test_a_folder_that_may_not_be_entered_is_no_fault_of_a_reader(tmp_path, closed):
    """Nor unknown: nobody has seen what is in it."""
    plane = tmp_path / "recording" / "plane0"
    plane.mkdir(parents=True)
    np.save(plane / "F.npy", np.zeros((2, 80), np.float32))
    assert readers.reader_for(tmp_path / "recording").spec.name == "suite2p"
    open_up(tmp_path)
    (tmp_path / closed).chmod(0)
    message = rf"{tmp_path / closed} cannot be opened: permission denied. Ask its owner"
    try:
        with pytest.raises(UnreadableSource, match=message), as_somebody():
            readers.reader_for(tmp_path / "recording")
    finally:
        (tmp_path / closed).chmod(0o755)
