"""Every deliberate error of the project, one class each.

A `NeuridError` is a fault in what the user gave us: its message is one clear text (what, where, expected,
actual, what to do) and the command line prints it without a traceback and exits with code 2. Anything else
that escapes is a fault of ours.
"""

from collections.abc import Mapping, Sequence


class NeuridError(Exception):
    """A fault in the input; the message is written for the person at the keyboard."""


class InvalidOption(NeuridError):
    """An option has a value that cannot be used."""


class InvalidPopulation(NeuridError, ValueError):
    """The parts of a `Population`, `Spikes` or `Traces` contradict one another."""


class InvalidResults(NeuridError, ValueError):
    """The parts of an `Embeddings` or `Predictions` contradict one another."""


class CountOverflow(NeuridError, OverflowError):
    """More spikes of one unit in one bin than a uint8 count can hold."""


class SourceNotFound(NeuridError, FileNotFoundError):
    """There is nothing at the path."""


class UnknownSource(NeuridError):
    """No installed reader recognises the source."""


class UnreadableSource(NeuridError):
    """The source is damaged, locked by another program, or holds nothing that can be read."""


class SourceUnreachable(UnreadableSource):
    """A server gave no answer, or broke off: it may answer later."""


class InvalidSource(NeuridError):
    """The source can be read, but its content contradicts its format."""


class CannotEncode(NeuridError):
    """The encoder cannot embed the recording; every reason is listed, and what can embed it.

    Parameters
    ----------
    encoder
        Name of the encoder.
    source
        The recording; "" where it has no name.
    problems
        Every reason.
    instead
        Models and encoders that take the recording, with the option that names each ("model" or "encoder").
    presets
        Presets of the encoder that take the recording.
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
            lines += f"\n  What takes it, without training: {named}."
        if presets:
            lines += f"\n  Presets of {encoder} that take it: {', '.join(presets)}."
        super().__init__(lines)


class CannotTrain(NeuridError):
    """The encoder cannot be trained on these recordings; every reason is listed.

    Parameters
    ----------
    problems
        Every reason.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  - ".join(["These recordings cannot be trained on:", *problems]))


class CannotFetch(NeuridError):
    """Recordings of a dataset could not be fetched; every reason is listed.

    Parameters
    ----------
    dataset
        Name of the dataset.
    problems
        Every reason.
    fetched
        How many recordings were fetched.
    """

    def __init__(self, dataset: str, problems: Sequence[str], fetched: int) -> None:
        self.problems = tuple(problems)
        ready = f" {fetched} others are there." if fetched else ""
        head = f"{len(problems)} of {dataset} could not be fetched.{ready} The same command continues:"
        super().__init__("\n  - ".join([head, *problems]))


class CannotFit(NeuridError):
    """No head can be fitted to the labels of these units."""


class OutOfMemory(NeuridError, MemoryError):
    """The GPU, or the computer, has too little memory for what was asked."""


class Leak(NeuridError):
    """Something of the test data would be known in training."""


class UntrainedEncoder(NeuridError):
    """The encoder learns, no trained weights were named, and untrained ones were not asked for."""


class UnknownPlugin(NeuridError, LookupError):
    """No installed distribution provides a plugin of that name."""


class BrokenPlugin(NeuridError):
    """A plugin does not import, is not what its entry point promises, or breaks the contract."""


class DuplicatePlugin(NeuridError):
    """Two distributions provide a plugin of one name."""


class IncompatiblePlugin(NeuridError):
    """A plugin was written for another major version of the contract."""


class InvalidModel(NeuridError):
    """A model folder is missing, incomplete, or of a format that this version does not know."""


class WrongWeights(NeuridError):
    """Weights do not fit the encoder that they are meant for."""


class CannotWrite(NeuridError):
    """The results cannot be written where they were to go; nothing was changed."""


class ResultsExist(CannotWrite):
    """The file already contains results of this name."""


class SourceChanged(CannotWrite):
    """The file changed, or vanished, between reading and writing."""


class NoResults(NeuridError):
    """The file holds no results of this project, or none of that name."""


class NeuridWarning(UserWarning):
    """Something about the data that its owner should know; the work continues."""
