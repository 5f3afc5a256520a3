"""`Evaluation`: scores and what was said of every unit, in memory and as a folder."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwb_neurid._system.atomic import whole
from nwb_neurid.errors import CannotWrite
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.heads import Answers
from nwb_neurid.evaluation.protocols import Split
from nwb_neurid.plots.scores import draw_confusion, draw_growth, draw_reliability, draw_risk, draw_sets

if TYPE_CHECKING:
    import pandas as pd

SCORES = "scores.json"
TABLE = "scores.csv"
PREDICTIONS = "predictions.csv"
FORMAT = 1
PICTURES = ("confusion.png", "reliability.png", "sets.png", "risk.png", "label_fractions.png", "animals.png")
COLUMNS = ("system", "macro_f1", "macro_f1_low", "macro_f1_high", "balanced_accuracy", "units")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """What `nwb_neurid.evaluate` found.

    Parameters
    ----------
    cohort
        The units.
    answers
        What was said of them.
    splits
        Which of them trained and were tested, fold by fold.
    scores
        As they are kept in `scores.json`: `macro_f1`, `balanced_accuracy`, `baselines` and more.
    """

    cohort: Cohort
    answers: Answers
    splits: tuple[Split, ...]
    scores: Mapping[str, Any]

    def rows(self) -> list[dict[str, object]]:
        """One row a system, as in `scores.csv`: what was asked for first, then what it is compared with."""
        systems = {self.scores["name"]: self.scores}
        if "smoothed" in self.scores:
            systems[f"{self.scores['name']}, neighbours vote"] = self.scores["smoothed"]
        systems |= self.scores["baselines"]
        return [_row(name, own) for name, own in systems.items()]

    def to_dataframe(self) -> "pd.DataFrame":
        """One row for each tested unit, as in `predictions.csv`."""
        import pandas as pd

        return pd.DataFrame(list(self._predictions()))

    def _predictions(self) -> Iterator[dict[str, object]]:
        cohort, answers = self.cohort, self.answers
        subject, recording, row = cohort.subject, cohort.recording, cohort.row
        for fold, split in enumerate(self.splits):
            for unit in split.test.tolist():
                population = cohort.populations[recording[unit]]
                shares = answers.probabilities[unit]
                yield {
                    "source": Path(population.source).name,
                    "session": population.session_id,
                    "subject": subject[unit],
                    "row": int(row[unit]),
                    "unit_id": population.unit_ids[row[unit]],
                    "fold": fold,
                    "true": cohort.truth[unit],
                    "said": answers.said[unit],
                    "predicted_label": answers.classes[shares.argmax()],
                    "probability": round(float(shares.max()), 5),
                    "prediction_set": " ".join(answers.classes[answers.sets[-1, unit]]),
                    "abstained": bool(answers.abstained[unit]),
                    "reason": answers.reasons[unit],
                    **{
                        f"p_{name}": round(float(share), 5) for name, share in zip(answers.classes, shares, strict=True)
                    },
                }

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write scores, predictions and figures into a folder: all of them or none.

        Raises
        ------
        CannotWrite
            If there is something in the folder that is not to be replaced, or it cannot be written.
        """
        folder = Path(folder)
        check_folder(folder, overwrite=overwrite)
        pictures = [name for name in PICTURES if name.removesuffix(".png") in self.scores or name in PICTURES[:4]]
        made = not folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(f"The folder {folder} cannot be made: {error.strerror or error}.") from error
        targets = [folder / name for name in (SCORES, TABLE, PREDICTIONS, *pictures)]
        try:
            with whole(*targets) as (scores, table, predictions, *drawn):
                scores.write_text(
                    json.dumps({"format": FORMAT, **self.scores}, indent=1, allow_nan=False) + "\n", encoding="utf-8"
                )
                _write_table(table, COLUMNS, self.rows())
                found = list(self._predictions())
                _write_table(predictions, tuple(found[0]), found)
                for path in drawn:
                    self._draw(path)
        except CannotWrite:
            if made:
                folder.rmdir()
            raise
        for name in set(PICTURES) - set(pictures):
            (folder / name).unlink(missing_ok=True)
        return folder

    def _draw(self, path: Path) -> None:
        scores = self.scores
        kind = path.stem
        if kind == "confusion":
            draw_confusion(scores["confusion"], path)
        elif kind == "reliability":
            draw_reliability(scores["calibration"], path)
        elif kind == "sets":
            draw_sets(scores["sets"], path)
        elif kind == "risk":
            draw_risk(scores["risk"], path)
        else:
            draw_growth(scores[kind], path, "fraction" if kind == "label_fractions" else "animals")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds something that is not to be replaced.

    Raises
    ------
    CannotWrite
        If it does.
    """
    if folder.exists() and not folder.is_dir():
        raise CannotWrite(f"{folder} is a file. Name a folder (--output).")
    there = folder.is_dir() and any(folder.iterdir())
    if there and not (folder / SCORES).is_file():
        raise CannotWrite(f"{folder} holds something else than an evaluation. Choose another folder (--output).")
    if there and not overwrite:
        raise CannotWrite(f"{folder} holds an evaluation. Replace it (--overwrite), or choose another (--output).")


def _row(name: str, scores: Mapping[str, Any]) -> dict[str, object]:
    low, high = scores.get("intervals_95", {}).get("macro_f1", (None, None))
    return {
        "system": name,
        "macro_f1": scores["macro_f1"],
        "macro_f1_low": low,
        "macro_f1_high": high,
        "balanced_accuracy": scores["balanced_accuracy"],
        "units": scores["units"],
    }


def _write_table(path: Path, columns: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)
