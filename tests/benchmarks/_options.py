"""The options of every benchmark: `--size full`, at which the pages report it, or `tiny`, at which tests run it."""

import argparse
from collections.abc import Mapping


def parse_options(
    description: str | None, *, full: Mapping[str, object], tiny: Mapping[str, object]
) -> argparse.Namespace:
    """The values of the size asked for, each of which can be set by an option of its name too."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    for name, value in full.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = {"full": full, "tiny": {**full, **tiny}}
    return argparse.Namespace(**{**sizes[given.size], **vars(given)})
