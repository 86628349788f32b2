"""Counts agree with their nouns."""

import pytest

from finops_site.lib.words import counted


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (1, ["row"], "1 row"),
        (0, ["row"], "0 rows"),
        (1204, ["row"], "1,204 rows"),
        (1, ["delivery", "deliveries"], "1 delivery"),
        (2, ["row has", "rows have"], "2 rows have"),
    ],
)
def test_a_count_and_its_noun(count, words, text):
    assert counted(count, *words) == text
