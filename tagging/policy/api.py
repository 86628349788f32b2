"""The API of tag compliance: the same figures as the pages."""

from datetime import date
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costs.api.known import KnownKeysetPages, KnownList
from costs.query.known_until import KnownDays, known_together
from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.calc.tag_policy import State
from tagging.models import TagFact, TaggedResource
from tagging.models.policy import TaggedResourceQuerySet
from tagging.policy import compliance_figures
from tagging.policy.compliance_figures import TARGET, Tally
from tagging.policy.filters import WORKLIST_STATES as WORKLIST_STATES
from tagging.policy.filters import ResourceFilter
from tagging.policy.serializers import ComplianceSerializer, TaggedResourceSerializer

GROUPS = ("team", "account", "service", "provider", "tag")
MONTH = OpenApiParameter("month", str, description="a charge month, 2025-11; the latest that is computed by default")
TEAM = OpenApiParameter("team", str, description="name or id of a team; the teams below are included")


class ComplianceView(APIView):
    """How much complies with the tag policy in a charge month, of what you may see."""

    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"

    @extend_schema(
        summary="Tag compliance of a month, by team, account, service, provider or tag",
        parameters=[MONTH, TEAM, OpenApiParameter("group_by", str, enum=GROUPS)],
        responses={200: ComplianceSerializer, 400: OpenApiResponse(BadRequest, "No such month, team or group.")},
    )
    def get(self, request: Request) -> Response:
        today = timezone.now().date()
        month = _month(request.query_params.get("month", ""), today)
        group = request.query_params.get("group_by", "")
        if group and group not in GROUPS:
            raise ValidationError({"detail": f"{group!r} is no group: use {', '.join(GROUPS)}."})
        filters = _of_team(request)
        return Response(_answer(request.user, month, today, group, filters))


def _month(text: str, today: date) -> Month | None:
    """The month named, or the latest; a month that is not computed is 400."""
    with refusals(ValueError):
        return compliance_figures.chosen_month(text, today)


def _of_team(request: Request) -> dict[str, Any]:
    """The filter for a team and the teams below it; a team that is not visible is as if it were not there."""
    text = request.query_params.get("team", "")
    if not text:
        return {}
    by_id = text.isdecimal() and len(text) < 18
    team = Team.objects.visible_to(request.user).filter(**{"pk" if by_id else "name": text}).first()
    if team is None or "\0" in text:
        raise ValidationError({"detail": f"There is no team {text!r}."})
    return {"owner__in": sorted(Team.objects.below(team).values_list("pk", flat=True))}


def _teams_of(filters: dict[str, Any]) -> dict[str, list[str]]:
    """The same filter as the questions about cost have it."""
    return {"own_team": [str(pk) for pk in filters["owner__in"]]} if filters else {}


def _answer(user: Person, month: Month | None, today: date, group: str, filters: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"month": month and str(month), "target": str(TARGET), "group_by": group}
    if month is None:
        return answer | {"total": _tally_row("", "", Tally()), "groups": [], "untaggable": [], "known": None}
    states = tuple(state.value for state in State) if group == "tag" else compliance_figures.STATES
    groups = _groups(user, month, today, group, filters)
    return answer | {
        "total": _tally_row("", "all", compliance_figures.tally(user, month, today, filters)),
        "groups": [_tally_row(key, name, tally, states) for key, name, tally in groups],
        "untaggable": [
            {"reason": row["why_not"], "currency": row["currency"], "cost": exact_text(row["amount"])}
            for row in compliance_figures.untaggable(user, month, filters)
        ],
        "known": compliance_figures.known_of_month(user, month, today, _teams_of(filters)).as_json(),
    }


def _groups(
    user: Person, month: Month, today: date, group: str, filters: dict[str, Any]
) -> list[tuple[str, str, Tally]]:
    if group == "tag":
        return [(tag, tag, tally) for tag, tally in compliance_figures.by_tag(user, month, filters).items()]
    if not group:
        return []
    tallies = compliance_figures.by_group(user, month, today, group, filters)
    labels = compliance_figures.group_labels(group, tallies)
    return sorted((key, labels.get(key, key), tally) for key, tally in tallies.items())


def _tally_row(
    key: str, name: str, tally: Tally, states: tuple[str, ...] = compliance_figures.STATES
) -> dict[str, Any]:
    of_a_tag = State.OK.value in states
    share = compliance_figures.share_ok(tally) if of_a_tag else tally.by_resources
    counted = tally.count(*states) if of_a_tag else tally.counted
    return {
        "key": key,
        "name": name,
        "resources": {state: tally.count(state) for state in states},
        "resources_by_currency": {
            code: {state: tally.count_in(code, state) for state in states} for code in tally.currencies
        },
        "counted": counted,
        "compliance": None if share is None else f"{share:.6f}",
        "cost": {
            code: {state: str(exact_text(tally.amount(code, state))) for state in states} for code in tally.currencies
        },
    }


@extend_schema_view(
    list=extend_schema(
        summary="Resources to fix, the most expensive first",
        filters=False,
        parameters=[
            MONTH,
            OpenApiParameter("state", str, enum=[value for value, _ in WORKLIST_STATES], default="wrong"),
            OpenApiParameter("tag", str, description="a tag of the policy"),
            OpenApiParameter("fact", str, enum=TagFact.State.values),
            OpenApiParameter("q", str, description="text in the resource's id or name"),
            *(OpenApiParameter(name, str, many=True) for name in ("team", "account", "service", "provider")),
        ],
    )
)
class TagResourceViewSet(KnownList, VisibleRows, mixins.ListModelMixin, viewsets.GenericViewSet):
    """Resources of a charge month with their last tags and what is wrong with each."""

    queryset = TaggedResource.objects.all()
    serializer_class = TaggedResourceSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"
    pagination_class = KnownKeysetPages
    keyset = ("-cost", "-id")

    def get_queryset(self) -> TaggedResourceQuerySet:
        rows = super().get_queryset().select_related("owner", "pool", "tag_set", "verdict")
        return cast(TaggedResourceQuerySet, rows)

    def known(self) -> KnownDays:
        """Of the month and what the filters leave."""
        today = timezone.now().date()
        month = _month(self.request.query_params.get("month", ""), today)
        if month is None:
            return known_together([])
        names = ("team", "account", "service", "provider")
        filters = {name: values for name in names if (values := self.request.query_params.getlist(name))}
        return compliance_figures.known_of_month(cast(Person, self.request.user), month, today, filters)

    def filter_queryset(self, queryset: TaggedResourceQuerySet) -> TaggedResourceQuerySet:
        today = timezone.now().date()
        _month(self.request.query_params.get("month", ""), today)
        filterset = ResourceFilter(self.request.query_params, queryset=queryset, request=self.request, today=today)
        if not filterset.is_valid():
            raise ValidationError(filterset.errors)
        return filterset.qs
