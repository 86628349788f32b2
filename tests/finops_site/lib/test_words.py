"""Counts agree with their nouns, and lists that are too long say how much is left."""

import pytest

from finops_site.lib.words import counted, some_of


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


def test_of_many_names_the_first_are_written_and_the_others_counted():
    assert some_of([]) == ""
    assert some_of(["a", "b", "c"], 3) == "a, b, c"
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert some_of(["a", "b", "c"], 1, between="; ", last="; and ") == "a; and 2 more"
