"""Notifications on the site: what is mailed to a person with a login, with read and unread, as each person wants it.

`outbox.queue_email` makes one beside every new email whose kind a pillar registers (registry.NotificationKind), so that
nobody who writes an email has to know of it. Who may not open any more what a notification is about sees no word of it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from finops_site.mail.emails import SiteEmail
from finops_site.models import Notification, NotificationPreference, OutgoingEmail, User
from finops_site.registry import NotificationKind, registry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import DetailPage, Page

NOT_VISIBLE = _lazy("About something that you may not see")


@dataclass(frozen=True, slots=True)
class Preference:
    """Where a person gets one kind; what is always mailed cannot be switched off."""

    kind: NotificationKind
    on_site: bool = True
    by_mail: bool = True


class UnknownKind(ValueError):
    """There is no such kind, or not for her."""


def kind_of(name: str) -> NotificationKind | None:
    return next((kind for kind in registry.of(NotificationKind) if kind.name == name), None)


def notify(email: OutgoingEmail, message: SiteEmail, occasion: str, now: datetime) -> None:
    """Notifies the reader of an email on the site, if she signs in and wants it; once for each occasion.

    An email that is written anew, with newer figures, changes the words of its notification.
    """
    if kind_of(message.kind) is None:
        return
    off = NotificationPreference.objects.filter(user=OuterRef("pk"), kind=message.kind, on_site=False)
    reader = User.objects.filter(~Exists(off), email__iexact=email.to, is_active=True).first()
    if reader is None:
        return
    row = Notification(
        user=reader,
        kind=message.kind,
        text=str(message.subject),
        url=in_this_site(message.url),
        about=in_this_site(message.about),
        occasion=occasion,
        email=email,
        created_at=now,
    )
    Notification.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["user", "occasion"],
        update_fields=["text", "url", "about", "email"],
    )


def take_back(emails: Iterable[OutgoingEmail]) -> None:
    """Removes the notifications of emails that were taken back, unless they were read already."""
    Notification.objects.filter(email__in=[email.pk for email in emails]).unread().delete()


def why_not_mailed(email: OutgoingEmail) -> str:
    """Why a person gets no mail of this kind: she has switched it off, and it may be."""
    kind = kind_of(email.kind)
    if kind is None or kind.always_mailed or email.reader is None:
        return ""
    off = NotificationPreference.objects.filter(user=email.reader, kind=kind.name, by_mail=False)
    return _("{reader} has switched mail of this kind off").format(reader=email.reader) if off.exists() else ""


def teams_seen_by(reader: User | None) -> list[int | str] | None:
    """The teams whose cost somebody sees; None for the whole company, and for an address without a login.

    The scope of her role stands last, as a text: what was written with another one is not hers any more.
    """
    if reader is None or reader.sees_whole_company:
        return None
    scope = [json.dumps(reader.cost_scope, sort_keys=True)] if reader.cost_scope else []
    return [*sorted(reader.visible_team_ids), *scope]


def why_not_hers(email: OutgoingEmail) -> str:
    """Why a reader must not get an email any more: since it was written she lost the role or the team it was for.

    The page that it is about decides, as it does when she opens it; where no page can say, she must see no less than
    when it was written.
    """
    reader, kind = email.reader, kind_of(email.kind)
    if reader is None or kind is None:
        return ""
    if kind.permission and not reader.has_perm(kind.permission):
        return _("{reader} has not the role any more that it was for").format(reader=reader)
    if not email.about or _may_still_read(reader, email):
        return ""
    return _("{reader} may not see any more what it is about").format(reader=reader)


def _may_still_read(reader: User, email: OutgoingEmail) -> bool:
    may_open = pages_open_to(reader, [email.about])[email.about]
    if may_open is False or reader.sees_whole_company:
        return may_open is not False
    is_about_one_thing = _page_of(email.about)[1] is not None
    # Without the teams it was written for somebody who saw the whole company.
    sees_as_much = email.teams_seen is not None and set(email.teams_seen) <= set(teams_seen_by(reader) or ())
    return bool(may_open and is_about_one_thing) or sees_as_much


def preferences_of(user: User) -> list[Preference]:
    """Where a person gets each kind that there is for her, in their order."""
    rows = {row.kind: row for row in user.notification_preferences.all()}
    return [
        Preference(kind, row.on_site, row.by_mail or bool(kind.always_mailed))
        if (row := rows.get(kind.name))
        else Preference(kind)
        for kind in registry.allowed(NotificationKind, user)
    ]


@transaction.atomic
def set_preferences(user: User, wanted: Mapping[str, tuple[bool, bool]]) -> None:
    """Saves {kind: (on the site, by mail)}; others stay as they are. Raises UnknownKind.

    Raises ValueError with the reason where somebody switches off what is always mailed.
    """
    kinds = {kind.name: kind for kind in registry.allowed(NotificationKind, user)}
    for name, (_on_site, by_mail) in wanted.items():
        if name not in kinds:
            raise UnknownKind(
                _("{name!r} is no kind of notification for you: use {names}.").format(
                    name=name, names=", ".join(sorted(kinds))
                )
            )
        if kinds[name].always_mailed and not by_mail:
            raise ValueError(
                _("{label} are always mailed. {always_mailed}").format(
                    label=kinds[name].label, always_mailed=kinds[name].always_mailed
                )
            )
    NotificationPreference.objects.bulk_create(
        [
            NotificationPreference(user=user, kind=name, on_site=on_site, by_mail=by_mail)
            for name, (on_site, by_mail) in wanted.items()
        ],
        update_conflicts=True,
        unique_fields=["user", "kind"],
        update_fields=["on_site", "by_mail"],
    )


def mark_read(user: User, now: datetime, pks: Sequence[int] | None = None) -> int:
    """Marks some of her notifications as read, or all; returns how many were unread."""
    rows = Notification.objects.visible_to(user).unread()
    return (rows if pks is None else rows.filter(pk__in=pks)).update(read_at=now)


def remove_old(now: datetime) -> int:
    """Removes notifications that are older than FINOPS_KEEP_NOTIFICATIONS_DAYS; returns how many."""
    days = settings.FINOPS_KEEP_NOTIFICATIONS_DAYS
    if not days:
        return 0
    return Notification.objects.filter(created_at__lt=now - timedelta(days=days)).delete()[0]


def check_rights(user: User, rows: Sequence[Notification]) -> None:
    """Sets `may_open` of each: whether she may open what it is about, as the page itself decides; and the words for it.

    One question for each kind of page, however many rows there are.
    """
    opens = pages_open_to(user, [row.about for row in rows])
    for row in rows:
        row.may_open = bool(opens[row.about])
        row.words = row.text if row.may_open else NOT_VISIBLE


def pages_open_to(user: User, paths: Iterable[str]) -> dict[str, bool | None]:
    """{address: whether she may open the page there, as the page itself decides}; None where it cannot be told here.

    It cannot of what is no page of ours, and of pages about one thing that look it up in a way of their own.
    """
    places = {path: _page_of(path) for path in paths}
    wanted: dict[type[Page], set[int]] = defaultdict(set)
    for page, pk in places.values():
        if page and pk is not None and page.opens_for(user):
            wanted[page].add(pk)
    visible: dict[type[Page], set[int]] = {
        page: set(page.model._default_manager.visible_to(user).filter(pk__in=pks).values_list("pk", flat=True))
        for page, pks in wanted.items()
        if issubclass(page, DetailPage)
    }
    answers: dict[str, bool | None] = {}
    for path, (page, pk) in places.items():
        if page is None:
            answers[path] = None
        elif not page.opens_for(user):
            answers[path] = False
        elif pk is None:
            answers[path] = True
        else:
            answers[path] = pk in visible[page] if page in visible else None
    return answers


def _page_of(path: str) -> tuple[type[Page] | None, int | None]:
    """The page at an address, and which of its things that is; None where no page of ours is there."""
    try:
        match = resolve(path.partition("?")[0].partition("#")[0])
    except Resolver404:
        return None, None
    view = getattr(match.func, "view_class", None)
    return (view, match.kwargs.get("pk")) if view and issubclass(view, Page) else (None, None)


def in_this_site(url: str) -> str:
    """An address without the name of the site."""
    return url.removeprefix(settings.SITE_URL.rstrip("/"))[:1000]
