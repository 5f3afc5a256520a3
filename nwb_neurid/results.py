"""Results: `Embeddings` and `Predictions`, with one row per unit, and their `Provenance`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, Shaped

from nwb_neurid._system.display import count_reasons, format_html, format_lines, list_some
from nwb_neurid.activity import frozen_view
from nwb_neurid.errors import InvalidResults
from nwb_neurid.population import Population

if TYPE_CHECKING:
    import pandas as pd

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

UNTRAINED = "untrained: random weights"

AnyResults = TypeVar("AnyResults", "Embeddings", "Predictions")
_ROWS_OF_EMBEDDINGS = ("vectors", "unit_ids", "n_windows", "stability", "reasons")
_ROWS_OF_PREDICTIONS = (
    "unit_ids",
    "label",
    "class_probabilities",
    "prediction_set",
    "abstained",
    "reasons",
    "ood_score",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How vectors were computed.

    Parameters
    ----------
    encoder, encoder_version, config
        Name, version and config of the encoder.
    weights_sha256
        Hash of the weights of the encoder; "" for an encoder that does not learn.
    training
        Description of the training data, in words. It is `UNTRAINED` for random weights, and "" if the encoder does not
        learn.
    window_s
        Length of the windows over which vectors were averaged, in seconds; 0 if the recording was used as a whole.
    stitched
        Whether windows were joined from shorter stretches of observed time. Scores on such vectors are not comparable
        with published scores.
    notes
        Sentences about further processing of the activity.
    source, session_id, subject_id
        Path, session and subject of the recording.
    software
        Versions of the software that computed the vectors.
    dimensions
        Names of the dimensions of a vector. Empty if the dimensions have no meaning.
    """

    encoder: str = ""
    encoder_version: str = ""
    config: Mapping[str, Json] = field(default_factory=dict)
    weights_sha256: str = ""
    training: str = ""
    window_s: float = 0.0
    stitched: bool = False
    notes: tuple[str, ...] = ()
    source: str = ""
    session_id: str = ""
    subject_id: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    dimensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Embeddings:
    """One vector per unit, in the order of the units in the source.

    Parameters
    ----------
    vectors
        Vectors, shape (units, dim), float32. The values of a row are all finite, or all NaN. A row of NaN has a reason
        in `reasons`.
    unit_ids
        Ids of the units, as in the population, shape (units,).
    n_windows
        Number of windows in which each unit was observed and active, shape (units,). It is 1 if the encoder uses the
        recording as a whole.
    stability
        Cosine similarity of the mean vectors of two random halves of a unit's windows, shape (units,). If the encoder
        uses the recording as a whole, it is the cosine similarity of the unit's vectors in two parts of the recording.
        NaN if there are too few data, such as fewer than four windows.
    reasons
        The reason why a unit has no vector, shape (units,); "" if the unit has a vector.
    provenance
        How the vectors were computed.
    predictions
        The predictions of `nwb_neurid.embed`, by the name of the label. Empty for embeddings from other functions.
        Predictions have the provenance of the vectors from which they were computed. These are the vectors of this
        object, or the vectors of one of the results in `beside`.
    beside
        Further results of `nwb_neurid.embed`, by name: the results of published criteria, and of included models with
        label heads. Empty for embeddings from other functions.

    Raises
    ------
    InvalidResults
        If lengths differ, if a row is neither a finite vector nor NaN with a reason, if the number of names of
        dimensions is wrong, or if names of dimensions repeat.
    """

    vectors: Float32[np.ndarray, "units dim"]
    unit_ids: Shaped[np.ndarray, " units"]
    n_windows: Int32[np.ndarray, " units"]
    stability: Float32[np.ndarray, " units"]
    reasons: Shaped[np.ndarray, " units"]
    provenance: Provenance = field(default_factory=Provenance)
    predictions: Mapping[str, "Predictions"] = field(default_factory=dict)
    beside: Mapping[str, "Embeddings"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_rows(self, _ROWS_OF_EMBEDDINGS)
        for name, predictions in self.predictions.items():
            _check_length(f"predictions of {name}", predictions.label, len(self.unit_ids))
        for name, other in self.beside.items():
            _check_length(f"what {name} measured", other.unit_ids, len(self.unit_ids))
        named, dim = self.provenance.dimensions, self.vectors.shape[1]
        if named and (len(named) != dim or len(set(named)) < dim):
            raise InvalidResults(
                f"The {dim} dimensions of the vectors must have {dim} different names, got {named[:3]}..."
            )
        finite = np.isfinite(self.vectors)
        seen = self.reasons == ""
        if wrong := np.flatnonzero(np.where(seen, ~finite.all(axis=1), ~np.isnan(self.vectors).all(axis=1))).tolist():
            raise InvalidResults(
                f"A vector must be finite, or NaN throughout with a reason; rows {wrong[:5]} "
                f"({len(wrong)} in all) are neither."
            )

    @classmethod
    def of(
        cls,
        population: Population,
        vectors: Float[np.ndarray, "units dim"],
        *,
        n_windows: Int[np.ndarray, " units"] | None = None,
        stability: Float[np.ndarray, " units"] | None = None,
        reasons: Sequence[str] | None = None,
        provenance: Provenance | None = None,
    ) -> "Embeddings":
        """Make the embeddings of a population. The vectors of units with a reason become NaN.

        Parameters
        ----------
        population
            The population that was embedded.
        vectors
            Vectors, shape (units, dim), in the order of `population`.
        n_windows
            Number of windows in which each unit was observed and active, shape (units,); 1 by default.
        stability
            Cosine similarity between the mean vectors of two random halves of a unit's windows, shape (units,); NaN
            by default.
        reasons
            The reason why a unit has no vector; "" if the unit has a vector. By default, all units have a vector.
        provenance
            How the vectors were computed. An encoder provides `window_s`, `stitched`, `notes` and `dimensions`. The
            model adds the other fields.

        Returns
        -------
        Embeddings
            One row per unit of the population.

        Raises
        ------
        InvalidResults
            If the values do not have one row for each unit, or if a vector has values that are not finite and no reason
            says why it is missing.

        Examples
        --------
        >>> from nwb_neurid.testing import mock_population
        >>> found = Embeddings.of(mock_population(units=2), np.ones((2, 3)), reasons=["", "silent"])
        >>> found.vectors
        array([[ 1.,  1.,  1.],
               [nan, nan, nan]], dtype=float32)
        """
        units = len(population)
        why = np.array([""] * units if reasons is None else list(reasons), dtype=np.str_)
        windows = np.ones(units) if n_windows is None else n_windows
        steady = np.full(units, np.nan) if stability is None else stability
        parts = {"vectors": vectors, "n_windows": windows, "stability": steady, "reasons": why}
        for name, part in parts.items():
            _check_length(name, part, units)
        seen = why == ""
        return cls(
            vectors=np.where(seen[:, None], vectors, np.nan).astype(np.float32),
            unit_ids=population.unit_ids,
            n_windows=np.where(seen, windows, 0).astype(np.int32),
            stability=np.where(seen, steady, np.nan).astype(np.float32),
            reasons=why,
            provenance=provenance or Provenance(),
        )

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        return format_lines(*self._summarise())

    def _repr_html_(self) -> str:
        return format_html(*self._summarise(), self.to_dataframe())

    def _summarise(self) -> tuple[str, dict[str, str]]:
        """Return a title, and facts for the display."""
        seen, about = self.reasons == "", self.provenance
        title = f"Embeddings({int(seen.sum())} of {len(self)} units, dim {self.vectors.shape[1]}, {about.encoder!r})"
        stability = self.stability[np.isfinite(self.stability)]
        return title, {
            "training": about.training,
            "recording": ", ".join(filter(None, [about.source, about.subject_id, about.session_id])),
            "windows": f"{about.window_s:.3g} s, {np.median(self.n_windows[seen]):g} per unit (median)"
            if about.window_s and seen.any()
            else "",
            "stability": f"{np.median(stability):.2f} (median)" if len(stability) else "",
            "without a vector": _list_reasons(self.reasons[~seen]),
            "predictions": list_some(
                [f"{name} ({sum(~one.abstained)} units)" for name, one in self.predictions.items()]
            ),
            "stitched": "windows cross gaps in the observation" if about.stitched else "",
            "notes": " ".join(about.notes),
        }

    def most_alike(self, row: int, count: int = 3) -> Int[np.ndarray, " nearest"]:
        """Find the units whose vectors are nearest to the vector of a given unit.

        Parameters
        ----------
        row
            Row of the unit.
        count
            Number of units to return.

        Returns
        -------
        array
            Rows of the nearest units, nearest first, shape (up to `count`,). The distance is the Euclidean distance
            between standardised vectors. Empty for a unit without a vector.
        """
        seen = np.flatnonzero(self.reasons == "")
        if row not in seen:
            return np.empty(0, np.int64)
        vectors = self.vectors[seen]
        spread = vectors.std(axis=0)
        distance = np.linalg.norm((vectors - self.vectors[row]) / np.where(spread > 0, spread, 1), axis=1)
        nearest = seen[np.argsort(distance, kind="stable")]
        return nearest[nearest != row][:count]

    def to_dataframe(self) -> "pd.DataFrame":
        """Tabulate the vectors.

        Returns
        -------
        pandas.DataFrame
            One row per unit. The columns are `unit_id`, `n_windows`, `stability`, `reason`, and one column for each
            dimension of the vector. These columns have the names that `name_dimensions` returns.
        """
        import pandas as pd

        columns = {
            "unit_id": self.unit_ids,
            "n_windows": self.n_windows,
            "stability": self.stability,
            "reason": self.reasons.astype(object),
        }
        return pd.DataFrame(columns | dict(zip(self.name_dimensions(), self.vectors.T, strict=True)))

    def name_dimensions(self) -> tuple[str, ...]:
        """Return the names of the dimensions of the vectors.

        Returns
        -------
        tuple of str
            The names that the encoder provides. If it provides none, they are `e0`, `e1` and so on.

        Examples
        --------
        >>> from nwb_neurid.testing import mock_population
        >>> Embeddings.of(mock_population(units=2), np.ones((2, 3))).name_dimensions()
        ('e0', 'e1', 'e2')
        """
        return self.provenance.dimensions or tuple(f"e{axis}" for axis in range(self.vectors.shape[1]))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Predictions:
    """The predicted label of each unit, its probability, and whether the model abstains from the unit.

    Parameters
    ----------
    label_name, scope
        The label that is predicted, such as "cell_type", and a description of the neurons for which the predictions are
        valid, such as "opto-tagged interneurons of mouse V1".
    classes
        Names of the classes, shape (classes,).
    unit_ids
        Ids of the units, as in the population, shape (units,).
    label
        The most probable class of each unit, shape (units,); "" for a unit without a vector.
    class_probabilities
        Probabilities of the classes, shape (units, classes). Each row sums to 1. NaN for units without a vector, and
        for predictions without probabilities.
    prediction_set
        Whether each class is in the prediction set of each unit, at the given `coverage`, shape (units, classes).
    abstained, reasons
        Whether the model abstains from each unit, and the reason why it abstains, each of shape (units,).
    ood_score
        Dissimilarity of a unit to the training data, shape (units,); NaN where it is not known.
    prevalence
        Share of each class in the training data, shape (classes,).
    coverage
        The share of units whose prediction set should contain the true class; NaN if there are no prediction sets.
    provenance
        Provenance of the vectors from which the labels were predicted.
    descriptions
        Descriptions of the classes, by the name of the class. A class may have no description.
    notes
        Further information for the user, one sentence each.

    Raises
    ------
    InvalidResults
        If lengths differ, if the probabilities of a unit do not sum to 1, or if an unknown class has a description.
    """

    label_name: str
    scope: str
    classes: Shaped[np.ndarray, " classes"]
    unit_ids: Shaped[np.ndarray, " units"]
    label: Shaped[np.ndarray, " units"]
    class_probabilities: Float32[np.ndarray, "units classes"]
    prediction_set: Bool[np.ndarray, "units classes"]
    abstained: Bool[np.ndarray, " units"]
    reasons: Shaped[np.ndarray, " units"]
    ood_score: Float32[np.ndarray, " units"]
    prevalence: Float32[np.ndarray, " classes"]
    coverage: float
    provenance: Provenance = field(default_factory=Provenance)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_rows(self, _ROWS_OF_PREDICTIONS)
        for name in ("class_probabilities", "prediction_set"):
            if (shape := getattr(self, name).shape)[1:] != (wanted := self.classes.shape):
                raise InvalidResults(f"{name} must have one column for each of {wanted[0]} classes, got shape {shape}.")
        known = ~np.isnan(self.class_probabilities).all(axis=1)
        if not np.allclose(self.class_probabilities[known].sum(axis=1), 1, atol=1e-4):
            raise InvalidResults("The class probabilities of a unit must sum to 1.")
        if unknown := sorted(self.descriptions.keys() - set(self.classes.tolist())):
            raise InvalidResults(f"Only classes have descriptions, got one of {', '.join(unknown)}.")
        if not (0 < self.coverage < 1 or np.isnan(self.coverage)):
            raise InvalidResults(f"coverage must lie between 0 and 1, got {self.coverage}.")

    def __len__(self) -> int:
        return len(self.label)

    def __repr__(self) -> str:
        return format_lines(*self._summarise())

    def _repr_html_(self) -> str:
        return format_html(*self._summarise(), self.to_dataframe())

    def _summarise(self) -> tuple[str, dict[str, str]]:
        """Return a title, and facts for the display."""
        seen, named = self.label != "", ~self.abstained
        labels, counts = np.unique(self.label[named], return_counts=True)
        sizes = self.prediction_set[seen].sum(axis=1)
        title = f"Predictions({self.label_name!r}, {int(named.sum())} of {len(self)} units labelled)"
        return title, {
            "among": self.scope,
            "classes": list_some(self.classes.tolist()),
            "labelled": list_some([f"{count} {label}" for label, count in zip(labels, counts, strict=True)]),
            "probability": f"{np.median(self.probability[named]):.2f} (median of the labelled)" if named.any() else "",
            "sets": f"mean size {sizes.mean():.2f}, at a coverage of {self.coverage:g}"
            if seen.any() and np.isfinite(self.coverage)
            else "",
            "abstained": _list_reasons(self.reasons[self.abstained]),
            "encoder": self.provenance.encoder,
            "notes": " ".join(self.notes),
        }

    @property
    def probability(self) -> Float32[np.ndarray, " units"]:
        """Probability of `label`, shape (units,); NaN for a unit without a vector."""
        return np.asarray(self.class_probabilities.max(axis=1))

    def to_dataframe(self) -> "pd.DataFrame":
        """Tabulate the predictions.

        Returns
        -------
        pandas.DataFrame
            One row per unit. The columns are `unit_id`, `predicted_label`, `probability`, `prediction_set` (labels
            joined by `|`), `abstained`, `reason`, `ood_score`, and one column `p_<class>` for each class, with the
            probability of the class.
        """
        import pandas as pd

        columns = {
            "unit_id": self.unit_ids,
            "predicted_label": self.label.astype(object),
            "probability": self.probability,
            "prediction_set": ["|".join(self.classes[row]) for row in self.prediction_set],
            "abstained": self.abstained,
            "reason": self.reasons.astype(object),
            "ood_score": self.ood_score,
        }
        by_class = {f"p_{name}": self.class_probabilities[:, at] for at, name in enumerate(self.classes)}
        return pd.DataFrame(columns | by_class)


def select(results: AnyResults, rows: slice | Int[np.ndarray, " rows"]) -> AnyResults:
    """Select units of results.

    Parameters
    ----------
    results
        `Embeddings` or `Predictions`.
    rows
        A slice, or the rows of the units.

    Returns
    -------
    Embeddings or Predictions
        Results of these units, in this order.

    Examples
    --------
    >>> from nwb_neurid.testing import mock_population
    >>> found = Embeddings.of(mock_population(units=3), np.arange(6.0).reshape(3, 2))
    >>> select(found, np.array([2, 0])).unit_ids
    array([2, 0])
    """
    if isinstance(results, Predictions):
        return replace(results, **{name: getattr(results, name)[rows] for name in _ROWS_OF_PREDICTIONS})
    parts = {name: getattr(results, name)[rows] for name in _ROWS_OF_EMBEDDINGS}
    predictions = {name: select(one, rows) for name, one in results.predictions.items()}
    beside = {name: select(one, rows) for name, one in results.beside.items()}
    return replace(results, **parts, predictions=predictions, beside=beside)


def _list_reasons(reasons: Shaped[np.ndarray, " units"]) -> str:
    return list_some([f"{count} {reason}" for reason, count in count_reasons(reasons).items()], 4)


def _check_rows(results: Embeddings | Predictions, names: tuple[str, ...]) -> None:
    """Check that every part has one row per unit, and make the parts read-only."""
    for name in names:
        part = getattr(results, name)
        _check_length(name, part, len(results.unit_ids))
        object.__setattr__(results, name, frozen_view(part))


def _check_length(name: str, part: np.ndarray, units: int) -> None:
    if len(part) != units:
        raise InvalidResults(f"{name} must have one row for each of {units} units, got {len(part)}.")
