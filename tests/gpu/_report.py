"""Figures as they come: printed, and kept in a file after each."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Report:
    """What was measured and what could not be.

    Parameters
    ----------
    path
        The JSON file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.card: dict[str, object] = {}
        self.figures: list[dict[str, object]] = []
        self.missing: list[dict[str, str]] = []

    def add(self, name: str, *, ratio: float | None = None, **details: object) -> None:
        """A figure: a ratio, and what it was made of. Some figure of a `goal` is to reach its `target`."""
        figure = {"name": name} | ({} if ratio is None else {"ratio": ratio}) | details
        self.figures.append({key: round_to(value) for key, value in figure.items()})
        self.keep()
        print(describe(self.figures[-1]), flush=True)

    def miss(self, name: str, reason: str) -> None:
        """What could not be measured, and why."""
        self.missing.append({"name": name, "reason": reason})
        self.keep()
        print(f"MISSING {name}: {reason}", flush=True)

    @contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """Around what gives figures: where it fails, the next is tried."""
        try:
            yield
        except Exception as error:
            self.miss(name, f"{type(error).__name__}: {error}"[:400])

    def keep(self) -> None:
        """Write what there is."""
        content = {"card": self.card, "figures": self.figures, "missing": self.missing, "goals": self.judge()}
        self.path.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def take_in(self, path: Path) -> None:
        """Add what another process kept."""
        with suppress(OSError, ValueError):
            other = json.loads(path.read_text("utf-8"))
            self.card |= other["card"]
            self.figures += other["figures"]
            self.missing += other["missing"]
        self.keep()

    def judge(self) -> dict[str, dict[str, object]]:
        """The best figure of each goal, its target, and whether it is met."""
        found: dict[str, dict[str, object]] = {}
        for figure in (figure for figure in self.figures if "goal" in figure):
            best = found.setdefault(figure["goal"], {"best": 0.0, "target": figure["target"]})
            best["best"] = max(best["best"], figure["ratio"])
            best["met"] = best["best"] >= best["target"]
        return found

    def print_all(self) -> None:
        """Everything once more, in one place."""
        print(f"\n{self.card}")
        for figure in self.figures:
            print(describe(figure))
        for part in self.missing:
            print(f"MISSING {part['name']}: {part['reason']}")
        for goal, judged in self.judge().items():
            print(f"GOAL {goal}: {judged['best']:.2f}, target {judged['target']:.2f}: {judged['met']}")


def round_to(value: object) -> object:
    """Four digits of a number."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def describe(figure: dict[str, object]) -> str:
    """A figure in one line."""
    ratio = f" {figure['ratio']:.3g}" if "ratio" in figure else ""
    others = ", ".join(f"{key} {value}" for key, value in figure.items() if key not in {"name", "ratio", "top"})
    return f"{figure['name']}:{ratio}" + (f" ({others})" if others else "")
