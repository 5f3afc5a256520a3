"""Download addresses of files in the DANDI archive, from their paths in a dandiset."""

import re

from nwb_neurid.errors import SourceNotFound, UnreadableSource
from nwb_neurid.readers.nwb.web import LARGEST_JSON_BYTES, MISSING, Waiting, check_granted, parse_json, request

API = "https://api.dandiarchive.org/api"

_ADDRESS = re.compile(r"dandi://(?:dandi/)?(?P<dandiset>\d{6})(?:@(?P<version>[^/]+))?/(?P<path>.*[^/])")


def download_address(url: str, waiting: Waiting) -> str:
    """Find the download address of a file in a dandiset.

    Parameters
    ----------
    url
        `dandi://DANDISET[@VERSION]/path`, optionally with the name of the archive first, as in the dandi client. The
        default version is the latest published version, or the draft if no version is published.

    Raises
    ------
    SourceNotFound
        If there is no such dandiset, version or file.
    UnreadableSource
        If the URL does not have this form, or the archive denies access.
    """
    if (match := _ADDRESS.fullmatch(url)) is None:
        raise UnreadableSource(
            f"{url} is not the address of a file in the DANDI archive. Write "
            "dandi://DANDISET/path/in/the/dandiset.nwb, where DANDISET has six digits, optionally followed by @VERSION."
        )
    dandiset, path = match["dandiset"], match["path"]
    version = match["version"] or _latest(dandiset, url, waiting)
    where = f"dandisets/{dandiset}/versions/{version}"
    # The filter `path` finds all paths that begin with this text. In alphabetical order, the exact path comes first.
    what = f"dandiset {dandiset} in version {version}"
    answer = _ask(f"{where}/assets/", url, what, waiting, path=path, order="path")
    asset_ids = [asset["asset_id"] for asset in _assets(answer) if asset["path"] == path]
    if not asset_ids:
        raise SourceNotFound(
            f"{url} does not exist: dandiset {dandiset} in version {version} has no file {path}. Check the path."
        )
    return f"{API}/assets/{asset_ids[0]}/download/"


def _latest(dandiset: str, url: str, waiting: Waiting) -> str:
    found = _ask(f"dandisets/{dandiset}/", url, f"dandiset {dandiset}", waiting)
    published = found.get("most_recent_published_version")
    return str(published.get("version", "draft")) if isinstance(published, dict) else "draft"


def _assets(answer: dict[str, object]) -> list[dict[str, object]]:
    """Return the assets in an answer of the archive."""
    found = answer.get("results")
    listed = found if isinstance(found, list) else []
    return [asset for asset in listed if isinstance(asset, dict) and asset.keys() >= {"path", "asset_id"}]


def _ask(place: str, url: str, what: str, waiting: Waiting, **query: str) -> dict[str, object]:
    """Request information from the archive."""
    answer = request(f"{API}/{place}", url, waiting, query=query, most_bytes=LARGEST_JSON_BYTES)
    if answer.status in MISSING:
        raise SourceNotFound(f"{url} does not exist: the DANDI archive has no {what}. Check the address.")
    check_granted(answer, url)
    return parse_json(answer, url, "the DANDI archive")
