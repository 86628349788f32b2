"""Which backups stay: some of each age, and the newest good one whatever else is so."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_site.lib.backup_ages import KeepRule, StoredBackup, moment_of, name_of, no_longer_kept, read_keep_rule

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)


def stored(days_ago, is_good=True):
    made_at = NOON - timedelta(days=days_ago)
    return StoredBackup(name_of(made_at), made_at, is_good)


def test_days_weeks_and_months_keep_the_newest_of_each():
    backups = [stored(day) for day in range(100)]
    gone = {backup.name for backup in no_longer_kept(backups, KeepRule(3, 2, 2))}
    days = [backup.made_at.date().isoformat() for backup in backups if backup.name not in gone]
    # 15 March 2026 is a Sunday: its week ends with it.
    assert days == ["2026-03-15", "2026-03-14", "2026-03-13", "2026-03-08", "2026-02-28"]


def test_one_that_is_not_whole_takes_no_good_ones_place_and_goes_when_a_good_one_is_newer():
    backups = [stored(0, is_good=False), stored(1), stored(2, is_good=False), stored(3)]
    assert no_longer_kept(backups, KeepRule(1, 0, 0)) == [backups[3], backups[2]]
    assert no_longer_kept([stored(0, is_good=False), stored(9, is_good=False)], KeepRule(1, 0, 0)) == []


@given(
    st.lists(st.tuples(st.integers(0, 900), st.booleans()), unique_by=lambda row: row[0]),
    st.tuples(*[st.integers(0, 3)] * 3).filter(any),
)
def test_the_newest_good_one_never_goes(ages, numbers):
    backups = [stored(*row) for row in ages]
    good = [backup for backup in backups if backup.is_good]
    gone = no_longer_kept(backups, KeepRule(*numbers))
    if good:
        newest = max(good, key=lambda backup: backup.made_at)
        assert newest not in gone
        assert all(backup.made_at < newest.made_at for backup in gone)
    else:
        assert gone == []


def test_a_file_that_is_named_otherwise_is_none_of_ours():
    assert moment_of(name_of(NOON)) == NOON
    for name in ("tuesday.finops", "finops-20269999T999999Z.finops", "finops-20260315T120000Z.finops.part"):
        assert moment_of(name) is None


@pytest.mark.parametrize("text", ["", "7", "7 4", "7 4 x", "0 0 0", "-1 4 12"])
def test_a_rule_that_keeps_nothing_is_none(text):
    with pytest.raises(ValueError, match=r"three numbers|invalid literal"):
        read_keep_rule(text)
    assert read_keep_rule("7, 4, 12") == KeepRule(7, 4, 12)
