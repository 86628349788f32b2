"""People and groups as SCIM writes them, and what the service says about itself."""

from typing import Any

from django.urls import reverse

from finops_site.mail.emails import absolute_url
from finops_site.models import ScimGroup, User
from finops_site.scim.requests import MOST_ROWS

CORE = "urn:ietf:params:scim:schemas:core:2.0"
MESSAGES = "urn:ietf:params:scim:api:messages:2.0"


def person_resource(person: User) -> dict[str, Any]:
    scim = getattr(person, "scim", None)
    given, _space, family = person.name.partition(" ")
    url = absolute_url(reverse("scim:user", args=[person.pk]))
    return {
        "schemas": [f"{CORE}:User"],
        "id": str(person.pk),
        **({"externalId": scim.external_id} if scim and scim.external_id else {}),
        "userName": (scim and scim.user_name) or person.email,
        "displayName": str(person),
        "name": {"formatted": person.name, "givenName": given, "familyName": family},
        "emails": [{"value": person.email, "type": "work", "primary": True}],
        "active": person.is_active,
        "groups": [{"value": str(group.pk), "display": group.display_name} for group in person.scim_groups.all()],
        "meta": {"resourceType": "User", "created": person.date_joined.isoformat(), "location": url},
    }


def group_resource(group: ScimGroup) -> dict[str, Any]:
    return {
        "schemas": [f"{CORE}:Group"],
        "id": str(group.pk),
        **({"externalId": group.external_id} if group.external_id else {}),
        "displayName": group.display_name,
        "members": [
            {"value": str(person.pk), "display": str(person), "type": "User"} for person in group.members.all()
        ],
        "meta": {"resourceType": "Group", "location": absolute_url(reverse("scim:group", args=[group.pk]))},
    }


def list_of(resources: list[dict[str, Any]], total: int, first: int) -> dict[str, Any]:
    return {
        "schemas": [f"{MESSAGES}:ListResponse"],
        "totalResults": total,
        "startIndex": first,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def service_provider_config() -> dict[str, Any]:
    no = {"supported": False}
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {**no, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_ROWS},
        "changePassword": no,
        "sort": no,
        "etag": no,
        "authenticationSchemes": [
            {"type": "oauthbearertoken", "name": "Bearer token", "description": "Made under People.", "primary": True}
        ],
    }


def resource_types() -> list[dict[str, Any]]:
    return [
        {
            "schemas": [f"{CORE}:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "schema": f"{CORE}:{name}",
        }
        for name in ("User", "Group")
    ]


def _attribute(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    usual = {"multiValued": False, "required": False, "mutability": "readWrite", "returned": "default"}
    return {"name": name, "type": kind, **usual, "uniqueness": "none", "caseExact": False, **more}


def schemas() -> list[dict[str, Any]]:
    """The attributes that are kept; all others that a provider sends are none of ours."""
    names = [_attribute(name) for name in ("formatted", "givenName", "familyName")]
    addresses = [_attribute("value"), _attribute("type"), _attribute("primary", "boolean")]
    of_user = [
        _attribute("userName", required=True, uniqueness="server"),
        _attribute("externalId", caseExact=True),
        _attribute("displayName"),
        _attribute("name", "complex", subAttributes=names),
        _attribute("emails", "complex", multiValued=True, subAttributes=addresses),
        _attribute("active", "boolean"),
    ]
    of_group = [
        _attribute("displayName", required=True, uniqueness="server"),
        _attribute("externalId", caseExact=True),
        _attribute("members", "complex", multiValued=True, subAttributes=[_attribute("value"), _attribute("display")]),
    ]
    return [
        {"schemas": [f"{CORE}:Schema"], "id": f"{CORE}:{name}", "name": name, "attributes": attributes}
        for name, attributes in (("User", of_user), ("Group", of_group))
    ]
