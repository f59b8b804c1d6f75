"""Precision and recall of what profiling finds columns to be for, over generated schemas, by role.

`--mistakes` lists every column that was taken for something else; `--seed` makes other schemas than the tests'.
"""

from __future__ import annotations

import argparse
import time

from datasets.tests.generated_schemas import generate, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schemas", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mistakes", action="store_true")
    options = parser.parse_args()
    schemas = generate(options.schemas, seed=options.seed)
    started = time.perf_counter()
    measured, mistakes = measure(schemas)
    took = (time.perf_counter() - started) * 1000 / len(schemas)
    print("| role | columns | found | precision | recall |\n|---|---|---|---|---|")
    for each in measured:
        if each.right + each.missed + each.wrong:
            columns, found = each.right + each.missed, each.right + each.wrong
            print(f"| {each.role} | {columns} | {found} | {each.precision:.3f} | {each.recall:.3f} |")
    print(f"\n{len(schemas)} schemas, {took:.1f} ms each")
    for mistake in mistakes if options.mistakes else ():
        print(*mistake, sep="\t")


if __name__ == "__main__":
    main()
