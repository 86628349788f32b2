"""KPIs: nights store them once, finance says what is aimed at, executives comment, leads see their own teams."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext

from finops_site.models import AuditEntry
from finops_site.ops.commands import BadInput
from finops_site.registry import Better, Kpi, Measure, MeasureInput, NightlyCheckFailed, Unit, registry
from finops_site.translation import text_lazy
from finops_site.ui.figures import limit_text
from programme.kpis import kpi_figures, nights, targets
from programme.models import DecisionPoint, KpiComment, KpiDay, KpiRecount, KpiTargetChange, Programme, Risk
from programme.models import Kpi as KpiSettings
from programme.roadmap.timeline import criterion_text
from tests.people import signed_in

pytestmark = pytest.mark.django_db
TODAY = date(2026, 4, 5)
NAME = "steady-share"


class Answer:
    """What the KPI of these tests says: a value for each person's scope, as of any day."""

    value: Decimal | None = Decimal(40)
    unit = Unit.PERCENT
    currency = ""
    reason = "of steady machines"

    def __call__(self, user, as_of):
        value = self.value if user.sees_whole_company else Decimal(7)
        inputs = (MeasureInput("Steady machines", Decimal(82), "/reservations/"),)
        return Measure(value, self.unit, Decimal(70), Better.HIGHER, self.reason, "/x/", self.currency, inputs)


@pytest.fixture
def answer(people, monkeypatch):
    """A KPI of our own, and no other; today is 5 April 2026."""
    answer = Answer()
    kpi = Kpi(NAME, "Steady share", answer, definition="How much is steady.", formula="a / b", target=Decimal(70))
    monkeypatch.setitem(registry.entries, Kpi, [kpi])
    noon = timezone.now().replace(year=2026, month=4, day=5, hour=12)
    monkeypatch.setattr(timezone, "now", lambda: noon)
    return answer


def page(person, path=f"/programme/kpis/{NAME}/", **query):
    response = signed_in(person).get(path, query)
    assert response.status_code == 200, path
    return response


def test_a_night_is_stored_once_and_never_rewritten(answer):
    assert nights.run_night(TODAY).startswith("1 values")
    answer.value = Decimal(50)
    assert nights.run_night(TODAY).startswith("0 values")
    row = KpiDay.objects.get()
    assert (row.value, row.target, row.day) == (40, 70, TODAY)
    row.value = Decimal(99)
    with pytest.raises(TypeError, match="not rewritten"):
        row.save()


def test_missed_nights_are_stored_later_and_say_so(answer, fay):
    nights.store_day(TODAY - timedelta(days=3), now=timezone.now() - timedelta(days=3))
    nights.run_night(TODAY)
    assert KpiDay.objects.count() == 4
    assert "Stored on 5 Apr 2026." in page(fay).content.decode()
    nights.run_night(TODAY + timedelta(days=200))
    # So long without nights stays a gap, which nothing fills with a guess.
    assert KpiDay.objects.filter(day__gt=TODAY, day__lt=TODAY + timedelta(days=168)).count() == 0


def test_a_night_that_is_made_up_for_has_the_target_of_its_day(answer, fay):
    kpi = registry.of(Kpi)[0]
    for target, days_ago in (("50", 30), ("60", 2)):
        targets.save_settings(kpi, {"target": Decimal(target)}, by=fay, now=timezone.now() - timedelta(days=days_ago))
    nights.store_day(TODAY - timedelta(days=40))
    for days_ago in (5, 2, 1, 0):
        nights.store_day(TODAY - timedelta(days=days_ago))
    # The night is before noon: what fay set at noon two days ago holds from the night after it.
    assert list(KpiDay.objects.order_by("day").values_list("target", flat=True)) == [70, 50, 50, 60, 60]
    assert KpiTargetChange.objects.count() == 2
    targets.save_settings(kpi, {"owner": fay}, by=fay, now=timezone.now())
    assert KpiTargetChange.objects.count() == 2


