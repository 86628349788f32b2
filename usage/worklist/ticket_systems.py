"""Tickets in Jira, GitHub and behind webhooks: what is sent, and what the answer says. No database here.

A try whose outcome is not known is looked for before the next one, by a word that only this ticket has in its text.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from finops_site.lib import http_client
from finops_site.mail import chat


@dataclass(frozen=True, slots=True)
class TicketPlace:
    """Where a ticket goes: a tracker with its secret in the clear, for the moment of one request."""

    system: str
    url: str
    project: str
    issue_type: str
    secret: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TicketText:
    """A ticket: `mark` is a word that no other ticket has, and `facts` what a webhook gets beside the text."""

    mark: str
    title: str
    text: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TicketAddress:
    """Where a ticket is, and what its tracker calls it; both may be empty, as of webhooks that answer nothing."""

    url: str = ""
    reference: str = ""


def make_ticket(place: TicketPlace, ticket: TicketText, now: datetime) -> TicketAddress:
    """Makes it. Raises http_client.Undeliverable with the reason where that fails."""
    makers: dict[str, Callable[[TicketPlace, TicketText, datetime], TicketAddress]] = {
        "jira": _make_in_jira,
        "github": _make_in_github,
        "webhook": _post_to_webhook,
    }
    if place.system not in makers:
        raise http_client.Undeliverable(_("{system} is no kind of tracker.").format(system=place.system))
    return makers[place.system](place, ticket, now)


def find_ticket(place: TicketPlace, ticket: TicketText) -> TicketAddress | None:
    """A ticket that an earlier try made after all; None where there is none, or where nobody can be asked."""
    if place.system == "jira":
        search = {
            "jql": f'project = "{place.project}" AND labels = "{ticket.mark}"',
            "maxResults": 1,
            "fields": ["key"],
        }
        # Jira's cloud has another address for it than a server of one's own.
        path = "/rest/api/3/search/jql" if _is_cloud(place) else "/rest/api/2/search"
        issues = _post(place, path, search, _jira_headers(place)).get("issues") or []
        return _jira_address(place, issues[0]) if issues else None
    if place.system == "github":
        question = "query($q: String!) {search(query: $q, type: ISSUE, first: 1) {nodes {... on Issue {url number}}}}"
        words = f'repo:{place.project} in:body "{ticket.mark}"'
        # A server of one's own has its REST interface below /api/v3, and this one beside that.
        base = replace(place, url=place.url.rstrip("/").removesuffix("/v3"))
        answer = _post(base, "/graphql", {"query": question, "variables": {"q": words}}, _github_headers(place))
        nodes = ((answer.get("data") or {}).get("search") or {}).get("nodes") or []
        return TicketAddress(str(nodes[0]["url"]), f"{place.project}#{nodes[0]['number']}") if nodes else None
    # Who receives a webhook knows the second try by its name.
    return None


def _make_in_jira(place: TicketPlace, ticket: TicketText, now: datetime) -> TicketAddress:
    fields = {
        "project": {"key": place.project},
        "issuetype": {"name": place.issue_type or "Task"},
        "summary": ticket.title[:250],
        "description": ticket.text,
        "labels": ["finops", ticket.mark],
    }
    return _jira_address(place, _post(place, "/rest/api/2/issue", {"fields": fields}, _jira_headers(place)))


def _jira_address(place: TicketPlace, issue: Mapping[str, Any]) -> TicketAddress:
    key = str(issue.get("key") or "")
    return TicketAddress(f"{place.url.rstrip('/')}/browse/{key}" if key else "", key)


def _is_cloud(place: TicketPlace) -> bool:
    return (urlsplit(place.url).hostname or "").endswith(".atlassian.net")


def _jira_headers(place: TicketPlace) -> dict[str, str]:
    """In the cloud an address and a token, on a server a token alone."""
    email, token = place.secret.get("email", ""), place.secret.get("token", "")
    if email:
        return {"Authorization": f"Basic {base64.b64encode(f'{email}:{token}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"}


def _make_in_github(place: TicketPlace, ticket: TicketText, now: datetime) -> TicketAddress:
    body = {"title": ticket.title[:250], "body": f"{ticket.text}\n\n`{ticket.mark}`", "labels": ["finops"]}
    issue = _post(place, f"/repos/{place.project.strip('/')}/issues", body, _github_headers(place))
    number = issue.get("number")
    return TicketAddress(str(issue.get("html_url") or ""), f"{place.project}#{number}" if number else "")


def _github_headers(place: TicketPlace) -> dict[str, str]:
    return {"Authorization": f"Bearer {place.secret.get('token', '')}", "Accept": "application/vnd.github+json"}


def _post_to_webhook(place: TicketPlace, ticket: TicketText, now: datetime) -> TicketAddress:
    body = {"id": ticket.mark, "title": ticket.title, "text": ticket.text, **ticket.facts}
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "X-FinOps-Delivery": ticket.mark}
    if secret := place.secret.get("hmac", ""):
        headers["X-FinOps-Signature"] = chat.signature(content, secret, now)
    answer = http_client.post(place.url, content, headers, allowed=settings.FINOPS_HTTP_ALLOWED_HOSTS)
    ticket_in = _object_in(answer.body)
    url = str(ticket_in.get("url") or "")
    return TicketAddress(url if url.startswith("https://") else "", str(ticket_in.get("reference") or ""))


def _post(place: TicketPlace, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """Posts JSON and reads the object that is answered."""
    content = json.dumps(body, ensure_ascii=False).encode()
    named = {"Content-Type": "application/json; charset=utf-8", **headers}
    url = place.url.rstrip("/") + path
    return _object_in(http_client.post(url, content, named, allowed=settings.FINOPS_HTTP_ALLOWED_HOSTS).body)


def _object_in(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; nothing where it is none: a made ticket without an address is made all the same."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
