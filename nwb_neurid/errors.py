"""Errors and warnings of the project, one class for each kind.

A `NeuridError` reports a problem with the input. Its message states the fault and its place, the expected and the
actual value, and what to do. The command line prints it without a traceback, and exits with code 2. Any other
exception is a bug of nwb-neurid.
"""

from collections.abc import Mapping, Sequence


class NeuridError(Exception):
    """The input cannot be used. The message is written for the user."""


class InvalidOption(NeuridError):
    """An option has a value that cannot be used."""


class InvalidPopulation(NeuridError, ValueError):
    """The parts of a `Population`, `Spikes` or `Traces` contradict one another."""


class InvalidResults(NeuridError, ValueError):
    """The parts of an `Embeddings` or `Predictions` contradict one another."""


class CountOverflow(NeuridError, OverflowError):
    """One unit has more spikes in one bin than a uint8 count can hold."""


class SourceNotFound(NeuridError, FileNotFoundError):
    """No file or folder exists at the path of the source."""


class UnknownSource(NeuridError):
    """No installed reader recognises the source."""


class UnreadableSource(NeuridError):
    """The source is damaged, is locked by another program, or contains nothing that can be read."""


class SourceUnreachable(UnreadableSource):
    """A server did not answer, or closed the connection. A later attempt may succeed."""


class InvalidSource(NeuridError):
    """The source can be read, but its content contradicts its format."""


class CannotEncode(NeuridError):
    """The encoder cannot embed the recording. The message lists all reasons, and what else can embed the recording.

    Parameters
    ----------
    encoder
        Name of the encoder.
    source
        Name of the recording; "" if it has no name.
    problems
        All reasons, as sentences.
    instead
        Models and encoders that can embed the recording, each with the option that selects it ("model" or "encoder").
    presets
        Presets of the encoder that can embed the recording.
    """

    def __init__(
        self,
        encoder: str,
        source: str,
        problems: Sequence[str],
        instead: Mapping[str, str] | None = None,
        presets: Sequence[str] = (),
    ) -> None:
        self.problems = tuple(problems)
        where = f" {source}" if source else " this recording"
        lines = "\n  - ".join([f"Encoder {encoder!r} cannot encode{where}:", *problems])
        named = " or ".join(f'--{kind} {name}, in Python {kind}="{name}"' for name, kind in (instead or {}).items())
        if named:
            lines += f"\n  Encoders and models that can embed it without training: {named}."
        if presets:
            lines += f"\n  Presets of {encoder} that can embed it: {', '.join(presets)}."
        super().__init__(lines)


class CannotTrain(NeuridError):
    """The encoder cannot be trained on these recordings. The message lists all reasons.

    Parameters
    ----------
    problems
        All reasons, as sentences.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  - ".join(["These recordings cannot be trained on:", *problems]))


class CannotFetch(NeuridError):
    """Recordings of a dataset could not be fetched. The message lists all reasons.

    Parameters
    ----------
    dataset
        Name of the dataset.
    problems
        All reasons, as sentences.
    fetched
        Number of recordings that were fetched.
    """

    def __init__(self, dataset: str, problems: Sequence[str], fetched: int) -> None:
        self.problems = tuple(problems)
        ready = f" {fetched} others were downloaded." if fetched else ""
        head = f"{len(problems)} of {dataset} could not be downloaded.{ready} Run the same command again to continue:"
        super().__init__("\n  - ".join([head, *problems]))


class CannotFit(NeuridError):
    """No head can be fitted to the labels of these units."""


class OutOfMemory(NeuridError, MemoryError):
    """The GPU or the computer has too little memory for the computation."""


class Leak(NeuridError):
    """Information about the test data would leak into training."""


class UntrainedEncoder(NeuridError):
    """The encoder needs training, but neither trained weights nor the option for untrained weights was given."""


class UnknownPlugin(NeuridError, LookupError):
    """No installed distribution provides a plugin with this name."""


class BrokenPlugin(NeuridError):
    """A plugin cannot be imported, has another kind than its entry point states, or breaks the contract."""


class DuplicatePlugin(NeuridError):
    """Two distributions provide a plugin with the same name."""


class IncompatiblePlugin(NeuridError):
    """A plugin was written for another major version of the contract."""


class InvalidModel(NeuridError):
    """A model folder is missing, is incomplete, or has a format that this version cannot read."""


class WrongWeights(NeuridError):
    """The weights do not fit the encoder."""


class CannotWrite(NeuridError):
    """The results cannot be written to the given place. Nothing was changed."""


class ResultsExist(CannotWrite):
    """The file already contains results with this name."""


class SourceChanged(CannotWrite):
    """The file was changed or removed between reading and writing."""


class NoResults(NeuridError):
    """The file contains no results of nwb-neurid, or no results with this name."""


class NeuridWarning(UserWarning):
    """A warning for the user, for example about the data. The computation continues."""
