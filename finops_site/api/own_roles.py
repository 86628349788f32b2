"""The API of roles that administrators make, by the form of their page."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form
from finops_site.models import OwnRole
from finops_site.own_roles.abilities import abilities_held
from finops_site.own_roles.changes import CannotChangeRole, delete_role, save_role
from finops_site.own_roles.forms import OwnRoleForm
from finops_site.people.roles import permission_names

OwnRoleBody = body_of("OwnRoleBody", OwnRoleForm)
REFUSED = OpenApiResponse(BadRequest, "A field is wrong, or there cannot be such a role.")


class OwnRoleSerializer(serializers.ModelSerializer):
    name = serializers.CharField(source="group.name")
    abilities = serializers.SerializerMethodField(help_text="the names of what its people may see and do")
    people = serializers.SerializerMethodField(help_text="the addresses of those who have it")

    class Meta:
        model = OwnRole
        fields = ["id", "name", "description", "base", "abilities", "cost_scope", "people"]

    def get_abilities(self, role: OwnRole) -> list[str]:
        return sorted(abilities_held(permission_names(role.group.permissions.all())))

    def get_people(self, role: OwnRole) -> list[str]:
        return sorted(person.email for person in role.group.user_set.all())


@extend_schema_view(
    list=extend_schema(summary="Roles that administrators made"),
    retrieve=extend_schema(summary="One of them"),
)
class OwnRoleViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """What its people see and do, chosen from what the role that it is based on may, and what executives read."""

    queryset = OwnRole.objects.select_related("group").prefetch_related("group__user_set")
    serializer_class = OwnRoleSerializer
    permission_classes = [HoldsPermission]
    permission_required = "finops_site.view_ownrole"
    write_permission_required = "finops_site.change_ownrole"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(summary="Make a role", request=OwnRoleBody, responses={201: OwnRoleSerializer, 400: REFUSED})
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a role; what is left out stays",
        request=OwnRoleBody,
        responses={200: OwnRoleSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Delete a role that nobody has", responses={204: None, 400: REFUSED})
    def destroy(self, request: Request, pk: str) -> Response:
        role = self.get_object()
        with refusals(CannotChangeRole):
            delete_role(role, by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, role: OwnRole | None) -> dict[str, Any]:
        OwnRoleBody(data=self.request.data).is_valid(raise_exception=True)
        form = valid_form(lambda data: OwnRoleForm(data, instance=fresh_copy(role)), {**self.request.data})
        with refusals(CannotChangeRole):
            saved = save_role(form.wish(), by=self.request.user, role=role)
        return dict(OwnRoleSerializer(self.get_queryset().get(pk=saved.pk)).data)
