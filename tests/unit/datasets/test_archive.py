"""Fetching, from a server on this machine that answers like the archive."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from nwb_neurid.datasets.archive import fetch, list_present
from nwb_neurid.datasets.dataset import load_dataset
from nwb_neurid.errors import CannotFetch, CannotWrite, InvalidOption, SourceNotFound, UnreadableSource

NAMES = ["sub-A/sub-A_ses-1.nwb", "sub-A/sub-A_ses-2.nwb", "sub-B/sub-B_ses-1.nwb"]


@pytest.fixture
def dataset():
    return load_dataset("steinmetz-2019")


def downloads(server):
    return [(path, part) for path, part in server.asked if path.startswith("/blobs/")]


def test_every_recording_of_every_page_is_fetched_and_nothing_else(archive, dataset, tmp_path):
    paths = fetch(dataset, tmp_path)
    assert [path.relative_to(tmp_path / "000017").as_posix() for path in paths] == NAMES
    assert [path.read_bytes() for path in paths] == [name.encode() * 20_000 for name in NAMES]
    assert list_present(dataset, tmp_path) == paths
    assert list_present(dataset, tmp_path / "000017") == paths
    assert not (tmp_path / "000017" / "readme.txt").exists()


def test_what_is_there_is_not_fetched_again(archive, dataset, tmp_path):
    fetch(dataset, tmp_path)
    before = len(downloads(archive))
    assert fetch(dataset, tmp_path) == list_present(dataset, tmp_path)
    assert len(downloads(archive)) == before == 3


def test_a_download_that_breaks_off_continues_where_it_was(archive, dataset, tmp_path):
    asset = next(key for key, (name, _) in archive.blobs.items() if name == NAMES[0])
    large = NAMES[0].encode() * 900_000  # the client keeps pieces of 8 MB
    archive.blobs[asset], archive.breaks[asset] = (NAMES[0], large), 1
    paths = fetch(dataset, tmp_path, most=1)
    assert paths[0].read_bytes() == large
    assert [part for _, part in downloads(archive)] == [None, f"bytes={2**23}-"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["sub-A_ses-1.nwb"]


def test_what_fails_is_listed_and_the_rest_is_there(archive, dataset, tmp_path):
    asset = next(key for key, (name, _) in archive.blobs.items() if name == NAMES[1])
    archive.fails[f"/blobs/{asset}"] = 403
    with pytest.raises(CannotFetch) as raised:
        fetch(dataset, tmp_path)
    message = str(raised.value)
    assert message.startswith(
        "1 of steinmetz-2019 could not be downloaded. 2 others were downloaded. Run the same command again to continue:"
    )
    assert f"- {NAMES[1]}: " in message
    assert "403" in message
    assert [path.relative_to(tmp_path / "000017").as_posix() for path in list_present(dataset, tmp_path)] == [
        NAMES[0],
        NAMES[2],
    ]
    del archive.fails[f"/blobs/{asset}"]
    assert len(fetch(dataset, tmp_path)) == 3


def test_bytes_that_are_not_those_of_the_archive_are_reported(archive, dataset, tmp_path):
    archive.claimed[NAMES[0]] = NAMES[0].encode() * 19_999 + b"x" * len(NAMES[0])
    with pytest.raises(CannotFetch, match="etag"):
        fetch(dataset, tmp_path, most=1)


def test_only_what_was_asked_for(archive, dataset, tmp_path):
    assert [path.name for path in fetch(dataset, tmp_path, only="sub-B/*")] == ["sub-B_ses-1.nwb"]
    assert [path.name for path in fetch(dataset, tmp_path / "other", most=2)] == ["sub-A_ses-1.nwb", "sub-A_ses-2.nwb"]
    with pytest.raises(SourceNotFound, match=r"000017 in version .* holds 3 recordings .* but none matches 'sub-C"):
        fetch(dataset, tmp_path, only="sub-C/*")


def test_the_latest_version_where_the_recipe_names_none(archive, dataset, tmp_path):
    assert len(fetch(replace(dataset, source=replace(dataset.source, version="")), tmp_path)) == 3


def test_a_dandiset_that_is_not_there(archive, dataset, tmp_path):
    other = replace(dataset, source=replace(dataset.source, dandiset="000999"))
    with pytest.raises(SourceNotFound, match=r"steinmetz-2019: dandiset 000999 in version .* does not exist"):
        fetch(other, tmp_path)


@pytest.mark.parametrize("status", [500, 401])
def test_an_archive_that_does_not_answer(archive, dataset, tmp_path, status):
    archive.fails["/api/dandisets/000017/versions/0.240329.1926/assets/"] = status
    with pytest.raises(CannotFetch, match="unexpected answer from the archive"):
        fetch(dataset, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_is_not_reached(dataset, tmp_path, monkeypatch):
    pytest.importorskip("dandi", reason="fetching needs nwb-neurid[dandi]")
    monkeypatch.setattr("nwb_neurid.datasets.archive.API", "http://127.0.0.1:9/api")
    with pytest.raises(UnreadableSource, match="dandi://000017 cannot be read: "):
        fetch(dataset, tmp_path)


def test_nothing_is_begun_that_the_disk_cannot_hold(archive, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(CannotWrite, match=r"steinmetz-2019 needs 0\.0 GB in .*--most N"):
        fetch(dataset, tmp_path)
    assert downloads(archive) == []


def test_what_is_in_no_archive_is_fetched_by_hand(tmp_path):
    with pytest.raises(InvalidOption, match=r"bugeon-2022 is not in the DANDI archive .*figshare"):
        fetch(load_dataset("bugeon-2022"), tmp_path)


def test_without_the_client_it_is_said_how_to_get_it(dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dandi.dandiapi", None)
    with pytest.raises(InvalidOption, match="pip install dandi"):
        fetch(dataset, tmp_path)


def test_probe_files_are_no_recordings(tmp_path):
    allen = load_dataset("allen-visual-coding")
    folder = tmp_path / "000021" / "sub-1"
    folder.mkdir(parents=True)
    for name in ("sub-1_ses-2.nwb", "sub-1_ses-2_probe-3_ecephys.nwb"):
        (folder / name).touch()
    assert [path.name for path in list_present(allen, tmp_path)] == ["sub-1_ses-2.nwb"]
