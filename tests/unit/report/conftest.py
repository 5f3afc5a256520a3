"""A recording with predictions, in memory, and a browser to look at its page with."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nwb_neurid.population import Population
from nwb_neurid.report.facts import About, collect_facts
from nwb_neurid.report.page import make_page
from nwb_neurid.results import Embeddings, Predictions, Provenance

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
CLASSES = np.array(["PV", "SST", "VIP"])
ABOUT = About(name="neurid_test", path="recording.nwb", citation="A paper, 2025, arXiv:2501.00001", card="# A card")


def embed_population(population: Population, seed: int = 0, *, silent: int = -1) -> Embeddings:
    """Vectors in three clouds, one after the other; the row `silent` has none."""
    units = len(population)
    vectors = np.random.default_rng(seed).normal(size=(units, 6)) + 5 * np.eye(6)[np.arange(units) % 3]
    reasons = ["silent" if row == silent else "" for row in range(units)]
    about = Provenance(encoder="test", encoder_version="1", training="on made neurons", software={"numpy": "2"})
    return Embeddings.of(population, vectors, stability=np.linspace(0, 1, units), reasons=reasons, provenance=about)


def predict_population(population: Population, *, silent: int = -1, classes: np.ndarray = CLASSES) -> Predictions:
    """The class that each row is in turn, abstained on every fifth unit."""
    units = len(population)
    row = np.arange(units)
    shares = np.full((units, len(classes)), 0.3 / (len(classes) - 1), np.float32)
    shares[row, row % len(classes)] = 0.7
    abstained = (row % 5 == 4) | (row == silent)
    if silent >= 0:
        shares[silent] = np.nan
    return Predictions(
        label_name="cell_type",
        scope="made neurons",
        classes=classes,
        unit_ids=population.unit_ids,
        label=np.where(row == silent, "", classes[row % len(classes)]),
        class_probabilities=shares,
        prediction_set=np.where(row[:, None] == silent, False, shares > 0.2),
        abstained=abstained,
        reasons=np.where(row == silent, "silent", np.where(abstained, "not confident enough: 0.70 < 0.80", "")),
        ood_score=np.linspace(0, 1, units).astype(np.float32),
        prevalence=np.full(len(classes), 1 / len(classes), np.float32),
        coverage=0.9,
    )


@pytest.fixture(scope="session")
def recorded(make_population) -> Population:
    """Sixty neurons on two probes, with waveforms and known types."""
    units = 60
    return make_population(
        units=units,
        duration_s=40.0,
        gaps=[(10.0, 12.0)],
        group=np.array(["probe A", "probe B"])[np.arange(units) % 2],
        positions_um=np.column_stack([np.zeros(units), 20.0 * np.arange(units), np.zeros(units)]).astype(np.float32),
        waveforms_uv=-np.hanning(40)[None].repeat(units, axis=0).astype(np.float32) * 80,
        waveform_rate_hz=30_000.0,
        labels={"cell_type": np.where(np.arange(units) % 7 == 0, "", CLASSES[np.arange(units) % 3])},
        source="recording.nwb",
        subject_id="mouse",
    )


@pytest.fixture(scope="session")
def facts(recorded) -> dict:
    """What the page shows of it; unit 7 has no vector."""
    return collect_facts(
        recorded, embed_population(recorded, silent=7), [predict_population(recorded, silent=7)], ABOUT
    )


@pytest.fixture(scope="session")
def collect() -> Callable[..., dict]:
    """What the page shows of a population, with made vectors and predictions among some classes."""

    def make(population: Population, classes: np.ndarray = CLASSES) -> dict:
        predictions = [predict_population(population, classes=classes)]
        return collect_facts(population, embed_population(population), predictions, ABOUT)

    return make


@pytest.fixture(scope="session")
def page_file(facts, tmp_path_factory) -> Path:
    """The page on a disk."""
    path = tmp_path_factory.mktemp("report") / "recording.report.html"
    path.write_text(make_page(facts), "utf-8", newline="\n")
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Headless Chromium; where there is none, tests are skipped."""
    api = pytest.importorskip("playwright.sync_api", reason="tests in a browser need playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with api.sync_playwright() as play:
        try:
            started = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no Chromium to test in, see tests/browser.py: {str(error).splitlines()[0]}")
        yield started
        started.close()


class Opened:
    """A page in the browser, with all that it complained about."""

    def __init__(self, browser, path: Path, **options) -> None:
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: dialog.accept())
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def text(self, selector: str) -> str:
        """What stands there."""
        return self.page.inner_text(selector)

    def download(self, selector: str) -> str:
        """What a button downloads."""
        with self.page.expect_download() as waiting:
            self.page.click(selector)
        return Path(waiting.value.path()).read_text("utf-8")


@pytest.fixture
def open_page(browser) -> Iterator:
    """Opens a page; in the end it must have complained about nothing, and asked for nothing else."""
    opened: list[Opened] = []

    def start(path: Path, **options) -> Opened:
        opened.append(Opened(browser, path, **{"viewport": {"width": 1400, "height": 900}, **options}))
        return opened[-1]

    yield start
    for each in opened:
        assert each.complaints == []
        assert [url for url in each.requests if not url.startswith(("file:", "blob:"))] == []
        each.context.close()
