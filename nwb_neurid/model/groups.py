"""Groups of units (probes, imaging planes). Each group is embedded separately."""

from collections.abc import Iterator

import numpy as np

from nwb_neurid._system.text import counted
from nwb_neurid.contracts import Encoder, EncoderSpec, Progress
from nwb_neurid.contracts.attribution import attribute_errors
from nwb_neurid.errors import BrokenPlugin, InvalidResults
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Provenance


def split_groups(population: Population, pool_groups: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Find the rows of each group, without excluded units. Groups are in the order of their first units."""
    rows = np.array([row for row in range(len(population)) if row not in population.excluded], np.int64)
    if pool_groups or population.group is None:
        yield "", rows
        return
    groups = population.group[rows]
    for name in dict.fromkeys(groups.tolist()):
        yield str(name), rows[groups == name]


def embed_groups(
    encoder: Encoder, spec: EncoderSpec, population: Population, *, who: str, pool: bool, progress: Progress
) -> tuple[Embeddings, list[Provenance]]:
    """Embed every group with enough units, and return its provenance. `who` names the encoder in messages.

    Raises
    ------
    BrokenPlugin
        If the encoder breaks its contract.
    """
    reasons = [population.excluded.get(row, "") for row in range(len(population))]
    vectors = np.full((len(population), encoder.dim), np.nan, np.float32)
    n_windows = np.zeros(len(population), np.int32)
    stability = np.full(len(population), np.nan, np.float32)
    parts: list[Provenance] = []
    for group, rows in split_groups(population, pool):
        if len(rows) < spec.min_units:
            for row in rows:
                reasons[row] = f"group {group} has {counted(len(rows), 'unit')}, at least {spec.min_units} are needed"
            continue
        part = _embed_group(encoder, population.select(rows), who, progress)
        vectors[rows], n_windows[rows], stability[rows] = part.vectors, part.n_windows, part.stability
        for row, reason in zip(rows, part.reasons, strict=True):
            reasons[row] = str(reason)
        parts.append(part.provenance)
    found = Embeddings.of(population, vectors, n_windows=n_windows, stability=stability, reasons=reasons)
    return found, parts


def _embed_group(encoder: Encoder, group: Population, who: str, progress: Progress) -> Embeddings:
    try:
        with attribute_errors(lambda: who, f"failed on {group.source or 'this recording'}"):
            part = encoder.embed(group, progress=progress)
    except InvalidResults as error:
        raise BrokenPlugin(f"{who} gave results that contradict one another: {error}") from error
    wanted = (len(group), encoder.dim)
    if not isinstance(part, Embeddings) or part.vectors.shape != wanted:
        got = part.vectors.shape if isinstance(part, Embeddings) else type(part).__name__
        raise BrokenPlugin(f"{who} must return Embeddings with vectors of shape {wanted}, got {got}.")
    if not np.array_equal(part.unit_ids, group.unit_ids):
        raise BrokenPlugin(f"{who} returned its units in another order.")
    return part
