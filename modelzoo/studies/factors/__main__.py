"""`python -m modelzoo.studies.factors`: the report of the zoo's factors."""

from __future__ import annotations

import argparse
from pathlib import Path

from modelzoo.studies.factors.evaluate import evaluate


def main() -> None:
    """Judge the experts of all factors and mixtures over them; write one report."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.factors", description=main.__doc__
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--quick", action="store_true", help="small samples; not to be cited")
    parser.add_argument("--no-mixtures", action="store_true", help="judge trained models alone")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    page = evaluate(
        arguments.output,
        quick=arguments.quick,
        mixtures=not arguments.no_mixtures,
        seed=arguments.seed,
    )
    print(page)


if __name__ == "__main__":
    main()
