"""The API of tag compliance: the same figures as the pages."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, HoldsPermission, KeysetPages, VisibleRows
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.calc.tag_policy import State
from tagging.models import TagFact, TaggedResource
from tagging.policy import compliance_figures
from tagging.policy.compliance_figures import TARGET, Tally
from tagging.policy.filters import WORKLIST_STATES as WORKLIST_STATES
from tagging.policy.filters import ResourceFilter
from tagging.policy.serializers import ComplianceSerializer, TaggedResourceSerializer

GROUPS = ("team", "account", "service", "provider", "tag")
MONTH = OpenApiParameter("month", str, description="a charge month, 2025-11; the latest that is worked out by default")
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
            raise ValidationError({"detail": f"{group!r} is nothing to group by: use {', '.join(GROUPS)}."})
        filters = _of_team(request)
        return Response(_answer(request.user, month, today, group, filters))


def _month(asked: str, today: Any) -> Month | None:
    """The month asked for; a month that is not worked out is 400 and says so."""
    if not asked:
        return compliance_figures.month_for("", today)
    try:
        month = Month.parse(asked)
    except ValueError as error:
        raise ValidationError({"detail": str(error)}) from None
    if month not in compliance_figures.computed_months():
        raise ValidationError({"detail": f"{month} is not worked out: no current bill has charges of it."})
    return month


def _of_team(request: Request) -> dict[str, Any]:
    """The filter for a team and the teams below it; a team that is not visible is as if it were not there."""
    asked = request.query_params.get("team", "")
    if not asked:
        return {}
    found = Team.objects.visible_to(request.user)
    team = found.filter(pk=asked).first() if asked.isdecimal() and len(asked) < 18 else found.filter(name=asked).first()
    if team is None or "\0" in asked:
        raise ValidationError({"detail": f"There is no team {asked!r}."})
    return {"owner__in": sorted(Team.objects.below(team).values_list("pk", flat=True))}


def _answer(user: Person, month: Month | None, today: Any, group: str, filters: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"month": month and str(month), "target": str(TARGET), "group_by": group}
    if month is None:
        return told | {"total": _told("", "", Tally()), "groups": [], "untaggable": []}
    found = _groups(user, month, today, group, filters)
    return told | {
        "total": _told("", "all", compliance_figures.tally(user, month, today, filters)),
        "groups": [_told(key, name, tally, _states(group)) for key, name, tally in found],
        "untaggable": [
            {"reason": row["why_not"], "currency": row["currency"], "cost": exact_text(row["amount"])}
            for row in compliance_figures.untaggable(user, month, filters)
        ],
    }


def _groups(
    user: Person, month: Month, today: Any, group: str, filters: dict[str, Any]
) -> list[tuple[str, str, Tally]]:
    if group == "tag":
        return [(tag, tag, tally) for tag, tally in compliance_figures.by_tag(user, month, filters).items()]
    if not group:
        return []
    found = compliance_figures.by_group(user, month, today, group, filters)
    names = compliance_figures.group_labels(group, found)
    return sorted((key, names.get(key, key), tally) for key, tally in found.items())


def _states(group: str) -> tuple[str, ...]:
    return tuple(state.value for state in State) if group == "tag" else compliance_figures.STATES


def _told(key: str, name: str, tally: Tally, states: tuple[str, ...] = compliance_figures.STATES) -> dict[str, Any]:
    share = compliance_figures.share_ok(tally) if State.OK.value in states else tally.by_resources
    counted = tally.count(*states) if State.OK.value in states else tally.counted
    return {
        "key": key,
        "name": name,
        "resources": {state: tally.count(state) for state in states},
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
            OpenApiParameter("q", str, description="words in the resource's id or name"),
            *(OpenApiParameter(name, str, many=True) for name in ("team", "account", "service", "provider")),
        ],
    )
)
class TagResourceViewSet(VisibleRows, mixins.ListModelMixin, viewsets.GenericViewSet):
    """Resources of a charge month with their last tags and what is wrong with each."""

    queryset = TaggedResource.objects.all()
    serializer_class = TaggedResourceSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"
    pagination_class = KeysetPages
    keyset = ("-cost", "-id")

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("owner", "pool", "tag_set", "verdict")

    def filter_queryset(self, queryset: Any) -> Any:
        today = timezone.now().date()
        _month(self.request.query_params.get("month", ""), today)
        found = ResourceFilter(self.request.query_params, queryset=queryset, request=self.request, today=today)
        if not found.is_valid():
            raise ValidationError(found.errors)
        return found.qs
