"""Download of recordings from the DANDI archive, with the client of the archive."""

import fnmatch
import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from nwb_neurid._system.atomic import convert_errors
from nwb_neurid._system.text import counted
from nwb_neurid.contracts import Progress, silent
from nwb_neurid.datasets.dataset import Dataset
from nwb_neurid.errors import CannotFetch, CannotWrite, InvalidOption, SourceNotFound
from nwb_neurid.readers.nwb.web import Waiting, request

if TYPE_CHECKING:
    from dandi.dandiapi import DandiAPIClient, RemoteAsset

API = "https://api.dandiarchive.org/api"
SPARE = 1.02
"""Disk space that must be free in addition to the size of the recordings."""


def list_present(dataset: Dataset, folder: Path) -> list[Path]:
    """List the recordings of a dataset that are in a folder.

    Parameters
    ----------
    dataset
        The recipe, which states the names of the recordings.
    folder
        The folder that was given to `fetch`, or the folder that contains the recordings.

    Returns
    -------
    list of Path
        The recordings, in the order of their paths.
    """
    own = folder / dataset.source.dandiset
    place = own if dataset.source.dandiset and own.is_dir() else folder
    found = (path.relative_to(place) for path in sorted(place.rglob("*")) if path.suffix in {".nwb", ".zarr"})
    names = PurePosixPath(dataset.source.files).name if place == folder else dataset.source.files
    return [place / path for path in found if _fits(path.as_posix(), names, dataset.source.exclude)]


def fetch(
    dataset: Dataset,
    folder: Path,
    *,
    only: str = "",
    most: int | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Fetch the recordings of a dataset. Unchanged files are kept, and interrupted downloads are resumed.

    Parameters
    ----------
    dataset
        The recipe, which states where the recordings are.
    folder
        The folder to download to. A subfolder with the name of the dandiset is made in it.
    only
        Fetch only recordings of the recipe whose paths match this pattern.
    most
        Fetch only this many recordings, in the order of their paths.
    progress
        Reports every recording.

    Returns
    -------
    list of Path
        The recordings, whose checksums were compared with those of the archive.

    Raises
    ------
    InvalidOption
        If the dataset is not in the DANDI archive, or no recording matches.
    CannotFetch
        If the archive does not answer as expected, or some recordings could not be fetched. Fetched recordings are
        kept.
    UnreadableSource
        If the archive cannot be reached.
    CannotWrite
        If the disk is too small for the recordings, or the folder cannot be written.
    """
    source = dataset.source
    if source.archive != "dandi":
        raise InvalidOption(
            f"{dataset.name} is not in the DANDI archive and has to be downloaded by hand: {source.address}. Put its "
            "recordings into a folder and pass that folder (--data)."
        )
    client = _connect(dataset)
    with client:
        assets = _list_assets(client, dataset, only)
        chosen = assets[:most]
        _check_room(dataset, folder, chosen)
        failed, paths = [], []
        for asset in progress(chosen, label="recordings", total=len(chosen)):
            path = folder / source.dandiset / asset.path
            problem = _fetch_one(asset, folder, dataset)
            paths += [] if problem else [path]
            failed += [f"{asset.path}: {problem}"] if problem else []
    if failed:
        raise CannotFetch(dataset.name, failed, len(paths))
    return paths


def _fits(path: str, pattern: str, exclude: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) and not (exclude and fnmatch.fnmatchcase(path, exclude))


def _connect(dataset: Dataset) -> "DandiAPIClient":
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports
            from dandi.dandiapi import DandiAPIClient
    except ImportError as error:
        raise InvalidOption(
            f"Downloading {dataset.name} needs the client of the DANDI archive ({error}): pip install dandi"
        ) from error
    request(f"{API}/info/", f"dandi://{dataset.source.dandiset}", Waiting())  # the client would try for a minute
    logging.getLogger("dandi").setLevel(logging.CRITICAL)  # what went wrong is reported at the end
    return DandiAPIClient(API)


def _list_assets(client: "DandiAPIClient", dataset: Dataset, only: str) -> "list[RemoteAsset]":
    """List the assets of a dandiset that are recordings of the dataset, in the order of their paths."""
    source = dataset.source
    where = f"dandiset {source.dandiset}" + (f" in version {source.version}" if source.version else "")
    with _explain(f"{dataset.name}: {where}", [dataset.name]):
        found = client.get_dandiset(source.dandiset, source.version or None)
        assets = [each for each in found.get_assets() if _fits(each.path, source.files, source.exclude)]
    chosen = sorted(
        (each for each in assets if not only or fnmatch.fnmatchcase(each.path, only)), key=attrgetter("path")
    )
    if not chosen:
        what = f"{counted(len(assets), 'recording')} of {dataset.name}, but none matches {only!r}" if assets else ""
        raise SourceNotFound(
            f"{where[0].upper()}{where[1:]} holds {what or f'no recording that matches {source.files}'}."
        )
    return chosen


@contextmanager
def _explain(what: str, names: Sequence[str]) -> Iterator[None]:
    """Return the message of the client about the archive, in one line."""
    from dandi.exceptions import NotFoundError
    from requests import RequestException

    try:
        yield
    except NotFoundError as error:
        raise SourceNotFound(f"{what} does not exist in the archive.") from error
    except (RequestException, ValueError, KeyError, TypeError) as error:
        raise CannotFetch(names[0], [f"unexpected answer from the archive: {_shorten(error)}"], 0) from error


def _shorten(error: object) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."


def _check_room(dataset: Dataset, folder: Path, assets: "Sequence[RemoteAsset]") -> None:
    """Refuse to start if the disk is too small for the recordings. Recordings that are present are not counted."""
    with convert_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    places = [(folder / dataset.source.dandiset / each.path, each.size) for each in assets]
    need = sum(size for path, size in places if not (path.is_file() and path.stat().st_size == size))
    if need * SPARE > free:
        raise CannotWrite(
            f"{dataset.name} needs {need / 1e9:,.1f} GB in {folder}, which has {free / 1e9:,.1f} GB left. Download "
            "fewer recordings (--most N, --only PATTERN), or choose another folder (--data)."
        )


def _fetch_one(asset: "RemoteAsset", folder: Path, dataset: Dataset) -> str:
    """Fetch one recording. Return the reason if this failed, or "" otherwise."""
    from dandi.dandiarchive import parse_dandi_url
    from dandi.download import Downloader, DownloadExisting
    from requests import RequestException

    where = f"{API}/dandisets/{dataset.source.dandiset}/versions/{asset.version_id}/assets/{asset.identifier}/"
    problem = ""
    try:
        loader = Downloader(
            url=parse_dandi_url(where),
            output_dir=folder,
            existing=DownloadExisting.REFRESH,
            get_metadata=False,
            get_assets=True,
            preserve_tree=True,
            jobs_per_zarr=None,
            on_error="yield",
        )
        report: dict[str, Any]
        for report in loader.download_generator():
            if report.get("status") == "error":
                problem = _shorten(report.get("message", "it failed"))
    except (OSError, RequestException, RuntimeError, ValueError, KeyError) as error:
        problem = _shorten(error)
    return problem
