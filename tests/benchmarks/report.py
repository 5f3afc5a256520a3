"""The report in headless Chromium: how long pages of 2,000 and of 20,000 units take to open, and to answer a click.

python tests/benchmarks/report.py

Without a browser nothing is timed but the making of the pages.
"""

import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from _options import parse_options

from nwb_neurid.population import Population, Spikes
from nwb_neurid.report.facts import About, collect_facts
from nwb_neurid.report.page import make_page
from nwb_neurid.results import Embeddings, Predictions, Provenance

sys.path.append(str(Path(__file__).parents[1]))
from browser import find_browser

CLASSES = np.array([f"type {number}" for number in range(6)])
CLICKS = 15
OPEN_S, CLICK_S = {2_000: 2.0, 20_000: 5.0}, 0.1
CLICK = """async (row) => {
    const line = document.querySelectorAll("#table tbody tr")[row], start = performance.now();
    line.click();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    return (performance.now() - start) / 1000;
}"""


def make_facts(units: int) -> dict[str, Any]:
    """A recording of 600 s with two probes, waveforms, labels and predictions."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, len(CLASSES), units)
    trains = [np.sort(rng.uniform(0, 600, rng.poisson(3_000))) for _ in range(units)]
    places = [rng.integers(0, 4, units) * 16.0, rng.integers(0, 384, units) * 10.0, np.zeros(units)]
    population = Population(
        unit_ids=np.arange(units),
        activity=Spikes.of(trains),
        observed_s=np.array([[0.0, 600.0]]),
        group=np.array(["probe A", "probe B"])[rng.integers(0, 2, units)],
        positions_um=np.column_stack(places).astype(np.float32),
        waveforms_uv=rng.normal(size=(units, 82)).astype(np.float32),
        waveform_rate_hz=30_000.0,
        labels={"cell_type": CLASSES[kind]},
        source="made.nwb",
    )
    vectors = rng.normal(size=(units, 32)) + 4 * np.eye(len(CLASSES), 32)[kind]
    embeddings = Embeddings.of(population, vectors, provenance=Provenance(encoder="made"))
    shares = rng.dirichlet(np.full(len(CLASSES), 0.3), units).astype(np.float32)
    abstained = shares.max(axis=1) < 0.5
    predictions = Predictions(
        label_name="cell_type",
        scope="made units",
        classes=CLASSES,
        unit_ids=population.unit_ids,
        label=CLASSES[shares.argmax(axis=1)],
        class_probabilities=shares,
        prediction_set=shares > 0.1,
        abstained=abstained,
        reasons=np.where(abstained, "not confident enough", ""),
        ood_score=rng.uniform(size=units).astype(np.float32),
        prevalence=np.full(len(CLASSES), 1 / len(CLASSES), np.float32),
        coverage=0.9,
    )
    return collect_facts(population, embeddings, [predictions], About(name="made", path="made.nwb"))


@contextmanager
def start_browser() -> Iterator[Any]:
    """A browser, or None where there is none."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        yield None
        return
    with sync_playwright() as play:
        try:
            browser = play.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        except Error:
            browser = None
        yield browser
        if browser:
            browser.close()


def time_page(browser: Any, path: Path) -> tuple[float, float]:
    """Seconds until the page is ready, and the median of clicks on units, from the click to the next frame."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    start = perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    opened_s = perf_counter() - start
    rows = min(CLICKS, page.locator("#table tbody tr").count())
    clicks_s = [page.evaluate(CLICK, row) for row in range(rows)]
    page.click("#tool-lasso")
    page.click("#select-shown")
    page.close()
    return opened_s, statistics.median(clicks_s)


def main() -> None:
    options = parse_options(__doc__, full={"units": 2_000, "many": 20_000}, tiny={"units": 20, "many": 60})
    with TemporaryDirectory() as folder, start_browser() as browser:
        for units, limit_s in zip((options.units, options.many), OPEN_S.values(), strict=True):
            start = perf_counter()
            path = Path(folder) / f"{units}.html"
            path.write_text(make_page(make_facts(units)), "utf-8", newline="\n")
            made_s, size = perf_counter() - start, path.stat().st_size / 1e6
            if browser is None:
                print(f"report of {units:,} units, no browser: made in {made_s:.1f} s, {size / 5:.2f} x 5 MB")
                continue
            opened_s, click_s = time_page(browser, path)
            print(
                f"report of {units:,} units: {size:.1f} MB, made in {made_s:.1f} s; open in {opened_s:.2f} s, "
                f"{opened_s / limit_s:.2f} x the {limit_s:g} s that are promised; a click answered in "
                f"{1e3 * click_s:.0f} ms, {click_s / CLICK_S:.2f} x {1e3 * CLICK_S:g} ms"
            )


if __name__ == "__main__":
    main()
