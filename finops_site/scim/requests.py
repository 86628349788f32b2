"""What an identity provider sends by SCIM 2.0: Okta's, Entra ID's and everybody's way of writing it, read into one."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MOST_OPERATIONS = 100
MOST_ROWS, USUAL_ROWS = 200, 100
FILTER = re.compile(r'\s*([A-Za-z][\w.]*(?:\[type eq "work"\]\.value)?)\s+eq\s+("(?:[^"\\]|\\.)*")\s*', re.IGNORECASE)
MEMBER = re.compile(r'members\[value eq ("(?:[^"\\]|\\.)*")\]', re.IGNORECASE)
EMAIL_PATHS = ("emails", "emails.value", 'emails[type eq "work"].value', "emails[primary eq true].value")


class ScimError(Exception):
    """What is answered in SCIM's own form of an error, with its status and its kind."""

    def __init__(self, detail: str, status: int = 400, kind: str = "") -> None:
        super().__init__(detail)
        self.status, self.kind = status, kind


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What is sent about a person; None where it says nothing of it."""

    user_name: str | None = None
    email: str | None = None
    external_id: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    is_active: bool | None = None

    def name_after(self, before: str) -> str:
        """The name that she has after the change."""
        if self.name:
            return self.name
        if self.given_name is None and self.family_name is None:
            return before
        given, _space, family = before.partition(" ")
        parts = (
            given if self.given_name is None else self.given_name,
            family if self.family_name is None else self.family_name,
        )
        return " ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What is sent about a group: `members` stand for all of them, `added` and `removed` for some."""

    display_name: str | None = None
    external_id: str | None = None
    members: frozenset[str] | None = None
    added: frozenset[str] = field(default_factory=frozenset)
    removed: frozenset[str] = field(default_factory=frozenset)


def read_filter(text: str) -> tuple[str, str] | None:
    """(attribute, value) of ``userName eq "kim@example.com"``; None for no filter. Raises ScimError for any other."""
    if not text:
        return None
    match = FILTER.fullmatch(text[:1000])
    if not match:
        raise ScimError('Filter by one attribute and eq, like userName eq "kim@example.com".', 400, "invalidFilter")
    try:
        return match[1].lower(), str(json.loads(match[2]))
    except ValueError:
        raise ScimError("The value of the filter cannot be read.", 400, "invalidFilter") from None


def read_page(sent: Mapping[str, str]) -> tuple[int, int]:
    """(the first row, how many of them) of startIndex and count; out of bounds is the nearest bound, as SCIM has it."""
    numbers = []
    for name, usual in (("startIndex", 1), ("count", USUAL_ROWS)):
        text = sent.get(name) or str(usual)
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise ScimError(f"{name} is a number.", 400, "invalidValue")
        numbers.append(int(text))
    return max(1, numbers[0]), min(MOST_ROWS, max(0, numbers[1]))


def person_of_body(body: Any) -> PersonChange:
    """The whole of a person, as she is made or replaced. What it leaves out of her being active says that she is."""
    sent = _object(body)
    change = PersonChange(is_active=True)
    for name, value in sent.items():
        change = _with_attribute(change, name, value)
    return change


def person_of_patch(body: Any) -> PersonChange:
    """What a PATCH changes of a person."""
    change = PersonChange()
    for verb, path, value in _operations(body):
        if verb == "remove":
            if path.lower() == "active":
                raise ScimError("Nobody is neither active nor not.", 400, "mutability")
            continue
        if path:
            change = _with_attribute(change, path, value)
        else:
            # Okta names the attributes inside of the value.
            for name, part in _object(value).items():
                change = _with_attribute(change, name, part)
    return change


def group_of_body(body: Any) -> GroupChange:
    """The whole of a group, as it is made or replaced."""
    sent = {str(name).lower(): value for name, value in _object(body).items()}
    return GroupChange(
        display_name=_text(sent.get("displayname"), "displayName"),
        external_id=_text(sent.get("externalid"), "externalId"),
        members=_members(sent.get("members") or []),
    )


