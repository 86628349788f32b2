"""The API of the tag policy, of exceptions from it, and of change sets that set tags at the provider."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from costs.change_set_reviews import CannotChange
from finops_site.api.base import PROPOSES, BadRequest, ExactModelSerializer, HoldsPermission, VisibleRows, refusals
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form
from finops_site.ui.bulk_results import BulkRefused
from tagging.models import ChangeSet, TagChange, TagException, TaggedResource, TagRequirement, VirtualTag
from tagging.policy import exceptions, policy_changes
from tagging.policy.exceptions import CannotDecide
from tagging.policy.explanations import Explainer
from tagging.policy.forms import ExceptionForm, RequirementForm
from tagging.policy.serializers import BulkResultSerializer, ResourceKeys, named_resources, result_json
from tagging.remediation import change_sets

REFUSED = OpenApiResponse(BadRequest, "It is refused, with the reason.")
NOT_YOURS = OpenApiResponse(BadRequest, "There is no such resource, or it is not yours to see.")
RequirementBody = body_of("TagRuleBody", RequirementForm)


class RequirementSerializer(serializers.ModelSerializer):
    class Meta:
        model = TagRequirement
        fields = [
            *("id", "key", "is_required", "description", "allowed_values", "pattern", "key_aliases", "value_aliases"),
            *("case_rule", "providers", "services", "resource_types", "starts_on", "ends_on", "order"),
        ]


@extend_schema_view(
    list=extend_schema(summary="The tag policy: the tags that resources should carry"),
    retrieve=extend_schema(summary="One rule of the tag policy"),
)
class RequirementViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Read by everybody, written by finance. `past`: `keep` leaves ended months as they are, `change` does not."""

    queryset = TagRequirement.objects.all()
    serializer_class = RequirementSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_tagrequirement"
    write_permission_required = "tagging.change_tagrequirement"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(summary="Add a rule", request=RequirementBody, responses={201: RequirementSerializer, 400: REFUSED})
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a rule; what is left out stays",
        request=RequirementBody,
        responses={200: RequirementSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Take a rule out of the policy, from this month on", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        policy_changes.remove_requirement(self.get_object(), keep_past=True, today=timezone.now().date())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, row: TagRequirement | None) -> dict[str, Any]:
        body = RequirementBody(data=self.request.data)
        body.is_valid(raise_exception=True)
        today = timezone.now().date()

        def make_form(data: Any) -> RequirementForm:
            return RequirementForm(data, instance=fresh_copy(row), user=self.request.user, today=today)

        form = valid_form(make_form, {**self.request.data})
        saved = policy_changes.save_requirement(form.instance, keep_past=form.keep_past, today=today)
        return RequirementSerializer(saved).data


class TagExceptionSerializer(serializers.ModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    owner = serializers.EmailField(source="owner.email", help_text="who answers for it")
    decided_by = serializers.EmailField(source="decided_by.email", default=None, allow_null=True)

    class Meta:
        model = TagException
        fields = [
            *("id", "resource_key", "resource", "resource_name", "tag", "team", "owner", "reason", "expires_on"),
            *("state", "requested_at", "decided_by", "decided_at", "answer"),
        ]


class NewTagExceptionSerializer(serializers.Serializer):
    resource_key = serializers.CharField(max_length=32, help_text="as compliance names the resource")
    tag = serializers.CharField(required=False, allow_blank=True, max_length=1000, help_text="empty: every tag")
    reason = serializers.CharField(max_length=1000)
    expires_on = serializers.DateField()


class ExceptionOfMany(ResourceKeys):
    tag = serializers.CharField(required=False, allow_blank=True, max_length=1000, default="", help_text="empty: every")
    reason = serializers.CharField(max_length=1000)
    expires_on = serializers.DateField()


class TagDecisionSerializer(serializers.Serializer):
    decision = serializers.ChoiceField([exceptions.APPROVE, exceptions.DECLINE, exceptions.END])
    answer = serializers.CharField(required=False, allow_blank=True, max_length=1000, default="")


@extend_schema_view(
    list=extend_schema(summary="Exceptions from the tag policy that you may see, the newest first"),
    retrieve=extend_schema(summary="One exception"),
)
class TagExceptionViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """A resource may do without a tag until a day: requested by its team, decided by finance."""

    queryset = TagException.objects.select_related("team", "owner", "decided_by")
    serializer_class = TagExceptionSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"
    filterset_fields = ["state", "tag"]
    lookup_value_regex = r"\d{1,18}"

    @property
    def write_permission_required(self) -> str:
        return "tagging.decide_tagexception" if self.action == "decide" else "tagging.add_tagexception"

    @extend_schema(
        summary="Ask for an exception; you answer for it",
        request=NewTagExceptionSerializer,
        responses={201: TagExceptionSerializer, 400: REFUSED, 404: NOT_YOURS},
        extensions={PROPOSES: True},
    )
    def create(self, request: Request) -> Response:
        body = NewTagExceptionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent, user, today = {**body.validated_data}, request.user, timezone.now().date()
        visible = TaggedResource.objects.visible_to(user).filter(key=sent.pop("resource_key"))
        row = visible.select_related("owner", "tag_set", "verdict").order_by("-charge_month", "-last_day").first()
        if row is None:
            raise NotFound
        wrong = [problem.tag for problem in Explainer().wrong(row)]

        def make_form(data: Any) -> ExceptionForm:
            return ExceptionForm(data, user=user, row=row, wrong=wrong, today=today)

        form = valid_form(make_form, {**sent, "owner": user.pk})
        try:
            with transaction.atomic():
                saved = exceptions.request_exception(form.save(commit=False), row)
        except IntegrityError:
            raise ValidationError({"detail": "Somebody has requested this already."}) from None
        return Response(TagExceptionSerializer(saved).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Ask for exceptions of many resources; you answer for them",
        request=ExceptionOfMany,
        responses={200: BulkResultSerializer, 400: REFUSED},
        extensions={PROPOSES: True},
    )
    @action(detail=False, methods=["post"])
    def many(self, request: Request) -> Response:
        body = ExceptionOfMany(data=request.data)
        body.is_valid(raise_exception=True)
        sent = {**body.validated_data}
        rows = named_resources(request.user, sent.pop("resource_keys"), sent.pop("month"))
        with refusals(BulkRefused):
            result = exceptions.request_exceptions(rows, **sent, user=request.user, now=timezone.now())
        return Response(result_json(result))

    @extend_schema(
        summary="Approve it, decline it, or end it early",
        request=TagDecisionSerializer,
        responses={200: TagExceptionSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        body = TagDecisionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        verb, answer = body.validated_data["decision"], body.validated_data["answer"]
        with refusals(CannotDecide):
            exceptions.decide_exception(
                self.get_object().pk, verb, user=request.user, answer=answer, now=timezone.now()
            )
        return Response(TagExceptionSerializer(self.get_object()).data)


class TagChangeSerializer(ExactModelSerializer):
    class Meta:
        model = TagChange
        fields = ["provider", "sub_account", "resource", "resource_name", "key", "before", "after", "result", "message"]


class TagChangeSetSerializer(serializers.ModelSerializer):
    made_by = serializers.EmailField(source="made_by.email")
    reviewed_by = serializers.EmailField(source="reviewed_by.email", default=None, allow_null=True)
    applied_by = serializers.EmailField(source="applied_by.email", default=None, allow_null=True)

    class Meta:
        model = ChangeSet
        fields = [
            *("id", "title", "state", "made_by", "made_at", "reviewed_by", "reviewed_at", "review", "dry_run_at"),
            *("applied_by", "started_at", "finished_at", "message"),
        ]


class TagChangeSetDetailSerializer(TagChangeSetSerializer):
    changes = TagChangeSerializer(many=True)

    class Meta(TagChangeSetSerializer.Meta):
        fields = [*TagChangeSetSerializer.Meta.fields, "changes"]


class NewTagChangeSetSerializer(serializers.Serializer):
    title = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    virtual_tags = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1 << 62), max_length=10_000, help_text="their ids"
    )


class TagReviewSerializer(serializers.Serializer):
    approve = serializers.BooleanField(help_text="otherwise it is sent back")
    comment = serializers.CharField(required=False, allow_blank=True, max_length=1000, default="")


@extend_schema_view(
    list=extend_schema(summary="Change sets of tags you may see, the newest first"),
    retrieve=extend_schema(summary="One change set, with its tags and their results"),
)
class TagChangeSetViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Tags to be set at the provider: made by one person, approved by another, applied from its page."""

    queryset = ChangeSet.objects.select_related("made_by", "reviewed_by", "applied_by")
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_changeset"
    filterset_fields = ["state"]
    lookup_value_regex = r"\d{1,18}"

    @property
    def write_permission_required(self) -> str:
        return "tagging.approve_changeset" if self.action == "review" else "tagging.add_changeset"

    def get_serializer_class(self) -> type[TagChangeSetSerializer]:
        return TagChangeSetSerializer if self.action == "list" else TagChangeSetDetailSerializer

    def get_queryset(self) -> QuerySet[ChangeSet]:
        rows = super().get_queryset()
        return rows if self.action == "list" else rows.prefetch_related("changes")

    @extend_schema(
        summary="Propose to set virtual tags at the provider: somebody else approves it",
        request=NewTagChangeSetSerializer,
        responses={201: TagChangeSetDetailSerializer, 400: REFUSED},
        extensions={PROPOSES: True},
    )
    def create(self, request: Request) -> Response:
        body = NewTagChangeSetSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        tags = VirtualTag.objects.visible_to(request.user).filter(pk__in=body.validated_data["virtual_tags"])
        with refusals(CannotChange), transaction.atomic():
            made = change_sets.create_change_set(
                tags, title=body.validated_data["title"], user=request.user, now=timezone.now()
            )
            change_sets.submit(made.pk)
        return self._answer(made.pk, status.HTTP_201_CREATED)

    @extend_schema(
        summary="Approve it or send it back",
        request=TagReviewSerializer,
        responses={200: TagChangeSetDetailSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def review(self, request: Request, pk: str) -> Response:
        body = TagReviewSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row, chosen = self.get_object(), body.validated_data
        with refusals(CannotChange):
            change_sets.review(
                row.pk, approve=chosen["approve"], comment=chosen["comment"], user=request.user, now=timezone.now()
            )
        return self._answer(row.pk, status.HTTP_200_OK)

    def _answer(self, pk: int, code: int) -> Response:
        row = ChangeSet.objects.select_related("made_by", "reviewed_by", "applied_by").get(pk=pk)
        return Response(TagChangeSetDetailSerializer(row).data, status=code)
