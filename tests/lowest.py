"""Print pip constraints that hold every direct requirement of pyproject.toml at its lower bound.

Arguments are constraints that replace a bound, such as ``torch==2.13.0``.
"""

import re
import sys
import tomllib
from pathlib import Path

REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)>=(?P<bound>[\w.]+)")


def lowest(requirements: list[str], replaced: list[str]) -> list[str]:
    """One ``name==bound`` for each requirement, or what replaces it."""
    instead = {constraint.partition("==")[0]: constraint for constraint in replaced}
    constraints = []
    for requirement in requirements:
        match = REQUIREMENT.fullmatch(requirement)
        if match is None:
            sys.exit(f"pyproject.toml: expected 'name>=bound', got {requirement!r}")
        constraints.append(instead.get(match["name"], f"{match['name']}=={match['bound']}"))
    return constraints


if __name__ == "__main__":
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    print("\n".join(lowest(project["project"]["dependencies"], sys.argv[1:])))
