"""The list of recordings to embed. A recording with several paths is listed once, with its entry in the manifest."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from nwb_neurid.contracts import Progress, is_url
from nwb_neurid.errors import NeuridError, SourceUnreachable, UnreadableSource
from nwb_neurid.workflows.archive.digests import drop_date, hash_values, is_same_file, take_source_digest
from nwb_neurid.workflows.archive.manifest import Entry, Manifest
from nwb_neurid.writers.nwb.destination import is_nwb

THREADS = 8
WAITS_S = (1.0, 4.0)
"""Waiting times before a request to a server is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The recordings to embed.

    Parameters
    ----------
    entries
        Each recording once, by its key.
    names
        The name of each recording in this run, by its key.
    same
        Further names of recordings that are listed more than once, and the name under which each is embedded.
    refused
        Sources that cannot be opened, with reasons.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def plan_recordings(
    sources: Sequence[str],
    manifest: Manifest,
    model: str,
    options: str,
    *,
    into_recordings: bool = False,
    progress: Progress,
) -> Plan:
    """Compute the digest of every recording, and find recordings that are listed more than once.

    Parameters
    ----------
    sources
        Files, folders or URLs.
    manifest
        The manifest, with the recordings that are done. A file that changed because results were written into it
        counts as the same recording.
    model, options
        Hashes of the model and of the options.
    into_recordings
        Whether results are written into the recordings themselves, so that a killed run may have changed them.
    progress
        Progress callback, called at every recording.

    Returns
    -------
    Plan
        The plan. Every source is in one of its lists: to be embedded, listed before, or refused.
    """
    plan, names, large = Plan(), list(dict.fromkeys(sources)), dict[str, str]()
    with ThreadPoolExecutor(THREADS) as pool:
        found = zip(names, pool.map(_take_digest, names), strict=True)
        for source, digest in progress(found, label="digests", total=len(names)):
            if isinstance(digest, NeuridError):
                plan.refused[source] = str(digest)
                continue
            entry = _recall(manifest, source, digest, model, options, into_recordings)
            twin = large.setdefault(drop_date(digest), source)
            if entry.key in plan.entries:
                plan.same[source] = plan.names[entry.key]
            elif twin != source and is_same_file(twin, source):
                plan.same[source] = twin
            else:
                plan.entries[entry.key], plan.names[entry.key] = entry, source
    return plan


def name_place(source: str) -> str:
    """Return the location of a source: its full path, or its URL."""
    return source if is_url(source) else str(Path(source).absolute())


def _recall(manifest: Manifest, source: str, digest: str, model: str, options: str, into_recordings: bool) -> Entry:
    """Return the entry of a source.

    It is an earlier entry if the source has only changed because results of that entry were written into it.
    Otherwise, it is a new entry.
    """
    written = manifest.find_written(digest, model, options)
    if written is not None:
        return written
    place = name_place(source)
    key = hash_values({"digest": digest, "model": model, "options": options})
    own = into_recordings and not is_url(source) and is_nwb(Path(source))
    begun = manifest.find_begun(place, model, options) if own else None
    if begun is not None and manifest.find(key) is None:
        return replace(begun, digest=digest)
    return Entry(key=key, source=place, digest=digest, model=model, options=options, facts={})


def _take_digest(source: str) -> str | NeuridError:
    """Return the digest of a source, or the error if there is none.

    If a server does not answer, the request is repeated.
    """
    try:
        name_place(source).encode()
    except UnicodeEncodeError:
        return UnreadableSource(f"{source!a} has a name that is no text in UTF-8, which no table can hold. Rename it.")
    for wait_s in (0.0, *WAITS_S):
        time.sleep(wait_s)
        try:
            return take_source_digest(source)
        except NeuridError as error:
            found = error
        if not isinstance(found, SourceUnreachable):
            break
    return found
