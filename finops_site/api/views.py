"""Who is asking, and the API's pages for people."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, HoldsPermission
from finops_site.models import Membership, User, check_time_zone
from finops_site.people.reader_language import zone_of
from finops_site.people.roles import role_name_of


class Docs(LoginRequiredMixin, SpectacularSwaggerSplitView):
    """The API's pages for people, under a policy of their own: they style their parts inline."""

    POLICY = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
    )

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().get(request, *args, **kwargs)
        response["Content-Security-Policy"] = self.POLICY
        return response


class MembershipSerializer(serializers.ModelSerializer):
    team = serializers.CharField(source="team.name")
    team_id = serializers.IntegerField()

    class Meta:
        model = Membership
        fields = ["team_id", "team", "role"]


class MeSerializer(serializers.ModelSerializer):
    role = serializers.SerializerMethodField()
    sees_whole_company = serializers.BooleanField()
    cost_scope = serializers.JSONField(
        help_text="{filter: values} of cost she sees beside that of her teams; {} for none"
    )
    memberships = MembershipSerializer(many=True)
    language = serializers.CharField(help_text="en, de or fr; empty: as the browser says")
    time_zone = serializers.SerializerMethodField(help_text="her own, else the company's, else UTC")

    class Meta:
        model = User
        fields = ["email", "name", "language", "time_zone", "role", "sees_whole_company", "cost_scope", "memberships"]

    def get_time_zone(self, user: User) -> str:
        return str(zone_of(user))

    def get_role(self, user: User) -> str:
        return role_name_of(user)


class MySettingsSerializer(serializers.ModelSerializer):
    """What is left out stays; empty for what the browser and the company say."""

    class Meta:
        model = User
        fields = ["language", "time_zone"]

    def validate_time_zone(self, value: str) -> str:
        try:
            check_time_zone(value)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages) from None
        return value


class Me(APIView):
    permission_classes = [HoldsPermission]
    permission_required = write_permission_required = ""

    @extend_schema(summary="Who is asking", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(request.user).data)

    @extend_schema(
        summary="Choose your language and time zone",
        request=MySettingsSerializer,
        responses={200: MeSerializer, 400: BadRequest},
    )
    def patch(self, request: Request) -> Response:
        serializer = MySettingsSerializer(User.objects.get(pk=request.user.pk), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return Response(MeSerializer(serializer.save()).data)
