"""The API of what groups of an identity provider give, by the form of its page."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form
from finops_site.models import GroupMapping
from finops_site.sign_in.group_forms import GroupMappingForm
from finops_site.sign_in.group_grants import BadMapping, delete_mapping, save_mapping

GroupMappingBody = body_of("GroupMappingBody", GroupMappingForm)
REFUSED = OpenApiResponse(BadRequest, "A field is wrong, or the group gives that already.")


class GroupMappingSerializer(serializers.ModelSerializer):
    team = serializers.CharField(source="team.name", default=None)
    provider = serializers.CharField(help_text="the id of the provider; empty: every one")

    class Meta:
        model = GroupMapping
        fields = ["id", "provider", "group", "role", "team", "team_role"]


@extend_schema_view(
    list=extend_schema(summary="What groups of identity providers give"),
    retrieve=extend_schema(summary="What one group gives"),
)
class GroupMappingViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """A role, a place in a team, or both, for whoever is in a group at her identity provider when she signs in."""

    queryset = GroupMapping.objects.select_related("team")
    serializer_class = GroupMappingSerializer
    permission_classes = [HoldsPermission]
    permission_required = "finops_site.view_groupmapping"
    write_permission_required = "finops_site.change_groupmapping"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="Say what a group gives",
        request=GroupMappingBody,
        responses={201: GroupMappingSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change what a group gives; what is left out stays",
        request=GroupMappingBody,
        responses={200: GroupMappingSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Take away what a group gives", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        delete_mapping(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, mapping: GroupMapping | None) -> dict[str, Any]:
        GroupMappingBody(data=self.request.data).is_valid(raise_exception=True)
        form = valid_form(lambda data: GroupMappingForm(data, instance=fresh_copy(mapping)), {**self.request.data})
        with refusals(BadMapping):
            save_mapping(form.instance)
        return dict(GroupMappingSerializer(self.get_queryset().get(pk=form.instance.pk)).data)
