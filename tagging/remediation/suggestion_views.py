"""The page of suggestions: accepted and refused one by one, ticked, or all above a confidence."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import month_text
from finops_site.lib.words import counted
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty
from tagging.models import Suggestion
from tagging.models.remediation import SuggestionQuerySet
from tagging.remediation import suggestions
from tagging.remediation.batch_application import closed_months_touched
from tagging.remediation.filters import CONFIDENCES, SuggestionFilter
from tagging.remediation.list_actions import ActionListPage, row_id
from tagging.remediation.suggestion_answers import accept_suggestions, refuse_suggestions
from tagging.remediation.tables import SuggestedResourceTable, SuggestionTable
from tagging.remediation.virtual_tags import RemediationError

DECIDE = "tagging.decide_suggestion"


class SuggestionsPage(ActionListPage):
    permission_required = "tagging.view_suggestion"
    model = Suggestion
    title = _lazy("Suggestions")
    subtitle = _lazy(
        "Values for missing and wrong tags, with the evidence. Accepted ones count at once in our figures."
    )
    table_class = SuggestedResourceTable
    per_page = 20
    filterset_class = SuggestionFilter
    template_name = "tagging/suggestions.html"
    fragment_template_name = "tagging/suggestions_list.html"
    breadcrumbs = ((_lazy("Tag compliance"), "tagging:overview"),)
    empty = Empty(
        _lazy("No suggestions"),
        _lazy(
            "Every tag is right, or no resource with a similar name, place or owner carries the tags that are missing."
        ),
        "circle-check",
        Action(_lazy("Resources to fix"), "tagging:resources", "clipboard-check"),
    )

    def get_queryset(self) -> SuggestionQuerySet:
        return Suggestion.objects.visible_to(self.person).select_related("team")

    def _numbered_table(self) -> SuggestedResourceTable:
        table = SuggestedResourceTable(suggestions.by_resource(self.rows), request=None)
        table.request = self.request
        if sort := self.request.GET.getlist("sort"):
            table.order_by = sort
        table.may_decide = self.person.has_perm(DECIDE)
        if not table.may_decide:
            table.columns.hide("pick")
            table.columns.hide("answer")
        return table

    def get_table(self) -> SuggestedResourceTable:
        table = super().get_table()
        by_key: dict[str, list[Suggestion]] = {row.record["resource_key"]: [] for row in table.paginated_rows}
        for row in self.rows.filter(resource_key__in=by_key).order_by("tag"):
            by_key[row.resource_key].append(row)
        table.suggestions = by_key
        return table

    def export_table(self) -> SuggestionTable:
        return SuggestionTable(self.rows.order_by("-cost", "resource_key", "tag"), request=None)

    def act(self, request: HttpRequest) -> None:
        self.require(DECIDE)
        visible = Suggestion.objects.visible_to(self.person)
        if pk := request.POST.get("accept"):
            self._accept(visible.filter(pk__in=_ids(pk)))
        elif pk := request.POST.get("refuse"):
            self._refuse(visible.filter(pk__in=_ids(pk)))
        elif request.POST.get("verb") == "accept":
            self._accept(visible.filter(pk__in=self.picked_ids()))
        elif request.POST.get("verb") == "refuse":
            self._refuse(visible.filter(pk__in=self.picked_ids()))
        elif request.POST.get("verb") == "accept_all":
            self._accept(visible.filter(pk__in=self.rows.at_least(self._least_confidence()).values("pk")))

    def _least_confidence(self) -> Decimal:
        try:
            least = Decimal(self.request.POST.get("least", ""))
        except InvalidOperation:
            raise RemediationError(_("Choose the lowest confidence to accept.")) from None
        if not (least.is_finite() and 0 <= least <= 1):
            raise RemediationError(_("A confidence lies between 0 and 1."))
        return least

    def _accept(self, rows: SuggestionQuerySet) -> None:
        gain = suggestions.potential_gain(rows)
        result = accept_suggestions(rows, user=self.person, now=timezone.now())
        if result.batch is None:
            messages.warning(
                self.request, _("Nothing is left to accept here: somebody else was faster, or nothing is ticked.")
            )
            return
        set_now = counted(result.tags_set, "virtual tag")
        text = _("{tags} set; {resources} with them.").format(
            tags=set_now, resources=counted(gain.compliant, "resource complies", "resources comply")
        )
        if closed := closed_months_touched(result.batch.tags.all()):
            stay = _("Closed months stay as they are: {months}.").format(
                months=", ".join(month_text(one, "long") for one in closed)
            )
            text = f"{text} {stay}"
        messages.success(self.request, _("{text} The figures follow in a moment.").format(text=text))
        self.keep_outcome(result.batch.pk)

    def _refuse(self, rows: SuggestionQuerySet) -> None:
        count = refuse_suggestions(rows, user=self.person, now=timezone.now())
        if count:
            messages.success(
                self.request,
                _("{count} refused: they will not be suggested for these resources again.").format(count=count),
            )
        else:
            messages.warning(
                self.request, _("Nothing is left to refuse here: somebody else was faster, or nothing is ticked.")
            )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [
            {"least": least, "words": label, "gain": suggestions.potential_gain(self.rows.at_least(Decimal(least)))}
            for least, label in CONFIDENCES
        ]
        context = {
            "groups": suggestions.by_evidence(self.rows),
            "gain": suggestions.potential_gain(self.rows),
            "steps": [step for step in steps if step["gain"].suggestions],
            "may_decide": self.person.has_perm(DECIDE),
            "kinds": dict(Suggestion.Kind.choices),
        }
        return super().get_context_data(**{**context, **kwargs})


def _ids(text: str) -> list[int]:
    """The suggestions of a button, which may be all of one resource."""
    return [row_id(part) for part in text.split(",")]
