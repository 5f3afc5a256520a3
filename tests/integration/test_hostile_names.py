"""Five hundred hostile labels and names: what shows a file shows them as text, and a csv holds no formula."""

import csv

import numpy as np
import pytest

from nwb_neurid.results import Embeddings, Predictions, Provenance
from nwb_neurid.writers.nwb.entry import Results
from nwb_neurid.writers.nwb.standalone import write_standalone
from nwb_neurid.writers.table import make_table, write_table

UNITS = 500
KINDS = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\x1b[2J\x1b[31mred",
    '=HYPERLINK("http://example.org")',
    "+1+1",
    "-1-1",
    "@SUM(A1)",
    "\u202egnp.exe",
    "\r\nnwb-neurid: fine",
    "$\\frac{",
    "_hidden",
)


@pytest.fixture(scope="module")
def names():
    made = [f"{KINDS[row % len(KINDS)]}{row}" for row in range(UNITS)]
    return np.array(["x" * 10_000, *made[1:]])


@pytest.fixture(scope="module")
def population(make_population, names):
    return make_population(
        units=UNITS, duration_s=4.0, labels={"cell_type": names}, group=np.array([name[:200] for name in names])
    )


@pytest.fixture(scope="module")
def embeddings(population):
    vectors = np.random.default_rng(0).normal(size=(UNITS, 3))
    about = Provenance(encoder="test", notes=KINDS, training=KINDS[0], software={KINDS[1]: KINDS[2]})
    return Embeddings.of(population, vectors, provenance=about)


@pytest.fixture(scope="module")
def predictions(population, names, embeddings):
    classes = np.array([name for name in names[1:12] if name.isprintable()])
    shares = np.full((UNITS, len(classes)), 1 / len(classes), np.float32)
    return Predictions(
        label_name="cell_type",
        scope=KINDS[0],
        classes=classes,
        unit_ids=population.unit_ids,
        label=classes[np.arange(UNITS) % len(classes)],
        class_probabilities=shares,
        prediction_set=shares > 0,
        abstained=np.arange(UNITS) % 2 == 0,
        reasons=np.where(np.arange(UNITS) % 2 == 0, names, ""),
        ood_score=np.zeros(UNITS, np.float32),
        prevalence=np.full(len(classes), 1 / len(classes), np.float32),
        coverage=0.9,
        provenance=embeddings.provenance,
        notes=KINDS,
    )


def test_no_cell_of_a_csv_is_a_formula(population, embeddings, predictions, names, tmp_path):
    made = make_table(population, embeddings, [predictions])
    write_table(made, embeddings.provenance, tmp_path / "made.csv", "csv")
    with (tmp_path / "made.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    texts = [rows[0].index(name) for name in ("group", "cell_type", "cell_type_predicted_label", "cell_type_reason")]
    assert not [row[at] for row in rows for at in texts if row[at].startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [row[rows[0].index("cell_type")].removeprefix("'") for row in rows[1:]] == names.tolist()


def test_show_and_report_print_text(run, population, embeddings, predictions, tmp_path):
    path = write_standalone(population, [Results("neurid_test", embeddings, [predictions])], tmp_path / "made.nwb")
    shown = run("show", path, "--rows", UNITS).stdout
    assert shown.replace("\n", "").isprintable()
    assert not [line for line in shown.splitlines() if line.startswith("nwb-neurid: fine")]
    said = run("report", path, "--output", tmp_path / "made.html").stdout
    assert said.replace("\n", "").isprintable()
    page = (tmp_path / "made.html").read_text("utf-8")
    assert page.count("</script>") == 3
    assert "<img src=x" not in page
    assert len(page) < 5e6
