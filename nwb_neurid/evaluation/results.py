"""`Evaluation`: scores and the prediction of every tested unit, in memory and as a folder."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwb_neurid._system.atomic import convert_errors
from nwb_neurid._system.display import format_html
from nwb_neurid._system.file_sets import has_set, write_files
from nwb_neurid._system.lock import is_hidden, lock
from nwb_neurid._system.text import escape_cell
from nwb_neurid.errors import CannotWrite
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.heads import FoldPredictions
from nwb_neurid.evaluation.protocols import Split
from nwb_neurid.plots.scores import FIGURES, draw_scores

if TYPE_CHECKING:
    import pandas as pd

SCORES = "scores.json"
TABLE = "scores.csv"
PREDICTIONS = "predictions.csv"
FORMAT = 1
SHOWN = 15
COLUMNS = ("system", "macro_f1", "macro_f1_low", "macro_f1_high", "balanced_accuracy", "units")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """The result of `nwb_neurid.evaluate`.

    Parameters
    ----------
    cohort
        The units and their known labels.
    predictions
        Predictions for the tested units. Each comes from a head that was not trained on the label of the unit.
    splits
        Training and test units of each fold.
    scores
        The content of `scores.json`: `macro_f1`, `balanced_accuracy`, `baselines` and more.
    """

    cohort: Cohort
    predictions: FoldPredictions
    splits: tuple[Split, ...]
    scores: Mapping[str, Any]

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(f"  {_format_row(row)}" for row in self.to_rows()[:SHOWN])])

    def _repr_html_(self) -> str:
        import pandas as pd

        return format_html(self._title(), {}, pd.DataFrame(self.to_rows()))

    def _title(self) -> str:
        scores = self.scores
        tested = f"{len(scores['splits'])} folds, {scores['units']} units tested"
        return f"Evaluation({scores['label']!r}, {scores['protocol']}, {scores['head']} head, {tested})"

    def to_rows(self) -> list[dict[str, object]]:
        """List the scores, as in `scores.csv`.

        Returns
        -------
        list of dict
            One row for the models, and then one row for each baseline. The keys are `system` (name of the model or
            baseline), `macro_f1` and its interval, `balanced_accuracy` and `units`.
        """
        systems = {self.scores["name"]: self.scores}
        if "smoothed" in self.scores:
            systems[f"{self.scores['name']}, neighbours vote"] = self.scores["smoothed"]
        systems |= self.scores["baselines"]
        return [_make_row(name, own) for name, own in systems.items()]

    def to_dataframe(self) -> "pd.DataFrame":
        """Tabulate the predictions, as in `predictions.csv`.

        Returns
        -------
        pandas.DataFrame
            One row for each tested unit: its recording, its true class (`true`), the prediction of the class-balanced
            probe (`said`), the calibrated probability of each class, the prediction set, and whether and why the head
            abstains.
        """
        import pandas as pd

        return pd.DataFrame(list(self._list_predictions()))

    def _list_predictions(self) -> Iterator[dict[str, object]]:
        cohort, found = self.cohort, self.predictions
        subject, recording, row = cohort.subject, cohort.recording, cohort.row
        for fold, split in enumerate(self.splits):
            for unit in split.test.tolist():
                population = cohort.populations[recording[unit]]
                shares = found.probabilities[unit]
                yield {
                    "source": Path(population.source).name,
                    "session": population.session_id,
                    "subject": subject[unit],
                    "row": int(row[unit]),
                    "unit_id": population.unit_ids[row[unit]],
                    "fold": fold,
                    "true": cohort.truth[unit],
                    "said": found.label[unit],
                    "predicted_label": found.classes[shares.argmax()],
                    "probability": round(float(shares.max()), 5),
                    "prediction_set": "|".join(found.classes[found.sets[-1, unit]]),
                    "abstained": bool(found.abstained[unit]),
                    "reason": found.reasons[unit],
                    **{f"p_{name}": round(float(share), 5) for name, share in zip(found.classes, shares, strict=True)},
                }

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write scores, predictions and figures into a folder. If writing fails, nothing is written.

        Parameters
        ----------
        folder
            The folder to write into. It is made if it does not exist.
        overwrite
            Replace an evaluation in the folder.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        CannotWrite
            If the folder contains other files, contains an evaluation while `overwrite` is False, or cannot be written.
        """
        folder = Path(folder)
        check_evaluation_folder(folder, overwrite=overwrite)
        found = list(self._list_predictions())
        with convert_errors(folder):
            folder.resolve().parent.mkdir(parents=True, exist_ok=True)
        with convert_errors(folder), lock(folder.resolve()):
            check_evaluation_folder(folder, overwrite=overwrite)
            like = [Path(each.source) for each in self.cohort.populations if each.source]
            like += [each.path for each in self.cohort.stored]
            with write_files(folder.resolve(), SCORES, own=tuple(FIGURES), like=like) as made:
                (made / SCORES).write_text(
                    json.dumps({"format": FORMAT, **self.scores}, indent=1, allow_nan=False) + "\n", encoding="utf-8"
                )
                _write_table(made / TABLE, COLUMNS, self.to_rows())
                _write_table(made / PREDICTIONS, tuple(found[0]), found)
                draw_scores(self.scores, made)
        return folder


def check_evaluation_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that an evaluation can be written into a folder.

    Raises
    ------
    CannotWrite
        If the folder contains other files, or contains an evaluation while `overwrite` is False.
    """
    if folder.exists() and not folder.is_dir():
        raise CannotWrite(f"{folder} is a file, a folder was expected. Choose a folder (--output).")
    there = folder.is_dir() and not all(is_hidden(each.name) for each in folder.iterdir())
    if there and not has_set(folder, SCORES):
        raise CannotWrite(f"{folder} holds files that are not an evaluation. Choose another folder (--output).")
    if there and not overwrite:
        raise CannotWrite(f"{folder} holds an evaluation. Replace it (--overwrite), or choose another (--output).")


def _make_row(name: str, scores: Mapping[str, Any]) -> dict[str, object]:
    low, high = scores.get("intervals_95", {}).get("macro_f1", (None, None))
    return {
        "system": name,
        "macro_f1": scores["macro_f1"],
        "macro_f1_low": low,
        "macro_f1_high": high,
        "balanced_accuracy": scores["balanced_accuracy"],
        "units": scores["units"],
    }


def _format_row(row: Mapping[str, Any]) -> str:
    low, high = row["macro_f1_low"], row["macro_f1_high"]
    interval = "" if low is None else f" ({low:.3f} to {high:.3f})"
    return (
        f"{row['system']}: macro F1 {row['macro_f1']:.3f}{interval}, balanced accuracy {row['balanced_accuracy']:.3f}"
    )


def _write_table(path: Path, columns: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(map(escape_cell, columns))
        table.writerows([escape_cell(row.get(name, "")) for name in columns] for row in rows)
