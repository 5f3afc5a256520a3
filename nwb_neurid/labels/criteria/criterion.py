"""A criterion: published thresholds on measurements of a unit. It needs no training and gives no probabilities."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.labels.criteria.regions import find_part
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json, Predictions, Provenance

KIND = "a published criterion: thresholds on measured values, no classifier, so that it has no probabilities"
NO_WAVEFORM = "no mean waveform with a known sampling rate"
FEWEST_SAMPLES = 4
FEWEST_SPIKES = 100


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Unit:
    """Data of one unit for a criterion.

    Parameters
    ----------
    train_s, runs_s
        Its spike times and the unbroken runs in which it was observed, in seconds.
    resolution_s
        Resolution of the spike times.
    waveform
        Mean waveform on its peak channel, shape (samples,), finite; None if it is not known.
    rate_hz
        Samples per second of the waveform; NaN if there is no waveform.
    region
        Its brain region; "" if it is not known.
    """

    train_s: Float[np.ndarray, " spikes"]
    runs_s: Float[np.ndarray, "runs 2"]
    resolution_s: float
    waveform: Float[np.ndarray, " samples"] | None
    rate_hz: float
    region: str

    def explain_uncountable(self, coarsest_s: float) -> str:
        """Explain why its autocorrelogram cannot be used in bins of this many seconds. Return "" if it can be used.

        Parameters
        ----------
        coarsest_s
            The coarsest resolution of spike times, in seconds, at which the autocorrelogram can be used.

        Returns
        -------
        str
            The reason.
        """
        if self.resolution_s > coarsest_s:
            return f"spike times too coarse for an autocorrelogram: {self.resolution_s * 1e3:g} ms"
        if len(self.train_s) < FEWEST_SPIKES:
            return f"too few spikes: {len(self.train_s)} of {FEWEST_SPIKES}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of a criterion for one unit.

    Parameters
    ----------
    label
        Its class; "" if the criterion gives none.
    reason
        The reason why the criterion gives no class or cannot be applied, or "" otherwise.
    values
        Measured values by name. Values that were not needed or could not be measured are missing.
    """

    label: str = ""
    reason: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A published criterion for the type of a unit.

    Parameters
    ----------
    name, version
        Its name for `--criteria`, and the version of this implementation.
    title
        Its name in messages: "CellExplorer's criterion".
    label_name
        Name of the label that it assigns. The label is putative, so it never has the name of a known label.
    scope
        The neurons for which it is valid, in words.
    citation
        The publication.
    classes
        Its classes, each with a description.
    thresholds
        The thresholds, by the name of the measurement, which includes the physical unit.
    values
        Names of the measurements, with their physical units.
    judge
        Function that applies it to one unit.
    parts, needs_region
        Parts of the brain for which it is valid, and whether at least one unit must be known to be there.
    """

    name: str
    version: str
    title: str
    label_name: str
    scope: str
    citation: str
    classes: Mapping[str, str]
    thresholds: Mapping[str, float]
    values: tuple[str, ...]
    judge: Callable[[Unit], Verdict]
    parts: frozenset[str]
    needs_region: bool = False

    def suits(self, population: Population) -> bool:
        """Return whether `embed` applies the criterion to a recording by default.

        This requires spikes, and units in a part of the brain for which the criterion is valid.

        Parameters
        ----------
        population
            The recording.

        Returns
        -------
        bool
            Also True if no region is known, unless the criterion requires that a region is known.
        """
        regions = {str(region) for region in population.labels.get("brain_region", ())} - {""}
        there = not self.parts.isdisjoint(map(find_part, regions)) or not (regions or self.needs_region)
        return population.activity.kind == "spikes" and there


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Judgement:
    """Results of a criterion for the units of a recording.

    Parameters
    ----------
    criterion
        The criterion.
    measured
        Its measurements, as vectors with one dimension for each of `Criterion.values`. A unit has all
        measurements, or none and a reason.
    predictions
        The class of each unit, without a probability.
    is_excluded
        Which units the recording excludes, such as noise. They are not counted in the summary.
    """

    criterion: Criterion
    measured: Embeddings
    predictions: Predictions
    is_excluded: Bool[np.ndarray, " units"]

    @property
    def summary(self) -> str:
        """Return one line with the number of units of each class, and the reasons why other units have no class."""
        predictions = self.predictions
        counts = Counter(predictions.label[~predictions.abstained].tolist())
        said = [f"{counts[name]} {name}" for name in self.criterion.classes if counts[name]]
        reasons = predictions.reasons[predictions.abstained & ~self.is_excluded]
        why = Counter(reason.partition(":")[0] for reason in reasons.tolist())
        if why:
            counts_of_reasons = "; ".join(f"{count} {reason}" for reason, count in why.most_common())
            said.append(f"{why.total()} abstained: {counts_of_reasons}")
        label = predictions.label_name.replace("_", " ")
        return f"{label} by {self.criterion.title}: {', '.join(said) or 'no unit'}"


def apply_criterion(criterion: Criterion, population: Population, *, progress: Progress = silent) -> Judgement:
    """Apply a criterion to every unit of a recording.

    Parameters
    ----------
    criterion
        The criterion.
    population
        Units with spikes.
    progress
        Progress callback, called for every unit.

    Returns
    -------
    Judgement
        One row for each unit. Excluded units keep their reason.

    Raises
    ------
    InvalidPopulation
        If the activity is not spikes.
    """
    units, classes = len(population), np.array(list(criterion.classes), np.str_)
    resolution_s = population.resolution_s()
    rows = progress(range(units), label=criterion.title, total=units)
    verdicts = [_judge(criterion, population, row, resolution_s) for row in rows]
    label = np.array([verdict.label for verdict in verdicts], np.str_).reshape(units)
    provenance = _describe(criterion, population)
    return Judgement(
        criterion=criterion,
        measured=_collect_values(criterion, population, verdicts, provenance),
        is_excluded=np.isin(np.arange(units), list(population.excluded)),
        predictions=Predictions(
            label_name=criterion.label_name,
            scope=f"{criterion.scope}; {criterion.title}, {KIND}",
            classes=classes,
            unit_ids=population.unit_ids,
            label=label,
            class_probabilities=np.full((units, len(classes)), np.nan, np.float32),
            prediction_set=np.zeros((units, len(classes)), np.bool_),
            abstained=label == "",
            reasons=np.array([verdict.reason for verdict in verdicts], np.str_).reshape(units),
            ood_score=np.full(units, np.nan, np.float32),
            prevalence=np.full(len(classes), np.nan, np.float32),
            coverage=np.nan,
            provenance=provenance,
            descriptions=criterion.classes,
            notes=(f"Source: {criterion.citation}.",),
        ),
    )


def _judge(criterion: Criterion, population: Population, row: int, resolution_s: float) -> Verdict:
    """Apply the criterion to the unit in a row."""
    train_s, runs_s = population.spikes.train_s(row), population.runs_s(row)
    if reason := population.excluded.get(row, "") or _find_missing(train_s, runs_s):
        return Verdict(reason=reason)
    waveform, rate_hz = None, np.nan
    if population.waveforms_uv is not None and population.waveform_rate_hz is not None:
        known = population.waveforms_uv[row]
        known = known[np.isfinite(known)]
        if len(known) >= FEWEST_SAMPLES and np.ptp(known) > 0:
            waveform, rate_hz = known, population.waveform_rate_hz
    regions = population.labels.get("brain_region")
    return criterion.judge(
        Unit(
            train_s=train_s,
            runs_s=runs_s,
            resolution_s=resolution_s,
            waveform=waveform,
            rate_hz=rate_hz,
            region="" if regions is None else str(regions[row]),
        )
    )


def _find_missing(train_s: Float[np.ndarray, " spikes"], runs_s: Float[np.ndarray, "runs 2"]) -> str:
    """Explain why nothing can be measured of a unit. Return "" if measurements are possible."""
    if len(runs_s) == 0:
        return "never observed"
    return "" if len(train_s) else "no spikes in observed time"


def _describe(criterion: Criterion, population: Population) -> Provenance:
    """Describe how the classes were computed, that is, with published thresholds."""
    config: dict[str, Json] = {
        "thresholds": dict(criterion.thresholds),
        "values": list(criterion.values),
        "citation": criterion.citation,
    }
    return Provenance(
        encoder=criterion.name,
        encoder_version=criterion.version,
        config=config,
        training=KIND,
        notes=(f"Not a trained encoder: {criterion.title}. Its vectors are {', '.join(criterion.values)}.",),
        dimensions=tuple(criterion.values),
        source=Path(population.source).name,
        session_id=population.session_id,
        subject_id=population.subject_id,
    )


def _collect_values(
    criterion: Criterion, population: Population, verdicts: Sequence[Verdict], provenance: Provenance
) -> Embeddings:
    """Collect the measurements. A unit has a vector if all of its measurements are known."""
    vectors = np.zeros((len(verdicts), len(criterion.values)))
    reasons = []
    for row, verdict in enumerate(verdicts):
        missing = [name for name in criterion.values if name not in verdict.values]
        vectors[row] = [verdict.values.get(name, 0.0) for name in criterion.values]
        reasons.append((verdict.reason or f"not measured: {', '.join(missing)}") if missing else "")
    return Embeddings.of(population, vectors, reasons=reasons, provenance=provenance)
