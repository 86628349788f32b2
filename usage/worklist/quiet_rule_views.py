"""The page of what dismissals taught, with the way to take one back."""

from typing import Any

import django_tables2
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.list_actions import ActionListPage, row_id
from finops_site.ui.pages import Action, Empty
from finops_site.ui.tables import BaseTable, DayColumn
from usage.models import QuietRule
from usage.worklist.quiet_rules import TEACH, remove_quiet_rule, scope_text
from usage.worklist.rule_names import title_of


class QuietRuleTable(BaseTable):
    rule = django_tables2.Column(_lazy("What"))
    scope = django_tables2.Column(_lazy("Quiet about"), accessor="pk", orderable=False)
    team = django_tables2.Column(_lazy("Team"), accessor="team__name", default=_lazy("every team"))
    reason = django_tables2.Column(_lazy("Reason"), orderable=False)
    until = DayColumn(_lazy("Until"), default=_lazy("for good"))
    made_by = django_tables2.Column(_lazy("Made by"), accessor="made_by")
    made_at = DayColumn(_lazy("Made"))
    answer = django_tables2.Column("", accessor="pk", orderable=False, exclude_from_export=True)

    class Meta(BaseTable.Meta):
        model = QuietRule
        fields = ()
        caption = _lazy("Quiet rules")
        phone_amount = "until"

    def render_rule(self, value: str) -> SafeString:
        url = f"{reverse('usage:findings')}?rule={value}&state=dismissed"
        return format_html('<a href="{}">{}</a>', url, title_of(value))

    def value_rule(self, value: str) -> str:
        return value

    def render_scope(self, record: QuietRule) -> str:
        return scope_text(record)

    def value_scope(self, record: QuietRule) -> str:
        return scope_text(record)

    def render_answer(self, record: QuietRule) -> SafeString | str:
        user = self.request.user
        if not user.has_perm(TEACH) or (record.team_id is None and not user.sees_whole_company):
            return ""
        button = '<button class="btn btn-sm btn-outline" name="remove" value="{}">{}</button>'
        return format_html('<span class="row-actions">{}</span>', format_html(button, str(record.pk), _("Take back")))


class QuietRulesPage(ActionListPage):
    permission_required = "usage.view_quietrule"
    model = QuietRule
    title = _lazy("Quiet rules")
    subtitle = _lazy(
        "What dismissals taught: for these nothing is listed. What is taken back is looked for again at night."
    )
    table_class = QuietRuleTable
    template_name = "list.html"
    fragment_template_name = "usage/quiet_rules_list.html"
    breadcrumbs = ((_lazy("Findings"), "usage:findings"),)
    can_be_saved = False
    empty = Empty(
        _lazy("Nothing was learnt yet"),
        _lazy("Who dismisses a finding can have it learnt for its like: an account, names, or a tag."),
        "bulb",
        Action(_lazy("Findings"), "usage:findings", "list-details"),
    )

    def get_queryset(self) -> QuerySet[QuietRule]:
        return QuietRule.objects.visible_to(self.person).select_related("team", "made_by")

    def act(self, request: HttpRequest) -> None:
        self.require(TEACH)
        rule = self.get_queryset().filter(pk=row_id(request.POST.get("remove", ""))).first()
        if rule is None:
            raise Http404
        remove_quiet_rule(rule, user=self.person)
        messages.success(request, _("Taken back. Its like is looked for again at night."))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"may_act": self.person.has_perm(TEACH), **kwargs})
