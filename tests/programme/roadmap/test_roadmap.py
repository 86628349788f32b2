"""A programme from its start to its end: ticks, risks, moves, templates, and what may not be."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from finops_site.mail import outbox
from finops_site.models import OutgoingEmail, Team, User
from finops_site.people.team_deletion import delete_team
from programme.calc.programme_dates import BadDates
from programme.models import Milestone, Programme
from programme.roadmap import decisions, milestones, moves, nightly, plans, programmes
from programme.roadmap.maturity import maturity
from programme.roadmap.seed_plan import ninety_days
from tests.people import signed_in
from tests.programme.roadmap.conftest import PLAN, START, noon

pytestmark = pytest.mark.django_db


def day(number):
    return START + timedelta(days=number - 1)


def named(programme, name):
    return programme.milestones.get(name=name)


def test_a_milestone_ticks_itself_and_keeps_when_and_with_what_value(programme, figures):
    nightly.check_night(programme, day(38))
    assert named(programme, "50% tagged").met_on is None
    figures["tags"] = Decimal("52.5")
    nightly.check_night(programme, day(39))
    figures["tags"] = Decimal(31)
    nightly.check_night(programme, day(40))
    row = named(programme, "50% tagged")
    assert (row.met_on, row.met_value, row.last_value) == (day(39), Decimal("52.5"), Decimal(31))


def test_a_night_that_runs_twice_does_nothing_twice_and_missed_nights_are_made_up_for(programme, figures):
    figures["budgets"] = 2
    assert nightly.play_nights(programme, day(1)) == 1
    assert nightly.play_nights(programme, day(1)) == 0
    assert nightly.missing_nights(programme, day(4)) == [day(2), day(3), day(4)]
    # A night before the last is over.
    assert nightly.missing_nights(programme, day(1) - timedelta(days=1)) == []


def test_a_programme_that_began_in_the_past_looks_back_a_night_of_each_week(programme):
    assert nightly.missing_nights(programme, day(20)) == [day(7), day(14), day(20)]


def test_a_figure_without_value_is_unknown_and_neither_ticks_nor_triggers(programme, figures):
    del figures["tags"]
    figures["budgets"] = None
    nightly.check_night(programme, day(40))
    row, risk = named(programme, "50% tagged"), programme.risks.get(name="Nobody tags")
    assert (row.met_on, row.last_value, row.why_unknown) == (None, None, "There is nothing to measure yet.")
    assert not risk.has_happened
    row.figure = "kpi:gone"
    row.save()
    nightly.check_night(programme, day(41))
    assert "any more" in named(programme, "50% tagged").why_unknown


def test_a_figure_that_fails_stops_no_other(programme, figures, monkeypatch):
    figures["tags"] = ZeroDivisionError("no resources")
    figures["budgets"] = 3
    assert nightly.check_night(programme, day(10)) == 1
    assert named(programme, "2 budgets").met_value == 3
    assert named(programme, "50% tagged").last_value is None


def test_a_risk_happens_from_its_day_on_and_is_over_when_the_figure_is(programme, figures):
    nightly.check_night(programme, day(29))
    risk = programme.risks.get(name="Nobody tags")
    assert not risk.has_happened
    nightly.check_night(programme, day(30))
    risk.refresh_from_db()
    assert (risk.has_happened, risk.happened_on, risk.happened_value) == (True, day(30), 20)
    figures["tags"] = Decimal(40)
    nightly.check_night(programme, day(31))
    risk.refresh_from_db()
    assert (risk.has_happened, risk.over_on) == (False, day(31))


def test_lea_ticks_her_own_milestone_with_a_note_and_nobody_elses(programme, lea, ola, ada, fay):
    row = named(programme, "Sponsor named")
    row.owner = lea
    milestones.save_milestone(row)
    for person, note in ((ola, "done"), (ada, "done"), (lea, "  ")):
        with pytest.raises(plans.CannotDo):
            milestones.tick(row, by=person, note=note, day=day(4))
    milestones.tick(row, by=lea, note="It is Max.", day=day(4))
    assert (row.met_on, row.met_by, row.note) == (day(4), lea, "It is Max.")
    with pytest.raises(plans.CannotDo, match="met already"):
        milestones.tick(row, by=fay, note="again", day=day(5))
    with pytest.raises(plans.CannotDo, match="stays in the plan"):
        milestones.remove(row)
    with pytest.raises(plans.CannotDo, match="ticked by its figure"):
        milestones.tick(named(programme, "2 budgets"), by=fay, note="two", day=day(4))


def test_a_team_and_an_owner_that_are_deleted_leave_their_names(programme, fay):
    row = named(programme, "Sponsor named")
    row.owner = User.objects.create_user("nia@demo.example", "x", name="Nia Okoye")
    row.team = Team.objects.create(name="Mobile")
    milestones.save_milestone(row)
    delete_team(row.team)
    row.owner.delete()
    row = Milestone.objects.get(pk=row.pk)
    assert (row.team_text, row.owner_text) == ("Mobile", "nobody any more (was Nia Okoye)")
    milestones.tick(row, by=fay, note="Taken over.", day=day(9))
    assert row.met_by == fay


def test_two_programmes_at_once_are_refused_and_the_next_may_be_planned(programme, fay):
    with pytest.raises(plans.CannotDo, match="Small plan runs until 30 May 2026: end it first"):
        plans.start(PLAN, day(50), by=fay, now=noon(day(50)))
    assert Programme.objects.count() == 1
    following = plans.start(PLAN, day(91), by=fay, now=noon(day(50)), begins_now=False)
    assert following.status == "planned"
    with pytest.raises(IntegrityError), transaction.atomic():
        Programme.objects.filter(pk=following.pk).update(status="running")
    plans.end(programme, day(90))
    plans.begin(following, following.start)
    assert following.is_running
    with pytest.raises(plans.CannotDo, match="has ended"):
        milestones.save_milestone(named(programme, "2 budgets"))


@pytest.mark.parametrize(
    ("start", "days", "error"),
    [
        (START, 0, "1 to 730 days, not 0"),
        (START, 30, "outside of the programme"),
        (date(2020, 1, 1), None, "too long ago"),
        (date(9999, 12, 31), None, "the years are 1900 to 2200"),
        (START - timedelta(days=90), None, "its last day was 1 Mar 2026"),
        (START - timedelta(days=30), None, ""),
    ],
)
def test_a_programme_whose_days_cannot_be_is_refused(people, fay, figures, start, days, error):
    if not error:
        assert plans.start(PLAN, start, by=fay, now=noon(START)).is_running
        return
    with pytest.raises((BadDates, plans.CannotDo), match=error):
        plans.start(PLAN, start, by=fay, now=noon(START), days=days)
    assert not Programme.objects.exists()


def test_a_phase_does_not_move_to_the_end_of_all_days(programme):
    phase = programme.phases.first()
    with pytest.raises(BadDates, match="the years are 1900 to 2200"):
        moves.plan_moves(programme, "phase", phase.pk, date(9999, 12, 31), rest=True)


def test_a_programme_reaches_nothing_after_its_last_day_and_a_long_past_one_is_looked_at_a_few_times(programme):
    last = programme.last_day
    assert nightly.missing_nights(programme, last + timedelta(days=300))[-1] == last
    programme.days = 400
    assert len(nightly.missing_nights(programme, START + timedelta(days=399))) <= nightly.MOST_NIGHTS_AT_ONCE + 1


def test_dates_move_with_the_rest_and_not_out_of_the_programme(programme):
    row = named(programme, "50% tagged")
    alone = moves.plan_moves(programme, "milestone", row.pk, day(120), rest=False)
    assert "outside of the programme" in alone.problems[0]
    with pytest.raises(BadDates):
        moves.move(programme, "milestone", row.pk, day(120), rest=False)
    row.refresh_from_db()
    assert row.due == day(40)
    plan = moves.move(programme, "milestone", row.pk, day(47), rest=True)
    programme.refresh_from_db()
    assert (plan.days, programme.days) == (97, 97)
    assert [one.due for one in programme.milestones.all()] == [day(5), day(47), day(51)]
    assert [phase.end for phase in programme.phases.all()] == [day(30), day(97)]
    assert programme.decisions.last().due == day(97)


def test_phases_may_not_cross_and_milestones_not_lie_outside(programme):
    phase = programme.phases.last()
    phase.start = day(20)
    with pytest.raises(BadDates, match="The dates cross"):
        milestones.save_phase(phase)
    row = named(programme, "2 budgets")
    row.due = day(91)
    with pytest.raises(BadDates, match="2 budgets lies outside"):
        milestones.save_milestone(row)
    assert named(programme, "2 budgets").due == day(44)


def test_a_template_and_another_start_have_the_same_plan(programme, fay):
    template = plans.save_template(programme, "Ours", by=fay)
    plans.end(programme, day(90))
    again = programmes.start_programme(
        str(template.pk), {"start": day(366), "begins_now": False}, by=fay, now=noon(day(100))
    )
    assert plans.plan_of(again) == template.plan == plans.plan_of(programme)
    assert again.template_name == "Ours"
    for name in ("programme-0", "x", "99999999999999999999", "-1"):
        with pytest.raises(plans.CannotDo, match="no such plan"):
            programmes.plan_by_name(name)


def test_a_plan_whose_end_moved_before_what_was_met_starts_again(programme, fay):
    row = named(programme, "Sponsor named")
    row.due = day(90)
    milestones.save_milestone(row)
    milestones.tick(row, by=fay, note="It is Max.", day=day(4))
    moves.move(programme, "milestone", named(programme, "50% tagged").pk, day(38), rest=True)
    programme.refresh_from_db()
    assert programme.last_day == day(88)
    again = plans.start(plans.plan_of(programme), day(200), by=fay, now=noon(day(90)), begins_now=False)
    assert named(again, "Sponsor named").due == again.last_day


@pytest.mark.parametrize(
    "change", [{"name": "60% tagged"}, {"due": day(41)}, {"limit": Decimal(999)}, {"figure": "", "limit": None}]
)
def test_an_edit_of_a_milestone_that_was_met_leaves_what_it_was_met_by(programme, figures, fay, change):
    figures["tags"] = Decimal(60)
    nightly.check_night(programme, day(39))
    row = named(programme, "50% tagged")
    for name, value in change.items():
        setattr(row, name, value)
    with pytest.raises(plans.CannotDo, match="50% tagged was met: its name, its day and its criterion stay"):
        milestones.save_milestone(row)
    row = named(programme, "50% tagged")
    row.owner = fay
    milestones.save_milestone(row)


def test_a_milestone_that_fell_back_says_so_and_one_that_went_on_does_not(programme, figures, fay):
    for number, (tags, words) in enumerate([(60, ""), (70, ""), (31, "60%; fallen back to 31% since")]):
        figures["tags"] = Decimal(tags)
        nightly.check_night(programme, day(39 + number))
        row = named(programme, "50% tagged")
        assert row.has_fallen_back is bool(words)
        page = signed_in(fay).get(row.get_absolute_url()).content.decode()
        assert ("the figure has fallen back since" in page) is bool(words)
    evidence = decisions.gather_evidence(programme.decisions.last(), day(42))
    assert words in [one.words for one in evidence.milestones]


def test_the_plan_of_the_product_starts_as_it_is(people, fay, today):
    programme = programmes.start_programme("ninety-days", {"start": START}, by=fay, now=noon(START))
    plan = ninety_days()
    assert (programme.milestones.count(), programme.risks.count(), programme.decisions.count()) == (18, 4, 3)
    assert [(row.due - START).days + 1 for row in programme.decisions.all()] == [7, 45, 90]
    assert plans.plan_of(programme)["weeks"] == plan["weeks"]
    assert programme.milestones.get(name="40% coverage").due == day(45)


def test_a_reminder_goes_out_once_and_again_only_for_another_day(programme, lea, fay, today):
    row = named(programme, "Sponsor named")
    row.owner = lea
    milestones.save_milestone(row)
    today(day(3))
    for _night in range(2):
        nightly.check_roadmap(day(3))
    mails = OutgoingEmail.objects.filter(kind="milestone-due")
    assert [(mail.to, mail.subject) for mail in mails] == [(lea.email, "Due soon: Sponsor named")]
    moves.move(programme, "milestone", row.pk, day(12), rest=False)
    nightly.check_roadmap(day(10))
    assert mails.all().count() == 2
    # The first decision is asked for, of whoever may decide.
    readers = OutgoingEmail.objects.filter(kind="decision-due").values_list("to", flat=True)
    assert sorted(readers) == ["fay@demo.example", "max@demo.example"]


def test_a_reminder_is_for_who_owns_the_milestone_and_may_decide_when_it_is_sent(programme, lea, ola, fay, max_, today):
    for name in ("Sponsor named", "50% tagged"):
        row = named(programme, name)
        row.owner, row.due = lea, day(12)
        milestones.save_milestone(row)
    today(day(10))
    nightly.check_roadmap(day(10))
    row.owner = ola
    milestones.save_milestone(row)
    # Max decides nothing any more.
    max_.groups.clear()
    outbox.send_queued_emails(noon(day(10)) + timedelta(hours=1))
    rows = OutgoingEmail.objects.order_by("kind", "to", "pk")
    assert [(mail.kind, mail.to.partition("@")[0], mail.outcome, mail.server_reply) for mail in rows] == [
        ("decision-due", "fay", "sent", ""),
        ("decision-due", "max", "cancelled", f"{max_} has not the role any more that it was for"),
        ("milestone-due", "lea", "sent", ""),
        ("milestone-due", "lea", "cancelled", "the milestone was met, or is not hers any more"),
    ]


def test_the_night_without_a_programme_says_so(people):
    assert nightly.check_roadmap(START) == "no programme is running"


def test_maturity_says_unknown_where_the_books_do_not_say(people, figures):
    levels = {row.name: row.level for row in maturity(START, START)}
    assert levels["Forecasting"] == "unknown"
    assert set(levels.values()) <= {"unknown", "crawl", "walk", "run"}
