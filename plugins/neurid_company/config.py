"""The settings of the encoder: the kind of activity, and the length of each block of the vector."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from nwb_neurid.contracts import Config
from nwb_neurid.contracts.config import COUNT, POSITIVE, Entry, read_config

WAVEFORM_DIM = 16

OPTIONAL_COUNT: Entry = ("0, or a positive whole number", lambda value: type(value) is int and 0 <= value <= 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyConfig:
    """The settings of the encoder.

    Parameters
    ----------
    activity
        "spikes", or "imaging" for fluorescence, dF/F and deconvolved traces.
    own, company
        Dimensions of the blocks for a unit's own timing, and for its correlations with other units.
    neighbours
        Largest number of functional neighbours of a unit.
    rounds
        Rounds of averaging over these neighbours. Each round adds a block of `own + company` dimensions.
    relative
        Whether features are standardised within the recording. This is needed for imaging, because gain, noise and
        indicator differ between setups. It is not needed for spike trains.
    own_of_neighbours
        Number of dimensions by which the block `company` is longer. They contain the mean of the block `own` over the
        functional neighbours, relative to the population. One rotation mixes all dimensions of the block.
    sharpness
        Exponent of the signal-to-noise ratio by which directions are weighted.
    waveform
        Whether the vector ends with the shape of the mean waveform, which is 0 if it is unknown.
    sizes
        Whether the block `own` of imaging also contains the size of the trace and of its changes in dF/F. Traces of
        other kinds are then converted to dF/F. If False, all features are computed from traces with standard deviation
        1.
    """

    activity: Literal["spikes", "imaging"]
    own: Annotated[int, COUNT] = 32
    company: Annotated[int, COUNT] = 32
    neighbours: Annotated[int, COUNT] = 40
    rounds: Annotated[int, OPTIONAL_COUNT] = 2
    own_of_neighbours: Annotated[int, OPTIONAL_COUNT] = 0
    relative: bool = False
    sharpness: Annotated[float, POSITIVE] = 0.5
    waveform: bool = False
    sizes: bool = False

    def __post_init__(self) -> None:
        if self.own_of_neighbours > self.own:
            raise ValueError(f"own_of_neighbours must be at most own, {self.own}, got {self.own_of_neighbours}")

    @classmethod
    def from_json(cls, config: Config) -> "CompanyConfig":
        """Check a config.

        Raises
        ------
        InvalidModel
            If keys are missing or unknown, or their values cannot be used. The message lists all faults.
        """
        return read_config(cls, config, "the company encoder")

    @property
    def listens(self) -> bool:
        """Return whether functional neighbours are part of the vector."""
        return self.rounds > 0 or self.own_of_neighbours > 0

    @property
    def blocks(self) -> Mapping[str, slice]:
        """Return the dimensions of each block of a vector, in order."""
        company = self.company + self.own_of_neighbours
        both = self.own + company
        sizes = {"own": self.own, "company": company}
        sizes |= {f"neighbours_{number + 1}": both for number in range(self.rounds)}
        sizes |= {"waveform": WAVEFORM_DIM} if self.waveform else {}
        found, start = {}, 0
        for name, size in sizes.items():
            found[name] = slice(start, start + size)
            start += size
        return found

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Return the names of the dimensions of a vector: the block, and the number within the block."""
        sizes = {name: block.stop - block.start for name, block in self.blocks.items()}
        return tuple(f"{name}_{axis}" for name, size in sizes.items() for axis in range(size))

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return max(block.stop for block in self.blocks.values())