def group_of_patch(body: Any) -> GroupChange:
    """What a PATCH changes of a group."""
    change = GroupChange()
    for verb, path, value in _operations(body):
        if not path:
            for name, part in _object(value).items():
                change = _group_with(change, verb, str(name), part)
        else:
            change = _group_with(change, verb, path, value)
    return change


def _group_with(change: GroupChange, verb: str, path: str, value: Any) -> GroupChange:
    name = path.lower()
    one = MEMBER.fullmatch(path)
    if verb == "remove" and one:
        return _without(change, frozenset({str(json.loads(one[1]))}))
    if name == "members":
        if verb == "remove":
            # Without a value it means everybody.
            return replace(change, members=frozenset()) if value is None else _without(change, _members(value))
        if verb == "replace":
            return replace(change, members=_members(value), added=frozenset(), removed=frozenset())
        return replace(change, added=change.added | _members(value), removed=change.removed - _members(value))
    if name == "displayname" and verb != "remove":
        return replace(change, display_name=_text(value, path))
    if name == "externalid" and verb != "remove":
        return replace(change, external_id=_text(value, path))
    return change


def _without(change: GroupChange, members: frozenset[str]) -> GroupChange:
    return replace(change, added=change.added - members, removed=change.removed | members)


def _with_attribute(change: PersonChange, path: str, value: Any) -> PersonChange:
    """The change with one attribute more; of those that are none of ours nothing is kept."""
    name = path.lower()
    if name == "active":
        return replace(change, is_active=_truth(value))
    if name == "name" and isinstance(value, Mapping):
        for part, text in value.items():
            change = _with_attribute(change, f"name.{part}", text)
        return change
    if name in EMAIL_PATHS:
        return replace(change, email=_email(value))
    fields = {
        "username": "user_name",
        "externalid": "external_id",
        "displayname": "name",
        "name.formatted": "name",
        "name.givenname": "given_name",
        "name.familyname": "family_name",
    }
    known = fields.get(name)
    if known == "name" and change.name and name != "displayname":
        # The name that is shown stands before the one that is put together.
        return change
    changes: dict[str, Any] = {known: _text(value, path)} if known else {}
    return replace(change, **changes)


def _operations(body: Any) -> Iterator[tuple[str, str, Any]]:
    sent = {str(name).lower(): value for name, value in _object(body).items()}
    operations = sent.get("operations")
    if not isinstance(operations, list) or len(operations) > MOST_OPERATIONS:
        raise ScimError(f"Operations is a list of at most {MOST_OPERATIONS}.", 400, "invalidSyntax")
    for entry in operations:
        one = {str(name).lower(): value for name, value in _object(entry).items()}
        verb, path = str(one.get("op", "")).lower(), one.get("path") or ""
        if verb not in ("add", "replace", "remove") or not isinstance(path, str):
            raise ScimError("An operation is add, replace or remove.", 400, "invalidSyntax")
        if verb == "remove" and not path:
            raise ScimError("To remove something needs its path.", 400, "noTarget")
        yield verb, path, one.get("value")


def _members(value: Any) -> frozenset[str]:
    listed = value if isinstance(value, list) else [value]
    return frozenset(str(_object(one).get("value", "")) for one in listed)


def _email(value: Any) -> str | None:
    """The address that counts of several: the primary one, else the first."""
    if not isinstance(value, list):
        return _text(value, "emails")
    rows = [one for one in value if isinstance(one, Mapping)]
    best = next((one for one in rows if one.get("primary") in (True, "True", "true")), rows[0] if rows else None)
    return _text(best.get("value"), "emails") if best else None


def _truth(value: Any) -> bool:
    """A yes or no; Entra ID writes it as a text."""
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ScimError("active is true or false.", 400, "invalidValue")
    return text == "true"


def _text(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value:
        raise ScimError(f"{name[:80]} is a text.", 400, "invalidValue")
    return value.strip().encode(errors="replace").decode()


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ScimError("What was sent is no object of SCIM.", 400, "invalidSyntax")
    return value
