"""`python -m tests.fuzz [--cases 10000] [--seed 1] [--only N]`: sends cases to an Oven of its own; 1 when one fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.stack import Stack
from tests.fuzz.running import WAITS, cases_of, run
from tests.fuzz.site import NoPieces


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="one case, by its number")
    options = parser.parse_args()
    numbers = [options.only] if options.only is not None else range(options.cases)
    with tempfile.TemporaryDirectory() as place, NoPieces() as site:
        oven = Stack(Path(place) / "data", piece_origin=site.origin, **WAITS)
        try:
            oven.start(limit_s=300)
            cases = cases_of(oven, options.seed)
            found = run(oven, (cases[number] for number in numbers))
        finally:
            oven.stop()
    print(found)
    for complaint in found.wrong[:20]:
        print(complaint)
    return int(bool(found.wrong))


if __name__ == "__main__":
    sys.exit(main())
