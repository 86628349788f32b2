"""Pages of ownership: the rules in their order, one rule with what it would move, pools, and what nobody owns."""

from functools import cached_property
from typing import Any

import django_tables2
from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.generic import TemplateView, View
from django_htmx.http import HttpResponseClientRefresh

from costs.models import Dimension, Pool
from costs.query import filter_choices, latest_month, spend
from finops_site.lib.periods import Month
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page
from finops_site.ui.tables import BaseTable
from tagging import queues
from tagging.models import BILLED_CONDITIONS, Application, Fixer, OwnershipRule, StaleVersion
from tagging.ownership import ownership_figures, rule_application, rule_csv
from tagging.ownership.forms import FixerForm, PoolForm, RuleForm, RulesFileForm

EDIT = "tagging.change_ownershiprule"
ADD = Action("Add a rule", "tagging:ownership_add", "plus", "tagging.add_ownershiprule", primary=True)
CRUMB = (("Ownership", "tagging:ownership"),)
MOST_BYTES = 5 << 20


class _OfMonth(Page):
    """A page about one month of use, the latest that has cost unless another is asked for."""

    @cached_property
    def month(self) -> Month:
        try:
            return Month.parse(self.request.GET.get("month", ""))
        except ValueError:
            return latest_month.month(self.request.user, timezone.now().date())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = latest_month.month(self.request.user, timezone.now().date())
        months = [now.plus(-back) for back in range(13)]
        return super().get_context_data(month=self.month, months=months, **kwargs)


