"""Climbing a tree that a table of parents describes."""

from finops_site.lib.trees import all_above


def test_everything_above_is_named_once_the_nearest_first():
    assert list(all_above(3, {3: 2, 2: 1, 1: None})) == [2, 1]
    assert list(all_above(1, {1: None})) == list(all_above(9, {})) == []


def test_a_circle_ends_where_it_closes():
    assert list(all_above(1, {1: 2, 2: 3, 3: 1})) == [2, 3]
    assert list(all_above(1, {1: 1})) == []
