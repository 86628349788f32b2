"""The API of one's own tokens."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, HoldsPermission, refusals
from finops_site.api.form_bodies import body_of, valid_form
from finops_site.models import ApiToken
from finops_site.people.tokens import CannotMakeToken, TokenWish, end_token, make_token, renew_token
from finops_site.sign_in.token_forms import TokenForm

TokenBody = body_of("TokenBody", TokenForm)
REFUSED = OpenApiResponse(BadRequest, "A field is wrong, or the token that asks may do less.")
# What `me/token/` makes for whoever is signed in without one.
USUAL_NAME = "API"


class ApiTokenSerializer(serializers.ModelSerializer):
    begins_with = serializers.CharField(source="key_start")

    class Meta:
        model = ApiToken
        fields = ["id", "name", "scope", "pillars", "begins_with", "created_at", "expires_at", "last_used_at"]


class NewTokenSerializer(ApiTokenSerializer):
    token = serializers.CharField(help_text="shown this once: send it as `Authorization: Token ...`")
    created = serializers.DateTimeField(source="created_at")

    class Meta(ApiTokenSerializer.Meta):
        fields = ["token", "created", *ApiTokenSerializer.Meta.fields]


def _fresh(token_and_key: tuple[ApiToken, str]) -> Response:
    token, key = token_and_key
    token.token = key  # type: ignore[attr-defined]
    return Response(NewTokenSerializer(token).data, status=status.HTTP_201_CREATED)


def _asking(request: Request) -> ApiToken | None:
    return request.auth if isinstance(request.auth, ApiToken) else None


class MyTokens(APIView):
    permission_classes = [HoldsPermission]
    permission_required = write_permission_required = ""

    @extend_schema(summary="Your tokens, without their keys", responses=ApiTokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(ApiTokenSerializer(request.user.api_tokens.all(), many=True).data)

    @extend_schema(
        summary="Make a token: it may do no more than one that asks for it",
        request=TokenBody,
        responses={201: NewTokenSerializer, 400: REFUSED},
    )
    def post(self, request: Request) -> Response:
        TokenBody(data=request.data).is_valid(raise_exception=True)
        form = valid_form(lambda data: TokenForm(data), {**request.data})
        with refusals(CannotMakeToken):
            return _fresh(make_token(request.user, form.wish(), timezone.now(), asked_by=_asking(request)))


class OneOfMyTokens(APIView):
    permission_classes = [HoldsPermission]
    permission_required = write_permission_required = ""

    @extend_schema(summary="End a token of yours", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        token = request.user.api_tokens.filter(pk=pk).first()
        if token is None:
            raise NotFound
        end_token(token)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MyToken(APIView):
    """The token that asks; of somebody who is signed in by the site, the one called API."""

    permission_classes = [HoldsPermission]
    permission_required = write_permission_required = ""

    @extend_schema(
        summary="Make this token anew; the one before stops working",
        request=None,
        responses={201: NewTokenSerializer, 400: REFUSED},
    )
    def post(self, request: Request) -> Response:
        now = timezone.now()
        if token := self._token(request):
            return _fresh(renew_token(token, now))
        with refusals(CannotMakeToken):
            return _fresh(make_token(request.user, TokenWish(USUAL_NAME, ApiToken.Scope.WRITE), now))

    @extend_schema(summary="Stop this token from working", responses={204: None})
    def delete(self, request: Request) -> Response:
        if token := self._token(request):
            end_token(token)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _token(self, request: Request) -> Any:
        return _asking(request) or request.user.api_tokens.filter(name=USUAL_NAME).first()
