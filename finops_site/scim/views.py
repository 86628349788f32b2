"""SCIM 2.0 (RFC 7643, 7644) below /scim/v2/: what an identity provider makes, changes and takes away."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.parsers import JSONParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.json_bodies import JsonBodies
from finops_site.models import ScimGroup, User
from finops_site.scim import provisioning, requests, resources
from finops_site.scim.requests import ScimError
from finops_site.scim.tokens import ScimAuthentication

SCIM_JSON = "application/scim+json"


class ScimBodies(JsonBodies):
    media_type = SCIM_JSON


class PlainBodies(JsonBodies):
    media_type = JSONParser.media_type


class ScimRenderer(JSONRenderer):
    media_type = SCIM_JSON
    format = "scim"


class ScimView(APIView):
    """What all of them share: a token of SCIM, its media type, and its own form of an error."""

    # It is described by itself, under /scim/v2/Schemas.
    schema = None
    authentication_classes = [ScimAuthentication]
    permission_classes = [IsAuthenticated]
    parser_classes = [ScimBodies, PlainBodies]
    renderer_classes = [ScimRenderer, JSONRenderer]

    def handle_exception(self, error: Exception) -> Response:
        detail, code, kind = "", 0, ""
        if isinstance(error, ScimError):
            detail, code, kind = str(error), error.status, error.kind
        elif isinstance(error, Http404):
            detail, code = "There is no such resource.", 404
        elif isinstance(error, APIException):
            detail, code = str(error.detail), error.status_code
        if not code:
            return super().handle_exception(error)
        body: dict[str, Any] = {"schemas": [f"{resources.MESSAGES}:Error"], "status": str(code), "detail": detail}
        response = Response({**body, **({"scimType": kind} if kind else {})}, status=code)
        if code == status.HTTP_401_UNAUTHORIZED:
            response["WWW-Authenticate"] = "Bearer"
        if wait := getattr(error, "wait", None):
            response["Retry-After"] = str(int(wait))
        response.exception = True
        return response


def _page(request: Request, rows: QuerySet, resource: Any) -> Response:
    first, count = requests.read_page(request.query_params)
    total = rows.count()
    shown = [resource(row) for row in rows.order_by("pk")[first - 1 : first - 1 + count]]
    return Response(resources.list_of(shown, total, first))


class Users(ScimView):
    def get(self, request: Request) -> Response:
        wanted = requests.read_filter(request.query_params.get("filter", ""))
        rows = provisioning.find_people(*wanted) if wanted else provisioning.people()
        return _page(request, rows, resources.person_resource)

    def post(self, request: Request) -> Response:
        person = provisioning.make_person(requests.person_of_body(request.data))
        return _made(resources.person_resource(person))


class OneUser(ScimView):
    def get(self, request: Request, pk: int) -> Response:
        return Response(resources.person_resource(_person(pk)))

    def put(self, request: Request, pk: int) -> Response:
        return self._change(pk, requests.person_of_body(request.data))

    def patch(self, request: Request, pk: int) -> Response:
        return self._change(pk, requests.person_of_patch(request.data))

    def delete(self, request: Request, pk: int) -> Response:
        provisioning.remove_person(_person(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _change(self, pk: int, change: requests.PersonChange) -> Response:
        return Response(resources.person_resource(provisioning.change_person(_person(pk), change)))


class Groups(ScimView):
    def get(self, request: Request) -> Response:
        wanted = requests.read_filter(request.query_params.get("filter", ""))
        rows = provisioning.find_groups(*wanted) if wanted else provisioning.groups()
        return _page(request, rows, resources.group_resource)

    def post(self, request: Request) -> Response:
        group = provisioning.save_group(ScimGroup(), requests.group_of_body(request.data))
        return _made(resources.group_resource(group))


class OneGroup(ScimView):
    def get(self, request: Request, pk: int) -> Response:
        return Response(resources.group_resource(_group(pk)))

    def put(self, request: Request, pk: int) -> Response:
        return self._change(pk, requests.group_of_body(request.data))

    def patch(self, request: Request, pk: int) -> Response:
        return self._change(pk, requests.group_of_patch(request.data))

    def delete(self, request: Request, pk: int) -> Response:
        provisioning.remove_group(_group(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _change(self, pk: int, change: requests.GroupChange) -> Response:
        return Response(resources.group_resource(provisioning.save_group(_group(pk), change)))


class ServiceProviderConfig(ScimView):
    def get(self, request: Request) -> Response:
        return Response(resources.service_provider_config())


class ResourceTypes(ScimView):
    def get(self, request: Request) -> Response:
        types = resources.resource_types()
        return Response(resources.list_of(types, len(types), 1))


class Schemas(ScimView):
    def get(self, request: Request) -> Response:
        schemas = resources.schemas()
        return Response(resources.list_of(schemas, len(schemas), 1))


def _made(resource: dict[str, Any]) -> Response:
    response = Response(resource, status=status.HTTP_201_CREATED)
    response["Location"] = resource["meta"]["location"]
    return response


def _person(pk: int) -> User:
    person = provisioning.people().filter(pk=pk).first()
    if person is None:
        raise Http404
    return person


def _group(pk: int) -> ScimGroup:
    group = provisioning.groups().filter(pk=pk).first()
    if group is None:
        raise Http404
    return group
