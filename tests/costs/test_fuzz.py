"""A sample of the broken bills of fuzzing.py for every reader, the same ones at every run."""

import random

import pytest

from costs import engine
from tests.costs import fuzzing

COUNT = 60
SEEDS = fuzzing.seeds()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_broken_bill_is_refused_in_words_or_loaded_with_conserved_sums(name, tmp_path):
    chance = random.Random(name)
    with engine.connect(threads=1) as db:
        fuzzer = fuzzing.Fuzzer(tmp_path, db)
        assert fuzzer.outcome(name, SEEDS[name]) == "loaded"
        outcomes = {fuzzer.outcome(name, fuzzing.broken(SEEDS[name], chance)) for _ in range(COUNT)}
    assert outcomes <= {"refused", "partly", "loaded"}
    assert len(outcomes) > 1
