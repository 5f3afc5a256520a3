"""bombcell's putative cell types: MSN, FSI, TAN and UIN in striatum, wide- and narrow-spiking in cortex.

Source: the code of bombcell (`classifyCells`, `ephysPropValues`; Fabre et al. 2023, Zenodo 8172821), after Peters et
al. 2021 (striatum, Nature 591, 420) and 2022 (cortex, Cell Reports).
"""

import numpy as np

from nwb_neurid.labels.criteria.criterion import NO_WAVEFORM, Criterion, Unit, Verdict
from nwb_neurid.labels.criteria.regions import CORTEX, STRIATUM, find_part
from nwb_neurid.labels.criteria.timing import WIDE_S, measure_long_share, measure_suppression_ms
from nwb_neurid.labels.criteria.waveform import measure_peak_trough_us

MSN, FSI, TAN, UIN = "MSN", "FSI", "TAN", "UIN"
WIDE, NARROW = "wide-spiking", "narrow-spiking"
WIDEST_NARROW_US = 400.0
SHORTEST_TONIC_MS = 40.0
LARGEST_LONG_SHARE = 0.1
LONG_S = 2.0
ROUNDING = 1e-6

DURATION = "peak_trough_us"
SUPPRESSION = "post_spike_suppression_ms"
LONG_SHARE = "share_of_time_in_long_intervals"


def judge(unit: Unit) -> Verdict:
    """Apply the criterion for the part of the brain in which the unit is."""
    values: dict[str, float] = {}
    cut = False
    if unit.waveform is not None:
        values[DURATION], cut = measure_peak_trough_us(unit.waveform, unit.rate_hz)
    uncountable = unit.explain_uncountable(WIDE_S)
    if not uncountable:
        values[LONG_SHARE] = measure_long_share(unit.train_s, unit.runs_s, LONG_S)
        values[SUPPRESSION] = measure_suppression_ms(unit.train_s, unit.runs_s)
        values = {name: value for name, value in values.items() if not np.isnan(value)}
    part = find_part(unit.region)
    if part not in {STRIATUM, CORTEX}:
        why = f"not valid in its region: {unit.region}" if unit.region else "its brain region is not known"
        return Verdict(reason=why, values=values)
    if unit.waveform is None:
        return Verdict(reason=NO_WAVEFORM, values=values)
    narrow = values[DURATION] <= WIDEST_NARROW_US + ROUNDING
    if cut and narrow:
        return Verdict(reason="its waveform ends before its peak", values=values)
    if part == CORTEX:
        return Verdict(label=NARROW if narrow else WIDE, values=values)
    needed = LONG_SHARE if narrow else SUPPRESSION
    if needed not in values:
        return Verdict(reason=uncountable or "its autocorrelogram never recovers after a spike", values=values)
    if narrow:
        return Verdict(label=FSI if values[LONG_SHARE] <= LARGEST_LONG_SHARE else UIN, values=values)
    return Verdict(label=MSN if values[SUPPRESSION] < SHORTEST_TONIC_MS else TAN, values=values)


CRITERION = Criterion(
    name="bombcell",
    version="1",
    title="bombcell's criterion",
    label_name="putative_cell_type_bombcell",
    scope="neurons of striatum and cortex",
    citation="Fabre et al. 2023, Zenodo 8172821, after Peters et al. 2021, Nature 591, 420",
    classes={
        MSN: "striatum: wider than 400 µs, firing recovers within 40 ms after a spike",
        FSI: "striatum: at most 400 µs, at most a tenth of the time in intervals over 2 s",
        TAN: "striatum: wider than 400 µs, firing recovers 40 ms after a spike or later",
        UIN: "striatum: at most 400 µs, more than a tenth of the time in intervals over 2 s",
        WIDE: "cortex: wider than 400 µs",
        NARROW: "cortex: at most 400 µs",
    },
    thresholds={DURATION: WIDEST_NARROW_US, SUPPRESSION: SHORTEST_TONIC_MS, LONG_SHARE: LARGEST_LONG_SHARE},
    values=(DURATION, SUPPRESSION, LONG_SHARE),
    judge=judge,
    parts=frozenset({STRIATUM}),
    needs_region=True,
)
