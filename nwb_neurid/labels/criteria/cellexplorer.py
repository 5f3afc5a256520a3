"""CellExplorer's putative cell types: narrow interneuron, wide interneuron, pyramidal cell.

Source: Petersen, Siegle, Steinmetz, Mahallati and Buzsáki, Neuron 109, 3594 (2021), and the code of CellExplorer
(`+celltype_classification/standard.m`, `preferences_ProcessCellMetrics.m`).
"""

from nwb_neurid.labels.criteria.criterion import NO_WAVEFORM, Criterion, Unit, Verdict
from nwb_neurid.labels.criteria.regions import CORTEX, HIPPOCAMPUS, find_part
from nwb_neurid.labels.criteria.timing import NARROW_S, correlate_narrowly, fit_rise_ms
from nwb_neurid.labels.criteria.waveform import measure_trough_to_peak_ms

NARROW, WIDE, PYRAMIDAL = "narrow interneuron", "wide interneuron", "pyramidal"
PARTS = frozenset({HIPPOCAMPUS, CORTEX})
WIDEST_NARROW_MS = 0.425
SLOWEST_PYRAMIDAL_MS = 6.0
ROUNDING = 1e-9

TROUGH_TO_PEAK = "trough_to_peak_ms"
RISE = "acg_tau_rise_ms"


def judge(unit: Unit) -> Verdict:
    """Apply CellExplorer's criterion to one unit."""
    values: dict[str, float] = {}
    cut = False
    if unit.waveform is not None:
        values[TROUGH_TO_PEAK], cut = measure_trough_to_peak_ms(unit.waveform, unit.rate_hz)
    uncountable = unit.explain_uncountable(NARROW_S)
    if unit.waveform is not None and not uncountable:  # without a waveform, the fit would not influence the class
        values[RISE] = fit_rise_ms(correlate_narrowly(unit.train_s, unit.runs_s))
    if unit.region and find_part(unit.region) not in PARTS:
        return Verdict(reason=f"not valid in its region: {unit.region}", values=values)
    if unit.waveform is None:
        return Verdict(reason=NO_WAVEFORM, values=values)
    narrow = values[TROUGH_TO_PEAK] <= WIDEST_NARROW_MS + ROUNDING
    if cut and narrow:
        return Verdict(reason="its waveform ends before its peak", values=values)
    if narrow:
        return Verdict(label=NARROW, values=values)
    if uncountable:
        return Verdict(reason=uncountable, values=values)
    return Verdict(label=WIDE if values[RISE] > SLOWEST_PYRAMIDAL_MS else PYRAMIDAL, values=values)


CRITERION = Criterion(
    name="cellexplorer",
    version="1",
    title="CellExplorer's criterion",
    label_name="putative_cell_type",
    scope="neurons of hippocampus and cortex",
    citation="Petersen et al. 2021, Neuron 109, 3594",
    classes={
        NARROW: f"trough to peak at most {WIDEST_NARROW_MS:g} ms",
        WIDE: f"wider, and the autocorrelogram rises with a time constant above {SLOWEST_PYRAMIDAL_MS:g} ms",
        PYRAMIDAL: "wider, and the autocorrelogram rises faster",
    },
    thresholds={TROUGH_TO_PEAK: WIDEST_NARROW_MS, RISE: SLOWEST_PYRAMIDAL_MS},
    values=(TROUGH_TO_PEAK, RISE),
    judge=judge,
    parts=PARTS,
)
