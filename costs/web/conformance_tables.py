"""How well a delivery keeps the rules of FOCUS, as tables: the rules, and rows that break one."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.charges.conformance import FAMILIES
from costs.models import ConformanceResult, Delivery
from costs.web.tables import WHOLE_WORDS
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import money_html, percent_text
from finops_site.ui.tables import BaseTable, NumberColumn, status_html

VERDICTS = {
    ConformanceResult.Verdict.KEPT: (_lazy("Kept"), "good", "circle-check"),
    ConformanceResult.Verdict.BROKEN: (_lazy("Broken"), "bad", "alert-circle"),
    ConformanceResult.Verdict.NOT_STATED: (_lazy("Not stated"), "calm", "minus"),
}
WORTH_A_LOOK = (_lazy("Worth a look"), "warn", "eye")


def score_text(conforming: object, total: object) -> str:
    """``99.9%``, cut and not rounded: 100% is said of nothing less. A dash where there is nothing to judge."""
    rows = Decimal(str(total or 0))
    if not rows:
        return "—"
    return str(percent_text((Decimal(str(conforming)) / rows).quantize(Decimal("0.001"), ROUND_DOWN)))


def delivery_score(delivery: Delivery) -> str:
    """The share of its rows that keep every rule that counts; a dash for bills from before there was a score."""
    return score_text(delivery.conformance.get("conforming", 0), delivery.conformance.get("rows"))


def score_figures(delivery: Delivery) -> dict[str, Any] | None:
    """What the page of a delivery says of its score; None where it was not judged."""
    score = delivery.conformance
    if not score:
        return None
    conforming_cost = score["conforming_cost"]
    return {
        "score": delivery_score(delivery),
        "broken_rows": score["rows"] - score["conforming"],
        "rows": score["rows"],
        "cost": [
            {"currency": code, "share": score_text(conforming_cost.get(code) or 0, amount)}
            for code, amount in sorted(score["cost"].items())
        ],
        "families": [
            {"name": _(name), "score": score_text(score["families"].get(name, 0), score["rows"])}
            if name in score["families"]
            else {"name": _(name), "score": _("not stated")}
            for name in FAMILIES
            if name != "Rows"
        ],
    }


class ConformanceTable(BaseTable):
    """The rules a delivery was judged by; the CSV has the id of each rule and every digit of the cost."""

    sentence = django_tables2.Column(_lazy("Rule"), orderable=False)
    rule = django_tables2.Column("Id", visible=False)
    family = django_tables2.Column(_lazy("About"), orderable=False, attrs=WHOLE_WORDS)
    severity = django_tables2.Column(_lazy("In the score"), orderable=False, attrs=WHOLE_WORDS)
    verdict = django_tables2.Column(_lazy("Verdict"), orderable=False)
    rows_broken = NumberColumn(_lazy("Rows"), accessor="rows", orderable=False)
    judged = NumberColumn(_lazy("Rows judged"), visible=False)
    cost = NumberColumn(_lazy("Their cost"), orderable=False)

    caption = _lazy("Rules of FOCUS")

    class Meta(BaseTable.Meta):
        pass

    def render_sentence(self, value: str, record: ConformanceResult) -> SafeString | str:
        if record.verdict != ConformanceResult.Verdict.BROKEN:
            return _(value)
        return format_html('<a href="{}">{}</a>', examples_url(record), _(value))

    def value_sentence(self, value: str) -> str:
        return value

    def render_family(self, value: str) -> str:
        return _(value)

    def value_family(self, value: str) -> str:
        return value

    def render_severity(self, record: ConformanceResult) -> str:
        return _("counts") if record.severity == ConformanceResult.Severity.MUST else _("does not count")

    def value_severity(self, record: ConformanceResult) -> str:
        return "counts" if record.severity == ConformanceResult.Severity.MUST else "does not count"

    def render_verdict(self, record: ConformanceResult) -> SafeString:
        is_broken = record.verdict == ConformanceResult.Verdict.BROKEN
        worth_a_look = is_broken and record.severity == ConformanceResult.Severity.SHOULD
        return status_html(*(WORTH_A_LOOK if worth_a_look else VERDICTS[ConformanceResult.Verdict(record.verdict)]))

    def value_verdict(self, record: ConformanceResult) -> str:
        return str(record.verdict)

    def render_rows_broken(self, value: int, record: ConformanceResult) -> SafeString | str:
        if record.verdict == ConformanceResult.Verdict.NOT_STATED:
            return "—"
        return format_html(
            '{}<div class="small text-secondary">{}</div>',
            number_text(value),
            _("of {rows}").format(rows=number_text(record.judged)),
        )

    def value_rows_broken(self, value: int) -> int:
        return value

    def render_cost(self, value: Mapping[str, str]) -> SafeString | str:
        sums = [(money_html(Decimal(amount), code),) for code, amount in sorted(value.items())]
        return format_html_join("", "<div>{}</div>", sums) if sums else "—"

    def value_cost(self, value: Mapping[str, str]) -> str:
        return "; ".join(f"{amount} {code}" for code, amount in sorted(value.items()))


def examples_url(result: ConformanceResult) -> str:
    return reverse("costs:delivery_conformance_rule", args=[result.delivery_id, result.rule])


def example_table(result: ConformanceResult, **options: Any) -> BaseTable:
    """The largest rows that break a rule, with what tells a person which they are."""
    names = result.examples.get("columns", [])
    rows = [dict(zip(names, texts, strict=True)) for texts in result.examples.get("rows", [])]
    columns = [(name, django_tables2.Column(name, orderable=False)) for name in names]
    return BaseTable(rows, extra_columns=columns, **options)
