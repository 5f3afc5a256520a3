"""Rules for `Encoder.embed`. The first line of a docstring is the rule, and the other lines say how to meet it."""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from nwb_neurid.contracts.compatibility import list_problems, takes_activity
from nwb_neurid.errors import NeuridError
from nwb_neurid.population import ACTIVITIES
from nwb_neurid.results import Embeddings
from nwb_neurid.testing.building import EncoderKit
from nwb_neurid.testing.populations import mock_population
from nwb_neurid.testing.rules import capture_output, import_alone, require, require_close

T = TypeVar("T")


class Counting:
    """A progress callback that counts items."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.items = 0

    def __call__(self, items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
        """Yield `items` unchanged."""
        require(
            total is not None or hasattr(items, "__len__"),
            "progress is called without total= on an iterable of unknown length",
        )
        self.labels.append(label)
        return self._count(items)

    def _count(self, items: Iterable[T]) -> Iterable[T]:
        for item in items:
            self.items += 1
            yield item


class EmbeddingRules(EncoderKit):
    """Rules for the vectors of every encoder."""

    def test_every_unit_has_its_row_in_float32(self) -> None:
        """There is one row for each unit, in the order of the population, as float32.

        Return `Embeddings.of(population, vectors, reasons=...)` with one row of length `dim` for each unit.
        """
        population, encoder = self.make(), self.build()
        found = encoder.embed(population)
        require(isinstance(found, Embeddings), f"embed must return Embeddings, got {type(found).__name__}")
        wanted = (len(population), encoder.dim)
        require(found.vectors.shape == wanted, f"vectors must have shape {wanted}, got {found.vectors.shape}")
        require(found.vectors.dtype == np.float32, f"vectors must be float32, got {found.vectors.dtype}")
        require(np.array_equal(found.unit_ids, population.unit_ids), "units were returned in another order")
        require(bool((found.reasons == "").any()), f"no unit got a vector: {found.reasons[0]}")

    def test_units_are_told_by_row_where_ids_repeat(self) -> None:
        """Two units with the same id (on two probes) are treated as two units.

        Identify units by their row. Never use `unit_ids` as a key.
        """
        population = self.make()
        ids = np.array(population.unit_ids)
        ids[1] = ids[0]
        found = self.build().embed(self.make(unit_ids=ids))
        expected = self.build().embed(population)
        require_close(found.vectors, expected.vectors, self.tolerance, "vectors change when two units have the same id")

    def test_permuted_units_are_permuted_rows(self) -> None:
        """The order of the units does not affect their vectors.

        Treat all units in the same way. A vector must not depend on the position of the unit in the list.
        """
        population = self.make()
        order = np.random.default_rng(1).permutation(len(population))
        found, expected = self.build().embed(population.select(order)), self.build().embed(population)
        require_close(
            found.vectors,
            expected.vectors[order],
            self.tolerance,
            "permuting the units does more than permute the rows",
        )

    def test_the_session_clock_means_nothing(self) -> None:
        """Shifting all times by the same amount changes no vector.

        Measure time from the start of a run (`population.runs_s`). Bin spikes with `population.binned` or
        `cut_windows`.
        """
        expected = self.build().embed(self.make())
        for start_s in (0.1, -7 / 3, 86_400.0):
            found = self.build().embed(self.make(start_s=start_s))
            require_close(
                found.vectors, expected.vectors, self.tolerance, f"shifting all times by {start_s:g} s changes vectors"
            )

    def test_the_same_input_gives_the_same_vectors(self) -> None:
        """Embedding the same population again gives the same vectors, bit for bit.

        Draw random numbers from a generator that is seeded in `embed`. Keep nothing from one call to the next.
        """
        encoder = self.build()
        first, again = encoder.embed(self.make()), encoder.embed(self.make())
        require(np.array_equal(first.vectors, again.vectors, equal_nan=True), "a second call returns other vectors")

    def test_an_unseen_unit_is_nan_with_a_reason(self) -> None:
        """A unit that was never observed gets a reason instead of a vector.

        Pass a reason for this unit to `Embeddings.of`. To find such units, use `population.runs_s(unit)` or
        `unit_duration_s()`.
        """
        population = self.make()
        found = self.build().embed(self.make(observed=[unit != 1 for unit in range(len(population))]))
        require(bool(np.isnan(found.vectors[1]).all()), "a unit that was never observed got a vector")
        require(bool(found.reasons[1]), "a unit that was never observed got no reason")
        require(bool((found.reasons == "").any()), "with one unit unobserved, no other unit got a vector")

    def test_unobserved_time_changes_nothing(self) -> None:
        """No vector depends on what happens in a gap of the observed time, or on how long the gap lasts.

        Take inter-spike intervals from `population.intervals_s`, bins from `population.binned`, and windows from
        `cut_windows`. Never join activity from before and after a gap.
        """
        after_s = self.duration_s / 2
        found = [
            self.build().embed(self.make(gap=(after_s, gap_s), in_gap=seed)).vectors
            for gap_s, seed in ((20.0, 0), (20.0, 1), (47.0, 0))
        ]
        require_close(found[1], found[0], self.tolerance, "vectors depend on what happens in a gap")
        require_close(found[2], found[0], self.tolerance, "vectors depend on the length of a gap")

    def test_the_spec_is_honest(self) -> None:
        """Activity that the spec accepts is embedded, and activity that it does not accept is refused.

        Correct `accepts`, `rate_hz`, `min_units` and `min_observed_s`. The function `spec_for_config` may only narrow
        the spec.
        """
        whole, spec = self.plugin.spec, self.spec
        same = (whole.name, whole.version, whole.contract) == (spec.name, spec.version, spec.contract)
        require(
            same and spec.accepts <= whole.accepts, "spec_for_config must return a narrower spec of the same encoder"
        )
        for kind in sorted(spec.accepts):
            for rate_hz in self.list_rates(kind):
                for small in (False, True):
                    self._require_embedded(kind, rate_hz, small)
        for kind in sorted(kind for kind in ACTIVITIES if not takes_activity(spec, kind)):
            require(
                bool(list_problems(self.make(kind=kind), spec)),
                f"a recording with {kind} is not refused, although the spec does not accept it",
            )

    def _require_embedded(self, kind: str, rate_hz: float, small: bool) -> None:
        parts: dict[str, Any] = {"kind": kind, "rate_hz": rate_hz}
        what = f"a recording with {kind}" + ("" if kind == "spikes" else f" at {rate_hz:g} Hz")
        if small:
            parts |= {
                "units": max(1, self.spec.min_units),
                "duration_s": max(1.0, self.spec.min_observed_s + 1 / rate_hz),
            }
            what += f", {parts['units']} units and {parts['duration_s']:.3g} s, which the spec calls enough,"
        try:
            found = self.build().embed(mock_population(**{**self.arguments, **parts}))
        except NeuridError as error:
            require(False, f"{what} is refused: {error}")
        if small and self.spec.min_observed_s == 0:
            return  # a unit may have too few spikes without the spec being wrong
        require(bool((found.reasons == "").any()), f"{what} gives no unit a vector: {found.reasons[0]}")

    def test_progress_is_reported(self) -> None:
        """The long loop of `embed` is wrapped in `progress`, with a label.

        Write `for item in progress(items, label="what is done", total=len(items))`.
        """
        counting = Counting()
        self.build().embed(self.make(), progress=counting)
        require(counting.items > 0, "embed reports nothing through progress")
        require(all(counting.labels), "embed calls progress without a label")

    def test_nothing_is_printed(self) -> None:
        """Importing, building and embedding write nothing to standard output.

        Put information for the user into `Provenance.notes`, or raise a `NeuridWarning`.
        """
        _, said = import_alone(self.plugin_module)
        require(not said, f"importing prints {said[:60]!r}")
        with capture_output() as lines:
            self.build().embed(self.make())
        require(not lines, f"building or embedding prints {lines[:1]}")
