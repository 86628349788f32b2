"""The worklist: the list of findings with what is done to many of them, and the page of one."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _

from costs.web.links import group_filters, lines_url
from finops_site.lib.periods import Period
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.bulk_results import BulkRefused, BulkResult, check_count
from finops_site.ui.list_actions import ActionListPage
from finops_site.ui.pages import Action, DetailPage, Empty
from usage.calc.fix_actions import action_for
from usage.models import Finding, Tracker
from usage.models.findings import FindingQuerySet
from usage.worklist import answers, finding_texts, tickets, worklist_figures
from usage.worklist.answer_forms import read_answer, read_quiet
from usage.worklist.answers import ANSWER, Verb
from usage.worklist.filters import FindingFilter
from usage.worklist.quiet_rules import TEACH, scope_text, silenced_text
from usage.worklist.rule_names import is_gone, rule_of, title_of
from usage.worklist.tables import FindingTable

TICKET = "ticket"
COUNT = "count"
# How the history names what happened; who did it stands beside it.
EVENTS = {
    "found": (_lazy("seen first"), "bell"),
    "accept": (_lazy("accepted"), "user"),
    "snooze": (_lazy("snoozed"), "clock"),
    "dismiss": (_lazy("dismissed"), "x"),
    "mended": (_lazy("mended"), "check"),
    "reopen": (_lazy("reopened"), "arrow-back-up"),
    "ticket": (_lazy("ticket made"), "external-link"),
    "reopened": (_lazy("its day has come"), "bell"),
    "back": (_lazy("seen again after it was mended"), "refresh"),
    "again": (_lazy("seen again"), "bell"),
    "unseen": (_lazy("not seen any more after it was mended"), "check"),
    "quiet": (_lazy("a quiet rule keeps quiet about it"), "filter-off"),
    "loud": (_lazy("no quiet rule is about it any more"), "bell"),
    "gone": (_lazy("not seen any more"), "archive"),
    "proved": (_lazy("proved by the bill"), "circle-check"),
    "unproved": (_lazy("the bill that proved it counts no more"), "hourglass"),
    "unshown": (_lazy("the bill that showed it still there counts no more"), "hourglass"),
}


class FindingsPage(ActionListPage):
    permission_required = "usage.view_finding"
    model = Finding
    title = _lazy("Findings")
    table_class = FindingTable
    filterset_class = FindingFilter
    template_name = "usage/findings.html"
    fragment_template_name = "usage/findings_list.html"
    outcome_name = "usage-outcome"
    export_name = "findings"
    empty = Empty(
        _lazy("Nothing to do"),
        _lazy("Every night the bills, metrics and inventories are searched for what runs for nothing."),
        "circle-check",
        Action(_lazy("Overview"), "usage:overview", "bulb"),
    )

    def get_queryset(self) -> FindingQuerySet:
        return Finding.objects.visible_to(self.person).select_related("owner", "assignee").by_saving()

    def get_subtitle(self) -> str:
        return _("What saves most first. A saving is for an average month, and no money counts twice.")

    @property
    def sums(self) -> dict[str, worklist_figures.Sums]:
        return worklist_figures.sums_by_currency(self.rows)

    def get_table(self) -> Any:
        table = super().get_table()
        table.may_pick = self.person.has_perm(ANSWER)
        if not table.may_pick:
            table.columns.hide("pick")
        return table

    def act(self, request: HttpRequest) -> None:
        self.require(ANSWER)
        pks = self._picked()
        if request.POST.get("verb") == TICKET:
            result = tickets.request_tickets(pks, request.POST.get("tracker", ""), user=self.person, now=timezone.now())
        else:
            result = answers.answer_findings(pks, read_answer(request.POST), user=self.person, now=timezone.now())
        if result.count:
            messages.success(request, outcome_text(request.POST.get("verb", ""), result))
        else:
            messages.warning(request, _("None of these was possible."))
        self.keep_outcome(None, result.left_out)

    def _picked(self) -> list[int]:
        """The rows that are ticked, or all that the filters leave."""
        if not self.request.POST.get("all"):
            return self.picked_ids()
        rows = self.rows.order_by()
        check_count(rows.count(), "finding")
        return list(rows.values_list("pk", flat=True))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        sums = self.sums
        may_act = self.person.has_perm(ANSWER)
        owners = self.rows.order_by().values_list("owner", flat=True).distinct() if may_act else ()
        context = {
            "sums": sums,
            "count": sum(one.count for one in sums.values()),
            "unknown": sum(one.unknown for one in sums.values()),
            "may_act": may_act,
            "people": answers.people_for(owners, self.person) if may_act else (),
            "trackers": Tracker.objects.visible_to(self.person).filter(is_active=True) if may_act else (),
            "verbs": [Verb.MENDED, Verb.REOPEN],
        }
        return super().get_context_data(**{**context, **kwargs})


def outcome_text(verb: str, result: BulkResult) -> str:
    """What an answer did, in a sentence."""
    texts = {
        Verb.ACCEPT: _("{count} accepted."),
        Verb.SNOOZE: _("{count} snoozed. They are back on that day."),
        Verb.DISMISS: _("{count} dismissed."),
        Verb.MENDED: _("{count} mended. The bills of the next months prove it."),
        Verb.REOPEN: _("{count} reopened."),
        TICKET: _("{count} asked for. The address stands on its page in a moment."),
    }
    what = _("1 ticket") if verb == TICKET else _("1 finding")
    many = _("{n} tickets") if verb == TICKET else _("{n} findings")
    return texts[verb].format(count=what if result.count == 1 else many.format(n=result.count))


class FindingPage(DetailPage):
    permission_required = "usage.view_finding"
    model = Finding
    object: Finding
    template_name = "usage/finding.html"
    breadcrumbs = ((_lazy("Findings"), "usage:findings"),)

    def get_queryset(self) -> FindingQuerySet:
        rows = Finding.objects.visible_to(self.person)
        return rows.select_related("owner", "assignee", "counted_after", "ticket", "ticket__tracker")

    def get_title(self) -> str:
        return finding_texts.headline(self.object)

    def get_subtitle(self) -> str:
        row = self.object
        place = [row.service, row.account, row.region, row.environment]
        return ", ".join(filter(None, place))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = self.get_object()
        verb = request.POST.get("verb", "")
        if verb == COUNT:
            return HttpResponse(escape(self._silenced()))
        try:
            if verb == TICKET:
                tracker = request.POST.get("tracker", "")
                result = tickets.request_tickets([self.object.pk], tracker, user=self.person, now=timezone.now())
            else:
                if not self.person.has_perm(ANSWER):
                    raise PermissionDenied
                answer = read_answer(request.POST)
                result = answers.answer_findings([self.object.pk], answer, user=self.person, now=timezone.now())
        except BulkRefused as problem:
            messages.error(request, str(problem))
        else:
            if result.count:
                messages.success(request, outcome_text(verb, result))
            for row in result.left_out:
                messages.warning(request, _("This was not possible: {reason}.").format(reason=row.reason))
        return redirect(self.object)

    def _silenced(self) -> str:
        """About how many findings a dismissal that is being written would keep quiet; else why it would be refused."""
        if not self.request.POST.get("learn"):
            return ""
        try:
            scope = read_quiet(self.request.POST)
            return silenced_text(self.object, scope, user=self.person, today=timezone.now().date())
        except BulkRefused as problem:
            return str(problem)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = self.object
        rule = rule_of(row.rule)
        may_answer = self.person.has_perm(ANSWER)
        context = {
            "rule": rule,
            "is_gone_rule": is_gone(row.rule),
            "state": finding_texts.STATES[row.state],
            "confidence": finding_texts.CONFIDENCES.get(row.confidence, (row.confidence, "calm", "point")),
            "effort": finding_texts.LEVELS.get(row.effort, row.effort),
            "risk": finding_texts.RISKS.get(row.risk, (row.risk, "calm", "point")),
            "explanation": finding_texts.explanation(row),
            "makes_certain": finding_texts.makes_certain(row),
            "counting": finding_texts.counting(row),
            "sources": finding_texts.source_texts(row),
            "facts": finding_texts.facts_of(row.evidence),
            "target": finding_texts.facts_of(row.target),
            "fixes": finding_texts.fixes(row),
            "by_role": self._by_role(),
            "others": self._others(),
            "lines_url": self._lines_url(),
            "events": [
                (event, *EVENTS.get(event.verb, (event.verb, "point")), finding_texts.gap_text(event.note))
                for event in row.events.select_related("person")
            ],
            "saving_months": [(month, finding_texts.gap_text(month.gap)) for month in row.saving_months.all()],
            "verbs": answers.possible_verbs(row) if may_answer else (),
            "people": answers.people_for([row.owner_id], self.person) if may_answer else (),
            "may_teach": self.person.has_perm(TEACH),
            "quiet_rules": [(one, scope_text(one)) for one in answers.quiet_rules_like(row)],
            "trackers": self._trackers(),
        }
        return super().get_context_data(**{**context, **kwargs})

    def _by_role(self) -> str:
        """What a role may do about it, once somebody else approved; empty where none may, or she may not ask for it."""
        row = self.object
        if not self.person.has_perm("usage.add_fixset") or row.state not in Finding.OPEN:
            return ""
        action = action_for({**finding_texts.as_mapping(row), "rule": row.rule})
        return _(action.title) if action else ""

    def _others(self) -> list[tuple[Finding, str]]:
        """What else was seen on the same resource, in the order in which their savings count."""
        rows = Finding.objects.visible_to(self.person).filter(resource_key=self.object.resource_key)
        rows = (
            rows.exclude(pk=self.object.pk)
            .exclude(state__in=(Finding.State.GONE, Finding.State.QUIET))
            .order_by("lever", "pk")
        )
        return [(row, title_of(row.rule)) for row in rows]

    def _trackers(self) -> list[Tracker]:
        row = self.object
        has_one = hasattr(row, "ticket") and row.ticket.state != row.ticket.State.FAILED
        if has_one or not self.person.has_perm(tickets.TICKET) or row.state not in Finding.OPEN:
            return []
        return list(tickets.trackers_for(row.owner_id))

    def _lines_url(self) -> str:
        """The cost lines of the resource in the days that were looked at."""
        period: Period = worklist_figures.window(self.object.last_seen)
        return lines_url(period, group_filters(("resource",), [self.object.resource]))
