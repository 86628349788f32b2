"""The rule on real demand: commit on what was known, pay for a year, compare with hindsight.

    .venv/bin/python -m benchmarks.backtest .../shavedice/hourly_normalized.csv.gz

Prints the tables of docs/commitments.md: a row for each deployment and strategy. Hourly demand of four deployments over
three years (Stokely et al., "Shaved Ice", ICPE 2025, CC BY 4.0); on demand costs 2.1 committed rates, as there.
The rule was chosen on the origins of the first year; those after it were held out.
"""

import csv
import gzip
import sys
from collections import defaultdict

from reservations.optimizer.backtest import backtest

RATIO, LOOKBACK, TERM, STEP = 1 / 2.1, 90 * 24, 365 * 24, 30 * 24


def demand(path: str) -> dict[str, list[float]]:
    """{deployment: normalised use of every hour}; an hour without a row had none."""
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    hours = set()
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            hours.add(row["USAGE_HOUR"])
            sums[row["REGION_NUM"]][row["USAGE_HOUR"]] += float(row["NORM_USAGE"])
    return {region: [used.get(hour, 0.0) for hour in sorted(hours)] for region, used in sorted(sums.items())}


def main(path: str) -> None:
    hours_by_region = demand(path)
    for title, first in (("Held out: origins after the first year", 365 * 24), ("All origins", 0)):
        print(f"\n{title}\n")
        print_table(hours_by_region, first)


def print_table(hours_by_region: dict[str, list[float]], first: int) -> None:
    how = {"ratio": RATIO, "lookback": LOOKBACK, "term": TERM, "step": STEP, "first": first}
    results = {region: backtest(hours, **how) for region, hours in hours_by_region.items()}
    print("| deployment | origins | " + " | ".join(result.strategy for result in results["1"]) + " |")
    print("|---|--:|" + "--:|" * len(results["1"]))
    for region, rows in results.items():
        print(f"| {region} | {rows[0].origins} | " + " | ".join(f"{row.saving:.1%}" for row in rows) + " |")


if __name__ == "__main__":
    main(sys.argv[1])
