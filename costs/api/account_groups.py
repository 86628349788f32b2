"""The API of groups of accounts: read by whoever sees the page, written by the form of the page."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from costs.account_groups import BadGroup, remove_group, save_group
from costs.models import AccountGroup
from costs.web.forms import GroupedAccountsForm
from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form

AccountGroupBody = body_of("AccountGroupBody", GroupedAccountsForm)
REFUSED = OpenApiResponse(BadRequest, "A field is wrong, or an account is in another group.")


class AccountGroupSerializer(serializers.ModelSerializer):
    accounts = serializers.SlugRelatedField(
        slug_field="account", many=True, read_only=True, help_text="the ids of its accounts, as bills have them"
    )

    class Meta:
        model = AccountGroup
        fields = ["id", "name", "description", "accounts"]


@extend_schema_view(
    list=extend_schema(summary="Groups of accounts"),
    retrieve=extend_schema(summary="One group of accounts"),
)
class AccountGroupViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Accounts that are looked at together; an account is in one group. `account_group` of spend/ groups by them."""

    queryset = AccountGroup.objects.prefetch_related("accounts")
    serializer_class = AccountGroupSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_accountgroup"
    write_permission_required = "costs.change_accountgroup"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="Add a group; a list of accounts stands for lines, by id or name",
        request=AccountGroupBody,
        responses={201: AccountGroupSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a group; what is left out stays",
        request=AccountGroupBody,
        responses={200: AccountGroupSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Remove a group: its accounts are in none then", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        remove_group(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, group: AccountGroup | None) -> dict[str, Any]:
        body = AccountGroupBody(data=self.request.data)
        body.is_valid(raise_exception=True)
        sent = {**self.request.data}
        form = valid_form(lambda data: GroupedAccountsForm(data, instance=fresh_copy(group)), sent)
        with refusals(BadGroup):
            save_group(form.instance, form.cleaned_data["accounts"])
        return AccountGroupSerializer(self.get_queryset().get(pk=form.instance.pk)).data