def test_each_reader_reads_in_her_language_why_a_night_knew_no_value(answer, fay):
    answer.value, answer.reason = None, text_lazy(lambda: gettext("No whole month proves a saving yet."))
    nights.run_night(TODAY)
    before = {"unit": "%", "better": "higher", "description": "Aus der Zeit davor."}
    KpiDay.objects.create(name=NAME, day=TODAY - timedelta(days=1), **before)
    german, english = (
        signed_in(fay).get(f"/programme/kpis/{NAME}/", headers={"accept-language": language}).content.decode()
        for language in ("de", "en")
    )
    assert "Noch kein voller Monat belegt eine Einsparung." in german
    # What an older night stored in one language stays.
    assert "Aus der Zeit davor." in german
    assert "No whole month proves a saving yet." in english
    assert "Aus der Zeit davor." in english


def test_a_restated_bill_changes_no_stored_month_and_the_page_says_what_it_would_be(answer, max_):
    march = date(2026, 3, 31)
    nights.store_day(march)
    answer.value = Decimal("41.5")
    assert "1 of past months would differ" in nights.run_night(TODAY)
    assert KpiDay.objects.get(day=march).value == 40
    assert KpiRecount.objects.get().value == Decimal("41.5")
    html = " ".join(page(max_, by="month").content.decode().split())
    assert "Mar 2026: 40% is stored, with today's bills it would be 41.5%." in html
    answer.value = Decimal(40)
    nights.count_again(TODAY)
    assert "Bills have changed since" not in page(max_).content.decode()


def test_what_is_not_known_is_stored_with_its_reason_and_is_never_zero(answer, fay):
    answer.value, answer.reason = None, "no bill of March is here"
    nights.run_night(TODAY)
    row = KpiDay.objects.get()
    assert (row.value, row.description) == (None, "no bill of March is here")
    html = page(fay).content.decode()
    assert "no bill of March is here" in html
    assert "0%" not in html.replace("70%", "")
    assert page(fay, "/programme/kpis/").context["counts"]["unknown"] >= 1


def test_a_kpi_that_breaks_stops_no_other_and_is_stored_an_hour_later(answer, monkeypatch):
    def broken(user, as_of):
        with connection.cursor() as cursor:
            cursor.execute("select 1/0")

    other = Kpi("broken", "Broken", broken)
    monkeypatch.setitem(registry.entries, Kpi, [other, *registry.entries[Kpi]])
    with pytest.raises(NightlyCheckFailed, match="1 values of KPIs stored; could not be measured: broken"):
        nights.run_night(TODAY)
    monkeypatch.setitem(registry.entries, Kpi, [Kpi("broken", "Broken", answer), *registry.entries[Kpi][1:]])
    nights.run_night(TODAY)
    assert set(KpiDay.objects.values_list("name", "day")) == {("broken", TODAY), (NAME, TODAY)}


