"""The API of budgets and alerts: the same rows, the same services and the same exact amounts as the pages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.alerts import threshold_changes
from budgets.alerts.acknowledgement import TooLate, acknowledge, snooze
from budgets.alerts.rule_forms import ThresholdForm
from budgets.anomalies.cost_scopes import known_of_checked_days
from budgets.anomalies.detection import answer_anomaly
from budgets.anomalies.sensitivity import remove_sensitivity, save_sensitivity
from budgets.api.serializers import (
    AlertSerializer,
    AnomalyAnswerSerializer,
    AnomalySerializer,
    BudgetBody,
    BudgetDecisionSerializer,
    BudgetDetailSerializer,
    BudgetProposalSerializer,
    BudgetSerializer,
    ChangeDecisionSerializer,
    ChangeProposalSerializer,
    CreateProposedSerializer,
    KnownChargeSerializer,
    ProposedChangeSerializer,
    SensitivitySerializer,
    SnoozeSerializer,
    ThresholdBody,
    ThresholdSerializer,
)
from budgets.first_budgets import CannotCreate, create_proposed, proposal_rows, propose_budgets, typed_amounts
from budgets.forecast.charge_forms import KnownChargeForm
from budgets.forecast.status import known_of_budgets, with_status
from budgets.models import Alert, Anomaly, AnomalySensitivity, Budget, ProposedChange, Threshold
from budgets.permissions import led_teams, may_decide_change, may_edit_budget, may_propose_change
from budgets.planning import budget_changes, proposed_changes
from budgets.planning.budget_changes import StaleBudget
from budgets.planning.budget_forms import BudgetForm
from budgets.planning.period_changes import WrongState
from costs.api.known import KnownList, KnownPages
from costs.calc.filters import check_names, filters_in
from costs.query.known_until import KnownDays
from costs.query.stored_values import read_filters
from finops_site.api.base import PROPOSES, BadRequest, HoldsPermission, Problem, VisibleRows, conflicts, refusals
from finops_site.api.form_bodies import fresh_copy, valid_form

OF_THRESHOLD = ("threshold", "is_active")
REFUSED = OpenApiResponse(BadRequest, "A field is refused, or the budget is in another state.")
STALE = OpenApiResponse(Problem, "Somebody else changed it since it was read.")


@extend_schema_view(
    list=extend_schema(summary="Budgets, with the actual cost and the forecast of this period"),
    retrieve=extend_schema(summary="One budget, with the amounts of its periods"),
)
class BudgetViewSet(KnownList, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """The budgets of your teams and of those below them; all of them for those who see the whole company."""

    queryset = Budget.objects.all()
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_budget"
    filterset_fields = ["state", "kind", "currency"]
    pagination_class = KnownPages
    lookup_value_regex = r"\d+"

    @property
    def write_permission_required(self) -> str:
        """Who may change this budget is looked at where it is changed: a lead changes what she proposed."""
        needed = {
            "create": "add_budget",
            "proposals": "add_budget",
            "propose": "propose_budget",
            "propose_change": "propose_budget",
            "decide": "approve_budget",
        }
        return f"budgets.{needed.get(self.action, 'view_budget')}"

    def get_queryset(self) -> QuerySet[Budget]:
        return with_status(super().get_queryset().select_related("team"), timezone.now().date())

    def known(self) -> KnownDays:
        return known_of_budgets(self.request.user, self.filter_queryset(self.get_queryset()), timezone.now().date())

    @extend_schema(
        summary="Make a budget with the amounts of its periods",
        request=BudgetBody,
        responses={201: BudgetDetailSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        return self._save(None, proposes=False)

    @extend_schema(
        summary="Propose a budget: finance approves it or sends it back",
        request=BudgetBody,
        responses={201: BudgetDetailSerializer, 400: REFUSED},
        extensions={PROPOSES: True},
        filters=False,
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def propose(self, request: Request) -> Response:
        return self._save(None, proposes=True)

    @extend_schema(
        methods=["GET"],
        summary="First budgets: for whoever has cost and none yet, an amount from the last whole months",
        responses=BudgetProposalSerializer(many=True),
        filters=False,
    )
    @extend_schema(
        methods=["POST"],
        summary="Make proposed budgets with these amounts for each month, all or none",
        request=CreateProposedSerializer,
        responses={201: BudgetSerializer(many=True), 400: REFUSED},
        filters=False,
    )
    @action(detail=False, methods=["get", "post"], pagination_class=None)
    def proposals(self, request: Request) -> Response:
        if not request.user.has_perm("budgets.add_budget"):
            raise PermissionDenied
        today = timezone.now().date()
        if request.method == "GET":
            return Response(BudgetProposalSerializer(proposal_rows(propose_budgets(today)), many=True).data)
        body = CreateProposedSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        rows = body.validated_data["create"]
        with refusals(CannotCreate):
            made = create_proposed(request.user, typed_amounts({row["key"]: row["amount"] for row in rows}), today)
        rows_made = self.get_queryset().filter(pk__in=[budget.pk for budget in made])
        return Response(BudgetSerializer(rows_made, many=True).data, status=201)

    @extend_schema(
        summary="Change a budget; what is left out stays, and `version` is the one that was read",
        request=BudgetBody,
        responses={200: BudgetDetailSerializer, 400: REFUSED, 409: STALE},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return self._save(self.get_object(), proposes=False)

    @extend_schema(
        summary="Approve a proposal, send it back, archive a budget or bring it back",
        request=BudgetDecisionSerializer,
        responses={200: BudgetDetailSerializer, 400: REFUSED, 409: STALE},
    )
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        budget = Budget.objects.get(pk=self.get_object().pk)
        body = BudgetDecisionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        chosen = {**body.validated_data}
        with conflicts(StaleBudget), refusals(WrongState):
            budget_changes.DECISIONS[chosen.pop("decision")](budget, **chosen, by=request.user)
        return self._detail(budget.pk)

    @extend_schema(
        summary="Propose other amounts of a budget in force: it has them when finance approves",
        request=ChangeProposalSerializer,
        responses={201: ProposedChangeSerializer, 400: REFUSED, 409: STALE},
        extensions={PROPOSES: True},
    )
    @action(detail=True, methods=["post"], url_path="propose-change")
    def propose_change(self, request: Request, pk: str) -> Response:
        budget = Budget.objects.get(pk=self.get_object().pk)
        if not may_propose_change(request.user, budget):
            raise PermissionDenied
        body = ChangeProposalSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent = {**body.validated_data}
        with conflicts(StaleBudget), refusals(WrongState):
            new = proposed_changes.amounts_by_period(budget, sent.pop("amounts"))
            row = proposed_changes.propose_change(budget, new, **sent, by=request.user, now=timezone.now())
        return Response(ProposedChangeSerializer(row).data, status=201)

    @extend_schema(
        summary="Approve, reject or withdraw a proposed change of a budget",
        request=ChangeDecisionSerializer,
        responses={200: ProposedChangeSerializer, 400: REFUSED, 409: STALE},
    )
    @action(detail=True, methods=["post"], url_path="decide-change")
    def decide_change(self, request: Request, pk: str) -> Response:
        budget = self.get_object()
        body = ChangeDecisionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent = {**body.validated_data}
        row = get_object_or_404(ProposedChange, pk=sent.pop("change"), budget=budget.pk)
        verb = sent.pop("decision")
        if not may_decide_change(request.user, row, verb):
            raise PermissionDenied
        with conflicts(StaleBudget), refusals(WrongState):
            row = proposed_changes.VERBS[verb](row, **sent, by=request.user, now=timezone.now())
        return Response(ProposedChangeSerializer(row).data)

    def _save(self, budget: Budget | None, *, proposes: bool) -> Response:
        user = self.request.user
        teams = None if user.has_perm("budgets.change_budget") else led_teams(user)
        if teams == set() or (budget and not may_edit_budget(user, budget)):
            raise PermissionDenied
        body = BudgetBody(data=self.request.data)
        body.is_valid(raise_exception=True)
        sent = {name: value for name, value in self.request.data.items() if name != "scope"}
        # Without the version that was read nobody knows what is written over.
        if budget and sent.get("version") in (None, ""):
            raise ValidationError({"version": ["This is missing: send the `version` of the budget that you read."]})
        scope = self._scope_of(body.validated_data["scope"]) if "scope" in body.validated_data else None
        today = timezone.now().date()

        def make_form(data: Any) -> BudgetForm:
            row = fresh_copy(budget) or Budget()
            row.scope = row.scope if scope is None else scope
            return BudgetForm(data, instance=row, user=user, today=today, teams=teams)

        form = valid_form(make_form, sent)
        with conflicts(StaleBudget), refusals(WrongState):
            saved = form.save_budget(by=user, proposes=proposes)
        return self._detail(saved.pk, status=200 if budget else 201)

    def _scope_of(self, filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """The filters of a scope as they are stored: teams and pools by their ids. Raises ValidationError."""
        try:
            check_names(filters, ())
            scope = read_filters(filters_in(filters.items()), self.request.user)
        except ValueError as error:
            raise ValidationError({"scope": [str(error)]}) from None
        return scope

    def _detail(self, pk: int, status: int = 200) -> Response:
        budget = self.get_queryset().get(pk=pk)
        return Response(BudgetDetailSerializer(budget, context=self.get_serializer_context()).data, status=status)

    @extend_schema(
        summary="Enter a charge that no bill shows yet",
        request=KnownChargeSerializer,
        responses={
            201: KnownChargeSerializer,
            400: OpenApiResponse(BadRequest, "The day, the amount or its repeats are refused."),
        },
    )
    @action(detail=True, methods=["post"], url_path="known-charges")
    def known_charges(self, request: Request, pk: str) -> Response:
        budget = self.get_object()
        if not may_edit_budget(request.user, budget):
            raise PermissionDenied
        body = KnownChargeSerializer(data=request.data, context={"budget": budget})
        body.is_valid(raise_exception=True)
        form = KnownChargeForm(body.validated_data, budget=budget)
        if not form.is_valid():
            raise ValidationError(form.errors)
        form.instance.created_by = request.user
        return Response(KnownChargeSerializer(form.save()).data, status=201)

    @extend_schema(
        summary="Add a threshold, or change the one that `threshold` names; one that has warned stays and ends",
        request=ThresholdBody,
        responses={200: ThresholdSerializer, 201: ThresholdSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def thresholds(self, request: Request, pk: str) -> Response:
        budget = self.get_object()
        if not may_edit_budget(request.user, budget):
            raise PermissionDenied
        body = ThresholdBody(data=request.data)
        body.is_valid(raise_exception=True)
        number, active = (body.validated_data.get(name) for name in ("threshold", "is_active"))
        row = None if number is None else get_object_or_404(Threshold, pk=number, budget=budget)

        def make_form(data: Any) -> ThresholdForm:
            return ThresholdForm(data, budget=budget, instance=fresh_copy(row))

        form = valid_form(make_form, {name: value for name, value in request.data.items() if name not in OF_THRESHOLD})
        now = timezone.now()
        saved = form.save() if row is None else threshold_changes.change_threshold(row, form.cleaned_data, now)
        if active is not None and active != saved.is_active:
            if active:
                threshold_changes.switch_on_threshold(saved)
            else:
                threshold_changes.switch_off_threshold(saved, now)
        return Response(ThresholdSerializer(saved).data, status=200 if row else 201)

    def get_serializer_class(self) -> type[BudgetSerializer]:
        return BudgetDetailSerializer if self.action == "retrieve" else BudgetSerializer


@extend_schema_view(
    list=extend_schema(summary="Alerts, the newest first"),
    retrieve=extend_schema(summary="One alert"),
)
class AlertViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """A threshold breached in a period: one alert, however often it is evaluated."""

    queryset = Alert.objects.all()
    serializer_class = AlertSerializer
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_alert"
    write_permission_required = "budgets.change_alert"
    filterset_fields = ["state", "kind", "budget"]
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Alert]:
        return super().get_queryset().select_related("budget", "threshold__budget", "period", "acknowledged_by")

    @extend_schema(
        summary="Acknowledge: you look after it, and nobody else is reminded",
        request=None,
        responses={
            200: AlertSerializer,
            400: OpenApiResponse(BadRequest, "It is resolved or acknowledged already."),
        },
    )
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        return self._respond(acknowledge, by=request.user)

    @extend_schema(
        summary="Snooze: quiet until a day",
        request=SnoozeSerializer,
        responses={
            200: AlertSerializer,
            400: OpenApiResponse(BadRequest, "It is resolved, or that day is refused."),
        },
    )
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        snoozing = SnoozeSerializer(data=request.data)
        snoozing.is_valid(raise_exception=True)
        return self._respond(snooze, by=request.user, until=snoozing.validated_data["until"])

    def _respond(self, service: Callable[..., Alert], **values: Any) -> Response:
        with refusals(TooLate):
            service(self.get_object(), now=timezone.now(), **values)
        return Response(self.get_serializer(self.get_object()).data)


@extend_schema_view(
    list=extend_schema(summary="Anomalies: open ones first, the most money first"),
    retrieve=extend_schema(summary="One anomaly, with what makes it up"),
)
class AnomalyViewSet(KnownList, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Jumps, lasting and slow rises, and drops in what a service in an account, or a team, costs."""

    queryset = Anomaly.objects.by_money().select_related("team")
    serializer_class = AnomalySerializer
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_alert"
    filterset_fields = ["state", "kind", "pattern", "severity", "service", "account", "day"]
    pagination_class = KnownPages
    lookup_value_regex = r"\d+"
    write_permission_required = "budgets.change_alert"

    def known(self) -> KnownDays:
        return known_of_checked_days(self.request.user, timezone.now().date())

    @extend_schema(
        summary="Was it to be expected? The last answer counts, and is learnt",
        request=AnomalyAnswerSerializer,
        responses={200: AnomalySerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, pk: str) -> Response:
        body = AnomalyAnswerSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        answer_anomaly(self.get_object(), **body.validated_data, by=request.user, now=timezone.now())
        return Response(AnomalySerializer(self.get_object()).data)


@extend_schema_view(
    list=extend_schema(summary="How sensitive anomaly detection is, by scope; what none names is normal"),
    retrieve=extend_schema(summary="The sensitivity of one scope"),
    create=extend_schema(summary="Set the sensitivity of a scope; it holds from the next night on"),
    update=extend_schema(summary="Change a sensitivity"),
    partial_update=extend_schema(summary="Change parts of a sensitivity"),
    destroy=extend_schema(summary="Back to normal"),
)
class SensitivityViewSet(VisibleRows, viewsets.ModelViewSet):
    """Finance sets it for every scope, a lead for what is her teams'."""

    queryset = AnomalySensitivity.objects.select_related("team")
    serializer_class = SensitivitySerializer
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_alert"
    write_permission_required = "budgets.propose_budget"
    filterset_fields = ["team", "service", "account", "level"]
    lookup_value_regex = r"\d+"

    def perform_create(self, serializer: SensitivitySerializer) -> None:
        row = AnomalySensitivity(**serializer.validated_data)
        serializer.instance = save_sensitivity(row, self.request.user)

    def perform_update(self, serializer: SensitivitySerializer) -> None:
        save_sensitivity(serializer.instance, self.request.user)

    def perform_destroy(self, instance: AnomalySensitivity) -> None:
        remove_sensitivity(instance, self.request.user)
