"""The settings of the fingerprint: the length of the code of each input."""

from dataclasses import asdict, dataclass
from typing import Annotated

from neurid_fingerprint.inputs import WIDTHS
from nwb_neurid.contracts.config import Entry, is_count


def _code_of(name: str) -> Entry:
    most = WIDTHS[name]
    return f"a whole number from 1 to {most}", lambda value: is_count(value) and value <= most


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The settings of a fingerprint.

    Parameters
    ----------
    waveform, lags, linear, intervals, conditional
        Dimensions of the code of each input. The inputs are the shape of the waveform, the autocorrelogram on a
        logarithmic axis, the autocorrelogram on a linear axis, inter-spike intervals, and the autocorrelogram
        conditional on the firing rate.
    """

    waveform: Annotated[int, _code_of("waveform")] = 12
    lags: Annotated[int, _code_of("lags")] = 20
    linear: Annotated[int, _code_of("linear")] = 10
    intervals: Annotated[int, _code_of("intervals")] = 4
    conditional: Annotated[int, _code_of("conditional")] = 4

    @property
    def codes(self) -> dict[str, int]:
        """Return the sizes by name."""
        return asdict(self)
