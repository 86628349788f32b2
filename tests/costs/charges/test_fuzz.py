"""Broken bills for every reader, the same ones at every run: sixty each, or as many as FINOPS_FUZZ says.

FINOPS_FUZZ_SEED makes others: several processes with a seed each share ten thousand.
"""

import os
import random
import resource
from collections import Counter

import pytest

from costs.charges.duckdb_session import duckdb_session
from tests.costs.charges import fuzzing

COUNT = int(os.environ.get("FINOPS_FUZZ", "60"))
OTHERS = os.environ.get("FINOPS_FUZZ_SEED", "")
SEEDS = fuzzing.seeds()
# What DuckDB and Python keep of their own; a leak of a few kilobytes a bill would show at ten thousand.
MOST_GROWTH_MB = 200


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_broken_bill_is_refused_in_words_or_loaded_with_conserved_sums(name, tmp_path):
    chance, outcomes = random.Random(name + OTHERS), Counter()
    with duckdb_session(threads=1) as db:
        fuzzer = fuzzing.Fuzzer(tmp_path, db)
        assert fuzzer.outcome(name, SEEDS[name]) == "loaded"
        before = peak_megabytes()
        for number in range(COUNT):
            content = fuzzing.broken(SEEDS[name], chance)
            try:
                outcomes[fuzzer.outcome(name, content)] += 1
            except Exception as error:
                (tmp_path / "broken").write_bytes(content)
                raise AssertionError(f"bill {number} of {name} ({tmp_path / 'broken'}): {error!r}") from error
    print(f"{name}: {dict(outcomes)}, memory grew by {peak_megabytes() - before} MB")
    assert outcomes.keys() <= {"refused", "partly", "loaded"}
    assert outcomes["refused"]
    assert peak_megabytes() - before < MOST_GROWTH_MB


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