class OwnershipPage(_OfMonth, TemplateView):
    """The rules in the order they are asked, with what each owns."""

    permission_required = "tagging.view_ownershiprule"
    title = "Ownership"
    template_name = "tagging/ownership.html"
    actions = (
        Action("What nobody owns", "tagging:unowned", "help", "costs.view_company"),
        Action("Pools", "tagging:pools", "stack-2", "costs.view_pool"),
        ADD,
    )
    empty = Empty(
        "No rule yet",
        "A rule names the team, or the pool, that cost belongs to: by account, tag, service, region or name.",
        "users-group",
        ADD,
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            rules = OwnershipRule.objects.visible_to(request.user).listed()
            return csv_download(rule_csv.csv_rows(rules), "ownership-rules")
        return super().get(request, *args, **kwargs)

    def get_subtitle(self) -> str:
        return (
            f"Asked in this order; the first that matches wins. Amounts: {month_text(self.month, 'long')}, charge days."
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = ownership_figures.rule_rows(self.request.user, self.month)
        context = {
            "rows": rows,
            "stats": ownership_figures.allocation_stats(self.request.user, self.month),
            "dead": sum(row.is_dead for row in rows),
            "shadowed": sum(row.shadow is not None for row in rows),
            "application": progress(Application.objects.first()),
            "may_edit": self.request.user.has_perm(EDIT),
            "empty": self.empty.for_user(self.request.user),
        }
        return super().get_context_data(**{**context, **kwargs})


def progress(application: Application | None) -> dict[str, Any] | None:
    """How far the rules are applied, while they are and when it failed."""
    if application is None or application.state == Application.State.DONE:
        return None
    failed = application.state == Application.State.FAILED
    waits = application.state == Application.State.QUEUED
    label = "Rules were not applied" if failed else "Rules wait to be applied" if waits else "Applying the rules"
    return {
        "url": reverse("tagging:ownership_progress"),
        "percent": None if waits else round(application.progress * 100),
        "label": label,
        "detail": f"{application.stage}: {application.lines:,} lines changed so far" if application.stage else "",
        "failed": failed,
        "done": False,
        "message": f"{application.message} The months that were done are whole; apply again to do the rest."
        if failed
        else "",
    }


class ApplyProgress(Page, View):
    permission_required = "tagging.view_ownershiprule"

    def get(self, request: HttpRequest) -> HttpResponse:
        application = Application.objects.first()
        if application is None or not application.is_open:
            return HttpResponseClientRefresh()
        return render(request, "includes/progress.html", {"progress": progress(application)})


class ApplyNow(Page, View):
    """Asks today's rules of the open months again."""

    permission_required = EDIT
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        queues.apply(request.user, "Applied by hand")
        messages.success(request, "Today's rules are being applied to the open months.")
        return redirect("tagging:ownership")


class MoveRule(Page, View):
    """Puts a rule one place up or down, or in front of another."""

    permission_required = EDIT
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = get_object_or_404(OwnershipRule.objects.visible_to(request.user), pk=pk)
        before = self._before(rule, request.POST)
        rule_application.move_rule(rule, before)
        queues.apply(request.user, f"{rule.name} was moved")
        where = f"in front of {before.name}" if before else "behind all others"
        messages.success(request, f"{rule.name} is asked {where}. The open months are being owned anew.")
        return redirect(f"{reverse('tagging:ownership')}#rule-{rule.pk}")

    def _before(self, rule: OwnershipRule, said: Any) -> OwnershipRule | None:
        listed = list(OwnershipRule.objects.listed())
        at = listed.index(rule)
        if said.get("to") == "up":
            return listed[max(at - 1, 0)] if at else (listed[1] if len(listed) > 1 else None)
        if said.get("to") == "down":
            return listed[at + 2] if at + 2 < len(listed) else None
        wanted = said.get("before", "")
        return next((each for each in listed if wanted == str(each.pk) and each != rule), None)


class _Previewed(FormPage):
    """A form that first says what it would move, and saves when it is sent again with `save`."""

    moved: dict[str, Any] | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "save" in request.POST:
            return super().post(request, *args, **kwargs)
        form = self.get_form()
        if form.is_valid():
            self.moved = ownership_figures.summarise_moves(self.what_moves(form))
        return self.render_to_response(self.get_context_data(form=form))

    def what_moves(self, form: Any) -> Any:
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(moved=self.moved, **kwargs)


class RulePage(_Previewed):
    """A new rule, or one that stands: what it would move is shown before it is saved."""

    permission_required = ("tagging.add_ownershiprule", EDIT)
    model = OwnershipRule
    form_class = RuleForm
    template_name = "tagging/rule.html"
    breadcrumbs = CRUMB
    cancel_url_name = "tagging:ownership"
    success_url = reverse_lazy("tagging:ownership")

    def get_title(self) -> str:
        # The form has put its words into the object; the title is what it is called in the books.
        return str(self.object_name) if self.object else "Add an ownership rule"

    @cached_property
    def object_name(self) -> str:
        return str(OwnershipRule.objects.values_list("name", flat=True).get(pk=self.kwargs["pk"]))

    def get_initial(self) -> dict[str, Any]:
        """A new rule may come with conditions in its address: from the page of what nobody owns."""
        known = {*RuleForm.Meta.fields} - {"is_active"}
        return {} if self.object else {name: value for name, value in self.request.GET.items() if name in known}

    def what_moves(self, form: RuleForm) -> Any:
        return rule_application.preview_rule_change(form.instance)

    def form_valid(self, form: RuleForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except StaleVersion:
            form.add_error(None, "Somebody else saved this rule after you opened it. Open it again to see it.")
            return self.form_invalid(form)

    def save(self, form: RuleForm) -> OwnershipRule:
        rule = form.instance
        if rule.pk:
            rule.save_version(form.read_version)
        else:
            rule.save()
        queues.apply(self.request.user, f"{rule.name} was saved")
        messages.success(self.request, f"{rule.name} is saved. The open months are being owned anew.")
        for warning in rule.warnings():
            messages.warning(self.request, warning)
        return rule

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.get("form")
        warned = form.instance.warnings() if self.moved is not None and form is not None else []
        lists = {name: _known(name) for name in BILLED_CONDITIONS}
        return super().get_context_data(warnings=warned, lists=lists, tag_keys=_known("tag"), **kwargs)


def _known(name: str) -> list[str]:
    return list(Dimension.objects.filter(name=name).values_list("value", flat=True)[: filter_choices.MOST])


class RemoveRule(_Previewed):
    """Takes a rule away, after saying what that moves."""

    permission_required = "tagging.delete_ownershiprule"
    model = OwnershipRule
    form_class = forms.Form
    template_name = "tagging/rule_remove.html"
    breadcrumbs = CRUMB
    cancel_url_name = "tagging:ownership"
    success_url = reverse_lazy("tagging:ownership")

    def get_title(self) -> str:
        return f"Remove {self.object}"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_form_kwargs().items() if name != "instance"}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.moved = ownership_figures.summarise_moves(self.what_moves(None))
        return super().get(request, *args, **kwargs)

    def what_moves(self, form: Any) -> Any:
        return rule_application.preview_rule_change(None, self.object.pk)

    def save(self, form: Any) -> OwnershipRule:
        rule = self.object
        rule.delete()
        queues.apply(self.request.user, f"{rule.name} was removed")
        messages.success(self.request, f"{rule.name} is removed. The open months are being owned anew.")
        return rule


class ImportRules(FormPage):
    permission_required = ("tagging.add_ownershiprule", EDIT)
    form_class = RulesFileForm
    title = "Load rules"
    breadcrumbs = CRUMB
    submit_label = "Load"
    cancel_url_name = "tagging:ownership"
    success_url = reverse_lazy("tagging:ownership")

    def form_valid(self, form: RulesFileForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except rule_csv.InvalidRulesFile as error:
            for problem in error.problems:
                form.add_error("file", problem)
            return self.form_invalid(form)

    def save(self, form: RulesFileForm) -> None:
        added, changed = rule_csv.import_rules(_text(form.cleaned_data["file"]))
        queues.apply(self.request.user, "Rules were loaded from a file")
        messages.success(self.request, f"{added:,} rules added, {changed:,} changed. The open months are owned anew.")


def _text(uploaded: Any) -> str:
    if uploaded.size > MOST_BYTES:
        raise rule_csv.InvalidRulesFile(["That is too big for a file of rules."])
    try:
        return str(uploaded.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise rule_csv.InvalidRulesFile(["The file is not UTF-8 text."]) from None


class UnownedPage(_OfMonth, TemplateView):
    """What no rule matched, and who will find it an owner."""

    permission_required = "costs.view_company"
    title = "What nobody owns"
    template_name = "tagging/unowned.html"
    breadcrumbs = CRUMB
    empty = Empty("Everything has an owner", "Every cost of the month is a team's or in a pool.", "circle-check")
    BY = {"account": "By account", "service": "By service", "region": "By region", "charge_category": "By category"}

    @cached_property
    def by(self) -> str:
        asked = self.request.GET.get("by", "account")
        tag = asked.startswith(spend.TAG) and asked[len(spend.TAG) :] in filter_choices.tag_keys(self.request.user)
        return asked if asked in self.BY or tag else "account"

    def get_breadcrumbs(self) -> Any:
        return CRUMB if self.request.user.has_perm("tagging.view_ownershiprule") else ()

    def get_subtitle(self) -> str:
        return f"Cost of {month_text(self.month, 'long')} that no ownership rule matched, by charge day."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        tags = [(f"{spend.TAG}{key}", f"By tag {key}") for key in filter_choices.tag_keys(user)[:40]]
        context = {
            "stats": ownership_figures.allocation_stats(user, self.month),
            "rows": ownership_figures.unowned_rows(user, self.month, self.by),
            "by": self.by,
            "head": spend.LABELS.get(self.by, self.by.removeprefix(spend.TAG)),
            "ways": [*self.BY.items(), *tags],
            "may_name": user.has_perm("tagging.change_fixer"),
            "may_rule": user.has_perm("tagging.add_ownershiprule"),
            "condition": {"account": "sub_account"}.get(self.by, self.by),
            "empty": self.empty.for_user(user),
        }
        return super().get_context_data(**{**context, **kwargs})


class FixerPage(FormPage):
    """Names who sees to what nobody owns in an account."""

    permission_required = "tagging.change_fixer"
    form_class = FixerForm
    breadcrumbs = (*CRUMB, ("What nobody owns", "tagging:unowned"))
    cancel_url_name = "tagging:unowned"
    success_url = reverse_lazy("tagging:unowned")

    @property
    def account(self) -> str:
        account = self.request.GET.get("account", "")
        if not Dimension.objects.filter(name="sub_account", value=account).exists():
            raise Http404
        return account

    def get_title(self) -> str:
        return f"Who fixes account {ownership_figures.account_names().get(self.account, self.account)}"

    def get_initial(self) -> dict[str, Any]:
        return {"user": Fixer.objects.filter(sub_account=self.account).values_list("user", flat=True).first()}

    def save(self, form: FixerForm) -> None:
        user = form.cleaned_data["user"]
        if user is None:
            for fixer in Fixer.objects.filter(sub_account=self.account):
                fixer.delete()
        else:
            Fixer.objects.update_or_create(sub_account=self.account, defaults={"user": user})
        messages.success(self.request, f"{ownership_figures.fixers_of([self.account])[self.account].name} will fix it.")


class PoolTable(BaseTable):
    name = django_tables2.Column("Pool")
    description = django_tables2.Column("What is in it")
    rules = django_tables2.Column("Rules", empty_values=(), orderable=False)

    caption = "Pools"

    class Meta(BaseTable.Meta):
        model = Pool
        fields = ["name", "description", "rules"]

    def render_name(self, value: str, record: Pool) -> SafeString | str:
        if not self.request.user.has_perm("costs.change_pool"):
            return value
        return format_html('<a href="{}">{}</a>', reverse("tagging:pool", args=[record.pk]), value)

    def render_rules(self, record: Pool) -> str:
        return ", ".join(rule.name for rule in record.ownership_rules.all()) or "no rule fills it"

    def value_rules(self, record: Pool) -> str:
        return self.render_rules(record)


ADD_POOL = Action("Add a pool", "tagging:pool_add", "plus", "costs.add_pool", primary=True)


class PoolsPage(ListPage):
    permission_required = "costs.view_pool"
    model = Pool
    title = "Pools"
    subtitle = "Cost that several teams share. Ownership rules fill pools; chargeback splits them."
    breadcrumbs = CRUMB
    actions = (ADD_POOL,)
    table_class = PoolTable
    empty = Empty("No pool yet", "Make one for support or tax, and a rule that fills it.", "stack-2", ADD_POOL)

    def get_breadcrumbs(self) -> Any:
        return CRUMB if self.request.user.has_perm("tagging.view_ownershiprule") else ()

    def get_queryset(self) -> Any:
        return super().get_queryset().prefetch_related("ownership_rules")


class PoolPage(FormPage):
    permission_required = ("costs.add_pool", "costs.change_pool")
    model = Pool
    form_class = PoolForm
    breadcrumbs = (*CRUMB, ("Pools", "tagging:pools"))
    cancel_url_name = "tagging:pools"
    success_url = reverse_lazy("tagging:pools")

    def get_title(self) -> str:
        return Pool.objects.get(pk=self.object.pk).name if self.object else "Add a pool"

    def save(self, form: PoolForm) -> Pool:
        pool = form.save()
        messages.success(self.request, f"{pool} is saved.")
        return pool
