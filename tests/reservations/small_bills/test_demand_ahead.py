"""Small histories of use, with what is right to buy worked out by hand beside each.

A machine costs 1 an hour on demand and 0.63 committed for a year, so that one is worth it that runs in more than 63 of
100 hours: the level is the quantile of the hours at 37%. Each history ends on 1 Apr 2026.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from reservations.calc.terms import MachinePool
from reservations.optimizer.demand import DAILY, HOURLY, MachineUse, build_demand
from reservations.optimizer.expected_demand import expected_demand
from reservations.optimizer.held_capacity import REGIONAL, HeldCapacity
from reservations.optimizer.optimum import optimum

END = datetime(2026, 4, 1)
M5 = MachinePool("AWS", "us-east-1", "m5.large")
M7I = MachinePool("AWS", "us-east-1", "m7i.large")


def history(days, **machines):
    """Hourly use until END: {pool: machines at an hour, counted from the start}."""
    start = END - timedelta(days=days)
    pools = {"m5": M5, "m7i": M7I}
    uses = [
        MachineUse(pools[name], moment, moment + timedelta(hours=1), Decimal(running))
        for name, running_at in machines.items()
        for hour in range(days * 24)
        for moment in [start + timedelta(hours=hour)]
        if (running := running_at(moment))
    ]
    return build_demand(uses, start, END)


def bought(gross, *, held=(), months=12, lookback=30, committed=0.63):
    """{type: machines worth committing to} for the months to come."""
    ahead = expected_demand(gross, held, months=months, days=lookback)
    levels = {
        pool.type: optimum(hours, on_demand=1.0, committed=committed).level
        for pool, hours in zip(ahead.pools, ahead.machines, strict=True)
    }
    return {type_: level for type_, level in levels.items() if level}


def owned(pool, count, until=None):
    return HeldCapacity("reservation", REGIONAL, count, {pool: 1.0}, until)


def days_before(moment):
    return (END - moment) / timedelta(days=1)


def test_steady():
    """Three machines in every hour: three, and what is expected is what was seen."""
    gross = history(30, m5=lambda at: 3)
    ahead = expected_demand(gross, (), months=12, days=30)
    assert bought(gross) == {"m5.large": 3}
    assert (ahead.hours, ahead.machines.tolist(), ahead.notes) == (720, [[3.0] * 720], [])


def test_half_time():
    """One machine always and two more for 12 of 24 hours: half the time is less than 63%, so one."""
    assert bought(history(30, m5=lambda at: 3 if 8 <= at.hour < 20 else 1)) == {"m5.large": 1}


def test_office_hours_are_no_deletion():
    """Four machines from Monday to Friday, one at the weekend: 120 of 168 hours are 71%, so four."""
    gross = history(60, m5=lambda at: 4 if at.weekday() < 5 else 1)
    assert bought(gross) == {"m5.large": 4}


def test_shrinking():
    """Twenty machines become two in thirty days, one less every 40 hours, and it goes on: two at the most."""
    gross = history(30, m5=lambda at: max(2, 20 - int((30 - days_before(at)) * 24 / 40)))
    assert bought(gross).get("m5.large", 0) <= 2


def test_shrunk():
    """Twenty machines became two three weeks ago, which stayed: two."""
    assert bought(history(90, m5=lambda at: 20 if days_before(at) > 21 else 2)) == {"m5.large": 2}


def test_growing():
    """100 machines a year ago and 200 now, 0.274 a day: three quarters of it are believed for the year to come.

    At its end it is 200 + 0.75 x 0.274 x 365 = 275, and 37% of the way there is exceeded in 63% of the year:
    200 + 0.37 x 75 = 228. A few more or less are the week over which the last level is measured.
    """
    gross = history(395, m5=lambda at: 200 - round(days_before(at) * 100 / 365))
    assert bought(gross)["m5.large"] == pytest.approx(228, abs=3)


def test_growth_of_a_year_does_not_justify_three():
    gross = history(395, m5=lambda at: 200 - round(days_before(at) * 100 / 365))
    assert bought(gross, months=36)["m5.large"] <= 200


def test_one_step_is_no_growth():
    """One machine, and a second since 1 February: two, and not a third for next year."""
    gross = history(180, m5=lambda at: 1 if at < datetime(2026, 2, 1) else 2)
    assert bought(gross) == {"m5.large": 2}


def test_a_ramp_that_came_to_rest_is_no_growth():
    """From 10 to 40 machines in half a year, and 40 for the three months since: 40."""
    gross = history(270, m5=lambda at: min(40, 10 + int((270 - days_before(at)) / 6)))
    assert bought(gross) == {"m5.large": 40}


def test_moved_family():
    """Ten m5 were replaced by ten m7i on 20 March: ten m7i and no m5."""
    gross = history(
        90,
        m5=lambda at: 10 if at < datetime(2026, 3, 20) else 0,
        m7i=lambda at: 10 if at >= datetime(2026, 3, 20) else 0,
    )
    assert bought(gross) == {"m7i.large": 10}


def test_deleted():
    """One of two machines is gone since the afternoon of 26 March: one."""
    gross = history(30, m5=lambda at: 2 if at < datetime(2026, 3, 26, 15) else 1)
    assert bought(gross, committed=0.2) == {"m5.large": 1}
    ahead = expected_demand(gross, (), months=12, days=30)
    assert ahead.notes == ["Expected for the next 12 months: m5.large Linux in us-east-1: 2 ran, of which 1 still do."]


def test_a_machine_of_three_days_is_no_reason_for_three_years():
    """Two machines, and a third since 29 March: two, though it ran in 3 of the last 7 days, which is more than 38%."""
    gross = history(60, m5=lambda at: 3 if at >= datetime(2026, 3, 29) else 2)
    assert bought(gross, committed=0.38) == {"m5.large": 2}
    notes = expected_demand(gross, (), months=36, days=30).notes
    assert notes == [
        "Expected for the next 36 months: m5.large Linux in us-east-1: of 3 only 2 run for a week or longer, and count."
    ]


def test_season():
    """20 machines in November and December, 5 in the other months, year after year; on 1 January not 20, but 5."""
    gross = build_demand(
        [
            MachineUse(M5, at, at + timedelta(days=1), Decimal(24 * count), count)
            for day in range(400)
            for at in [datetime(2026, 1, 1) - timedelta(days=400 - day)]
            for count in [20 if at.month >= 11 else 5]
        ],
        datetime(2026, 1, 1) - timedelta(days=400),
        datetime(2026, 1, 1),
    )
    assert bought(gross)["m5.large"] == pytest.approx(5, rel=0.1)


def test_covered_now():
    """Three machines, two of them reserved since five days, without a known end: one, as if it had been all month."""
    assert bought(history(30, m5=lambda at: 3), held=[owned(M5, 2)]) == {"m5.large": 1}


def test_expiring():
    """Three machines, two of them reserved for another three months: in nine of twelve months, 75%, all three."""
    gross = history(30, m5=lambda at: 3)
    held = [owned(M5, 2, END + timedelta(days=365 / 4))]
    assert bought(gross, held=held) == {"m5.large": 3}
    # For another six months: half the time is less than 63 %.
    assert bought(gross, held=[owned(M5, 2, END + timedelta(days=365 / 2))]) == {"m5.large": 1}
    ahead = expected_demand(gross, held, months=12, days=30)
    assert ahead.notes == [
        "Commitments that end in that time leave their machines as demand from that day on: reservation on 1 Jul 2026."
    ]
    # A quarter of the columns has one machine, the others three.
    assert sorted(np.unique(ahead.machines[0], return_counts=True)[1].tolist()) == [2016, 6048]


def test_daily():
    """Ten machines of twelve hours a day each: five that run all day, or ten in the same twelve hours.

    Half the time is less than 63%: nothing is worth it if they run at once, five are if they run in turn.
    """
    start = END - timedelta(days=30)
    days = [start + timedelta(days=day) for day in range(30)]
    gross = build_demand([MachineUse(M5, at, at + timedelta(days=1), Decimal(120), 10) for at in days], start, END)
    ahead = expected_demand(gross, (), months=12, days=30)
    assert ahead.grain == DAILY
    worst, best = (optimum(rows[0], on_demand=1.0, committed=0.63).level for rows in (ahead.machines, ahead.even))
    assert (worst, best) == (0, 5)


def test_machines_that_ran_all_day_are_as_sure_in_a_daily_bill_as_in_an_hourly_one():
    start = END - timedelta(days=30)
    days = [start + timedelta(days=day) for day in range(30)]
    gross = build_demand([MachineUse(M5, at, at + timedelta(days=1), Decimal(48), 2) for at in days], start, END)
    assert gross.even is None
    assert bought(gross) == {"m5.large": 2}


def test_one_hour():
    """All there is is one hour of four machines: nobody knows more than that hour, and its grain is hourly."""
    use = MachineUse(M5, END - timedelta(hours=1), END, Decimal(4))
    gross = build_demand([use], END - timedelta(hours=1), END)
    assert (gross.hours, gross.grain, bought(gross)) == (1, HOURLY, {"m5.large": 4})


def test_one_hour_of_a_known_month_is_one_hour():
    """One hour of four machines in a month that is known: 1 of 720 hours, nothing."""
    start = END - timedelta(days=30)
    gross = build_demand([MachineUse(M5, END - timedelta(hours=1), END, Decimal(4))], start, END)
    assert bought(gross) == {}


def test_hours_that_no_bill_tells_are_left_out_and_named():
    """Two machines; of 10 to 12 March nothing is delivered: two, and the three days are named."""
    start = END - timedelta(days=30)
    unknown = [datetime(2026, 3, day) for day in (10, 11, 12)]
    uses = [
        MachineUse(M5, at, at + timedelta(hours=1), Decimal(2))
        for hour in range(720)
        for at in [start + timedelta(hours=hour)]
        if datetime(at.year, at.month, at.day) not in unknown
    ]
    known = np.array([start + timedelta(days=hour // 24) not in unknown for hour in range(720)])
    gross = build_demand(uses, start, END, known)
    ahead = expected_demand(gross, (), months=12, days=30)
    assert (ahead.hours, bought(gross)) == (648, {"m5.large": 2})
    assert ahead.notes == [
        "Of 3 of the 30 days looked at no bill is delivered (10 Mar 2026 to 12 Mar 2026): they are left out, and "
        "not counted as days without use."
    ]


def test_the_grain_is_that_of_the_days_looked_at_and_of_two_the_weaker():
    """Daily until 16 March, hourly since: of the last two weeks hourly, of the last three daily."""
    start = END - timedelta(days=30)
    change = datetime(2026, 3, 16)
    daily = [start + timedelta(days=day) for day in range(30)]
    uses = [MachineUse(M5, at, at + timedelta(days=1), Decimal(24), 1) for at in daily if at < change]
    hours = [change + timedelta(hours=hour) for hour in range(16 * 24)]
    uses += [MachineUse(M5, at, at + timedelta(hours=1), Decimal(1), 1) for at in hours]
    gross = build_demand(uses, start, END)
    assert (gross.last_days(14).grain, gross.last_days(21).grain, gross.grain) == (HOURLY, DAILY, DAILY)


def test_a_month_of_hours_in_other_units_below_zero_or_twice_is_no_use_of_its_own():
    """One machine; an hour is billed twice and another taken back: one machine, with a sentence for each."""
    start = END - timedelta(days=30)
    hours = [start + timedelta(hours=hour) for hour in range(720)]
    uses = [MachineUse(M5, at, at + timedelta(hours=1), Decimal(1), 1) for at in hours]
    uses[5] = MachineUse(M5, hours[5], hours[6], Decimal(2), 1)
    uses.append(MachineUse(M7I, hours[7], hours[8], Decimal(-1), 1))
    gross = build_demand(uses, start, END)
    assert bought(gross) == {"m5.large": 1}
    assert "1 entry of the bill claims more hours" in gross.notes[0]
    assert "1 hour has less than no use" in gross.notes[1]