def test_fay_sets_the_target_and_home_the_list_and_the_api_go_by_it(answer, fay, max_):
    form = {"target": "35", "target_day": "2026-06-30", "owner": fay.pk, "baseline": "10", "baseline_day": "2026-01-01"}
    assert signed_in(fay).post(f"/programme/kpis/{NAME}/edit/", form).status_code == 302
    (row,) = signed_in(max_).get("/api/v1/kpis/").json()
    assert (row["target"], row["met"]) == ("35", True)
    assert "Target at least 35%: met" in page(max_, "/programme/").content.decode()
    assert f'href="/programme/kpis/{NAME}/"' in page(max_, "/programme/").content.decode()
    assert "changed by Fay" in " ".join(page(max_).content.decode().split())
    entry = AuditEntry.objects.of(KpiSettings).latest("id")
    assert entry.actor == fay
    assert entry.changes["target"][1] == "35"
    edited = signed_in(fay).get(f"/programme/kpis/{NAME}/edit/").context["form"]
    assert [edited[field].value() for field in ("target", "baseline")] == ["35", "10"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"target": "101"}, "more than 100%"),
        ({"target": "-5"}, "less than 0 cannot be"),
        ({"target": "", "target_day": "2026-06-30"}, "A day without a target"),
        ({"target": "5", "baseline_day": "2026-06-30"}, "A day without a baseline"),
        (
            {"target": "5", "target_day": "2026-01-01", "baseline": "1", "baseline_day": "2026-06-30"},
            "due after the day on which the baseline was taken",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_page_and_api_alike(answer, fay, values, reason):
    response = signed_in(fay).post(f"/programme/kpis/{NAME}/edit/", values)
    assert response.status_code == 200
    assert reason in response.content.decode().replace("&#x27;", "'")
    sent = {name: value or None for name, value in values.items()}
    refused = signed_in(fay).patch(f"/api/v1/kpis/{NAME}/", sent, content_type="application/json")
    assert refused.status_code == 400
    assert reason in str(refused.json())
    assert not KpiSettings.objects.exists()


def test_max_comments_and_edits_nothing_and_ada_does_neither(answer, ada, max_, lea):
    assert signed_in(max_).post(f"/programme/kpis/{NAME}/", {"text": "Well done."}).status_code == 302
    assert "Well done." in page(max_).content.decode()
    for person in (ada, lea):
        assert signed_in(person).post(f"/programme/kpis/{NAME}/", {"text": "Me too."}).status_code == 403
        assert signed_in(person).patch(f"/api/v1/kpis/{NAME}/", {}).status_code == 403
        assert signed_in(person).post(f"/api/v1/kpis/{NAME}/comments/", {"text": "x"}).status_code == 403
    assert signed_in(max_).get(f"/programme/kpis/{NAME}/edit/").status_code == 403
    assert [comment.text for comment in KpiComment.objects.all()] == ["Well done."]


def test_lea_sees_the_value_of_her_teams_and_nothing_of_the_company(answer, lea, fay):
    nights.run_night(TODAY)
    targets.add_comment(registry.of(Kpi)[0], "Only for us.", by=fay, now=timezone.now())
    html = page(lea).content.decode()
    assert "7%" in html
    assert "40%" not in html
    assert "Only for us." not in html
    assert signed_in(lea).get(f"/api/v1/kpis/{NAME}/history/").json() == []
    assert signed_in(lea).get(f"/api/v1/kpis/{NAME}/comments/").json() == []
    assert "7%" in page(lea, "/programme/kpis/").content.decode()


def test_a_target_in_dollars_says_nothing_about_euros(answer, fay):
    answer.unit, answer.currency, answer.value = Unit.MONEY, "EUR", Decimal(100)
    KpiSettings.objects.create(name=NAME, target=Decimal(50), currency="USD", baseline=Decimal(1))
    figure = page(fay).context["figure"]
    assert (figure.measure.target, figure.baseline) == (None, None)
    # The past in another currency is listed and is no part of the line.
    nights.store_day(TODAY - timedelta(days=1))
    answer.currency = "USD"
    nights.store_day(TODAY)
    shown = page(fay)
    assert shown.context["chart"] is None
    assert [row["value"] for row in shown.context["past"]] == ["100.00 USD", "100.00 EUR"]


def test_home_reads_the_last_night_and_nobody_measures(answer, max_, monkeypatch):
    nights.run_night(TODAY)
    monkeypatch.setattr(Answer, "__call__", lambda *_: pytest.fail("home measures a KPI"))
    html = signed_in(max_).get("/programme/", headers={"HX-Request": "true"}).content.decode()
    assert "40%" in html
    assert "5 Apr 2026" in html


def test_the_history_as_csv_has_iso_days_and_every_digit(answer, fay):
    answer.value = Decimal("40.125")
    nights.run_night(TODAY)
    text = b"".join(page(fay, by="day", _export="csv").streaming_content).decode()
    assert "2026-04-05,2026-04-05,40.125,%,,70" in text
    assert signed_in(fay).get("/programme/kpis/none/").status_code == 404


def test_a_day_before_all_bills_is_not_stored(answer):
    with pytest.raises(BadInput, match="nobody knows its KPIs"):
        call_command("store_kpis", "--as-of", "0001-01-01")
    assert not KpiDay.objects.exists()


def test_the_day_of_a_decision_says_on_its_kpi_too_that_it_would_differ(answer, fay):
    day = date(2026, 3, 15)
    nights.store_day(day)
    nights.store_day(date(2026, 3, 31))
    programme = Programme.objects.create(name="Plan", start=date(2026, 3, 1))
    decided_at = datetime(2026, 3, 15, 12, tzinfo=UTC)
    DecisionPoint.objects.create(programme=programme, name="Day 15", due=day, verdict="go", decided_at=decided_at)
    answer.value = Decimal("41.5")
    nights.run_night(TODAY)
    assert KpiRecount.objects.get(kpi_day__day=day).value == Decimal("41.5")


def test_a_target_of_the_company_in_whole_things_judges_no_team(answer, fay, lea):
    answer.unit = Unit.COUNT
    decided = {"target": Decimal(50), "target_day": date(2026, 6, 30), "baseline": 3, "baseline_day": date(2026, 1, 31)}
    targets.save_settings(registry.of(Kpi)[0], decided, by=fay, now=timezone.now())
    of_lea, of_fay = (kpi_figures.find_figure(person, NAME, TODAY) for person in (lea, fay))
    assert (of_lea.measure.target, of_lea.baseline, of_lea.progress) == (None, None, "no target")
    assert (of_fay.measure.target, of_fay.baseline, of_fay.progress) == (50, 3, "on track")
    assert 'value="50"' in page(fay, f"/programme/kpis/{NAME}/edit/").content.decode()
    # What the page hides, files and programs hide: neither target nor baseline, nor the days of them.
    for person, days in ((lea, []), (fay, ["2026-06-30", "2026-01-31"])):
        answer_of_api = signed_in(person).get(f"/api/v1/kpis/{NAME}/").json()
        text = b"".join(page(person, "/programme/kpis/", _export="csv").streaming_content).decode()
        assert [day for day in (answer_of_api["target_day"], answer_of_api["baseline_day"]) if day] == days
        assert [day for day in ("2026-06-30", "2026-01-31") if day in text] == days
        assert ("30 Jun 2026" in page(person).content.decode()) is bool(days)


def test_a_target_below_a_cent_keeps_its_digits_where_somebody_set_it(answer, fay):
    answer.unit, answer.currency, answer.value = Unit.MONEY, "USD", Decimal("0.00004")
    targets.save_settings(
        registry.of(Kpi)[0], {"target": Decimal("0.0001"), "baseline": Decimal("0.002")}, by=fay, now=timezone.now()
    )
    html = page(fay).content.decode()
    assert "at least 0.0001 USD" in html
    assert "0.002 USD" in html
    assert [limit_text(Decimal(text), Unit.MONEY, "USD") for text in ("0", "12.5", "0.01")] == [
        *("0.00 USD", "12.50 USD", "0.01 USD"),
    ]
    assert limit_text(Decimal("0.04"), Unit.PERCENT) == "0.04%"
    risk = Risk(name="Dear", figure=f"kpi:{NAME}", limit=Decimal("0.0001"), last_unit="money", last_currency="USD")
    assert criterion_text(risk, fay) == "Steady share at least 0.0001 USD"


def test_the_api_has_the_past_by_day_and_by_month_alone(max_):
    answers = [signed_in(max_).get(f"/api/v1/kpis/tag-compliance/history/?by={by}") for by in ("day", "month", "hour")]
    assert [answer.status_code for answer in answers] == [200, 200, 400]
