"""What is evaluated: vectors of the recordings of a cohort, as they are or as an encoder learns them for a split."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.contracts.compatibility import problems
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.errors import CannotEncode, NeuridWarning
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.model.fitting import fit
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings

Vectors = tuple[Embeddings, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class System:
    """Vectors under a name.

    Parameters
    ----------
    name
        In tables.
    vectors
        Of each recording of the cohort.
    """

    name: str
    vectors: Vectors

    @property
    def seen(self) -> Bool[np.ndarray, " units"]:
        """Which units of the cohort have a vector."""
        return np.isfinite(stacked(self.vectors)).all(axis=1)


def stacked(vectors: Vectors) -> Float32[np.ndarray, "units dim"]:
    """The vectors of all recordings, one below the other."""
    return np.concatenate([each.vectors for each in vectors])


def embedded(
    model: Model, populations: Sequence[Population], *, pool_groups: bool = False, progress: Progress = silent
) -> Vectors:
    """Vectors of every recording; one that the encoder cannot take has none, with a warning.

    Raises
    ------
    CannotEncode
        If it can take none.
    """
    found, refused = [], []
    for population in progress(populations, label=f"embedding ({model.name})", total=len(populations)):
        if why := problems(population, model.spec):
            refused += [f"{population.source or 'a recording'}: {each}" for each in why]
            nothing = np.zeros((len(population), model.encoder.dim))
            found.append(Embeddings.of(population, nothing, reasons=["; ".join(why)] * len(population)))
        else:
            found.append(model.embed(population, pool_groups=pool_groups, progress=progress))
    if refused and all((each.reasons != "").all() for each in found):
        raise CannotEncode(model.name, "these recordings", refused)
    for line in refused:
        warnings.warn(f"Left out: {line}.", NeuridWarning, stacklevel=2)
    return tuple(found)


def concatenated(parts: Sequence[Vectors]) -> Vectors:
    """The vectors of several encoders as one; a unit has one if it has all."""
    joined = []
    for own in zip(*parts, strict=True):
        reasons = own[0].reasons.astype(object)
        for other in own[1:]:
            reasons = np.where(reasons == "", other.reasons.astype(object), reasons)
        wide = np.hstack([part.vectors for part in own])
        wide[reasons != ""] = np.nan
        windowed = [part for part in own if part.provenance.window_s > 0] or own  # others count no windows
        least = np.min([part.n_windows for part in windowed], axis=0)
        window_s = max(part.provenance.window_s for part in own)
        joined.append(
            replace(
                own[0],
                vectors=wide,
                reasons=reasons.astype(np.str_),
                n_windows=np.where(reasons == "", least, 0).astype(np.int32),
                stability=np.where(reasons == "", own[0].stability, np.nan).astype(np.float32),
                provenance=replace(own[0].provenance, window_s=window_s, encoder=" + ".join(_names(own))),
            )
        )
    return tuple(joined)


def _names(parts: Sequence[Embeddings]) -> list[str]:
    return [part.provenance.encoder for part in parts]


def taught(
    start: Model,
    cohort: Cohort,
    subjects: Sequence[str],
    options: TrainingOptions,
    *,
    pool_groups: bool = False,
    progress: Progress = silent,
) -> Vectors:
    """Vectors of every recording, of an encoder that was trained without labels on those of these subjects."""
    known = [population for population in cohort.populations if population.subject_id in set(subjects)]
    model, _ = fit(start, known, options, pool_groups=pool_groups, progress=progress)
    return embedded(model, cohort.populations, pool_groups=pool_groups, progress=progress)
