"""The API of saved views and dashboards: read by whom they are shared with, written by the forms of their pages."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form
from finops_site.models import Dashboard, SavedView, Shareable, User
from finops_site.saved_views import dashboards, keep_views
from finops_site.saved_views.forms import PERSONAL, DashboardBodyForm, DashboardForm, SavedViewForm
from finops_site.saved_views.sharing import CannotSave, NotYours

SavedViewBody = body_of("SavedViewBody", SavedViewForm)
DashboardBody = body_of("DashboardBody", DashboardBodyForm)
REFUSED = OpenApiResponse(BadRequest, "A field is wrong, or the address is none of our pages.")


@contextmanager
def _not_yours() -> Iterator[None]:
    """What is somebody else's is answered 403."""
    try:
        yield
    except NotYours as error:
        raise PermissionDenied(str(error)) from None


class _SharedSerializer(serializers.ModelSerializer):
    owner = serializers.CharField(source="owner.email")
    team = serializers.CharField(source="team.name", default=None, help_text="with which team it is shared")
    is_yours = serializers.SerializerMethodField()

    def get_is_yours(self, row: Shareable) -> bool:
        return row.owner_id == self._user.pk

    @property
    def _user(self) -> User:
        user: User = self.context["request"].user
        return user


class SavedViewSerializer(_SharedSerializer):
    url = serializers.CharField(source="open_url", help_text="opens it, as the page it is a view of")
    is_pinned = serializers.SerializerMethodField(help_text="on your own home page")
    mail_every = serializers.SerializerMethodField(help_text="week or month; empty where it is not mailed to you")

    class Meta:
        model = SavedView
        fields = [
            "id",
            "name",
            "address",
            "url",
            "owner",
            "is_yours",
            "team",
            "with_company",
            "is_pinned",
            "mail_every",
        ]
        read_only_fields = fields

    def get_is_pinned(self, view: SavedView) -> bool:
        return any(pin.user_id == self._user.pk for pin in view.pins.all())

    def get_mail_every(self, view: SavedView) -> str:
        return next((mail.every for mail in view.mails.all() if mail.user_id == self._user.pk), "")


class DashboardSerializer(_SharedSerializer):
    items = serializers.SerializerMethodField(help_text="what stands on it, in order: view 12, or panel history")

    class Meta:
        model = Dashboard
        fields = ["id", "name", "owner", "is_yours", "team", "with_company", "items"]
        read_only_fields = fields

    def get_items(self, dashboard: Dashboard) -> list[str]:
        return dashboards.keys_of(dashboard)


class _SharedViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    permission_classes = [HoldsPermission]
    permission_required = write_permission_required = ""
    lookup_value_regex = r"\d{1,18}"

    def _answer(self, row: Shareable) -> Mapping[str, Any]:
        return self.get_serializer(self.get_queryset().get(pk=row.pk)).data

    def _sent(self, body_class: type[serializers.Serializer]) -> dict[str, Any]:
        body_class(data=self.request.data).is_valid(raise_exception=True)
        return {**self.request.data}


@extend_schema_view(
    list=extend_schema(summary="Saved views: yours and those shared with you"),
    retrieve=extend_schema(summary="One saved view"),
)
class SavedViewViewSet(_SharedViewSet):
    """Pages with their filters, order and grouping under a name. Who opens one sees her own rows in it."""

    queryset = SavedView.objects.select_related("owner", "team").prefetch_related("pins", "mails")
    serializer_class = SavedViewSerializer

    @extend_schema(
        summary="Keep a view of a page; `address` is the page's, without the site",
        request=SavedViewBody,
        responses={201: SavedViewSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a view; what is left out stays. Of somebody else's: pin it, have it mailed to you",
        request=SavedViewBody,
        responses={200: SavedViewSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Delete a view, on home pages and dashboards too", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        with _not_yours():
            keep_views.delete_view(self.get_object(), request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, view: SavedView | None) -> Mapping[str, Any]:
        user, sent = self.request.user, self._sent(SavedViewBody)
        if view and view.owner_id != user.pk and set(sent) - set(PERSONAL):
            raise PermissionDenied(f"{view} is {view.owner}'s, who alone changes it.")
        shown = keep_views.shown_of(view, user) if view else {}

        def make_form(data: Any) -> SavedViewForm:
            return SavedViewForm(data, instance=fresh_copy(view), initial=shown, user=user)

        form = valid_form(make_form, sent)
        chosen, now = form.cleaned_data, timezone.now()
        with refusals(CannotSave), _not_yours():
            saved = keep_views.save_all(
                form.instance, user, chosen.get("address", ""), chosen["pinned"], form.schedule, now
            )
        return self._answer(saved)


@extend_schema_view(
    list=extend_schema(summary="Dashboards: yours and those shared with you"),
    retrieve=extend_schema(summary="One dashboard and what stands on it"),
)
class DashboardViewSet(_SharedViewSet):
    """Saved views and panels of the home page on one page, in an order."""

    queryset = Dashboard.objects.select_related("owner", "team").prefetch_related("items")
    serializer_class = DashboardSerializer

    @extend_schema(
        summary="Make a dashboard", request=DashboardBody, responses={201: DashboardSerializer, 400: REFUSED}
    )
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a dashboard; what is left out stays, and `items` stand for all that are on it",
        request=DashboardBody,
        responses={200: DashboardSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Delete a dashboard: its views stay", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        with _not_yours():
            dashboards.delete_dashboard(self.get_object(), request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, dashboard: Dashboard | None) -> Mapping[str, Any]:
        user, sent = self.request.user, self._sent(DashboardBody)
        if dashboard and dashboard.owner_id != user.pk:
            raise PermissionDenied(f"{dashboard} is {dashboard.owner}'s, who alone changes it.")

        def make_form(data: Any) -> DashboardForm:
            return DashboardBodyForm(data, instance=fresh_copy(dashboard), user=user)

        form = valid_form(make_form, sent)
        keys = form.cleaned_data["items"].splitlines() if "items" in sent else None
        with refusals(CannotSave), _not_yours():
            saved = dashboards.save_dashboard(form.instance, user, keys)
        return self._answer(saved)
