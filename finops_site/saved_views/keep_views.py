"""What people do with saved views: keep, change, share, pin, have mailed, delete. Pages and the API call these."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from finops_site.models import SavedView, User, ViewMail, ViewPin
from finops_site.saved_views.opened_pages import read_address
from finops_site.saved_views.sharing import CannotSave, check_owner, save_row

MOST_PINS = 6
LAST_DAY = 28


@dataclass(frozen=True, slots=True)
class MailSchedule:
    """When a view is mailed: `every` is a ViewMail.Every, or empty for never; `weekday` 0 is Monday, `day` 1 to 28."""

    every: str = ""
    weekday: int = 0
    day: int = 1


@transaction.atomic
def save_view(view: SavedView, user: User, address: str = "") -> SavedView:
    """Keeps a view that is named, with the page and filters of `address`; a new one needs it.

    Raises CannotSave, NotYours for somebody else's.
    """
    if view.pk is None:
        view.owner = user
    check_owner(view, user)
    if address or view.pk is None:
        view.path, view.query = read_address(user, address)
    save_row(view, user)
    return view


@transaction.atomic
def save_all(
    view: SavedView, user: User, address: str, pinned: bool, schedule: MailSchedule, now: datetime
) -> SavedView:
    """What the form of a view says, at once: of somebody else's view only what she does with it for herself."""
    if view.pk is None or view.owner_id == user.pk:
        save_view(view, user, address)
    if pinned:
        pin(view, user, now)
    else:
        unpin(view, user)
    mail_view(view, user, schedule, now.date())
    return view


def delete_view(view: SavedView, user: User) -> None:
    """Takes a view away, also from the home pages and dashboards that have it. Raises NotYours."""
    check_owner(view, user)
    view.delete()


def pinned_views(user: User) -> QuerySet[SavedView]:
    """What she has on her home page, the oldest first, of what she still may see."""
    views = SavedView.objects.visible_to(user).filter(pins__user=user)
    return views.select_related("owner").order_by("pins__pinned_at", "pins__pk")[:MOST_PINS]


@transaction.atomic
def pin(view: SavedView, user: User, now: datetime) -> None:
    """Puts a view on her home page. Raises CannotSave where there are six."""
    User.objects.select_for_update().get(pk=user.pk)
    # What she may not see any more stands in nobody's way.
    here = ViewPin.objects.filter(user=user, view__in=SavedView.objects.visible_to(user))
    if here.filter(view=view).exists():
        return
    if here.count() >= MOST_PINS:
        raise CannotSave(_("Home has room for {most} views: take one away first.").format(most=MOST_PINS))
    ViewPin.objects.create(user=user, view=view, pinned_at=now)


def unpin(view: SavedView, user: User) -> None:
    ViewPin.objects.filter(user=user, view=view).delete()


@transaction.atomic
def mail_view(view: SavedView, user: User, schedule: MailSchedule, today: date) -> None:
    """Has a view mailed to her, and to nobody else, or stops that; a new schedule begins today. Raises CannotSave."""
    mails = ViewMail.objects.filter(user=user, view=view)
    if not schedule.every:
        mails.delete()
        return
    if schedule.every not in ViewMail.Every or schedule.weekday not in range(7):
        raise CannotSave(_("A view is mailed every week on a weekday, or every month on a day."))
    if schedule.day not in range(1, LAST_DAY + 1):
        raise CannotSave(
            _("Of a month choose a day from 1 to {last_day}: every month has it.").format(last_day=LAST_DAY)
        )
    chosen = {"every": schedule.every, "weekday": schedule.weekday, "day": schedule.day}
    if not mails.filter(**chosen).exists():
        ViewMail.objects.update_or_create(user=user, view=view, defaults={**chosen, "since": today})


def schedule_of(view: SavedView, user: User) -> MailSchedule:
    row = ViewMail.objects.filter(user=user, view=view).first()
    return MailSchedule(row.every, row.weekday, row.day) if row else MailSchedule()


def shown_of(view: SavedView, user: User) -> dict[str, Any]:
    """What the form of a view shows of what she does with it for herself."""
    schedule = schedule_of(view, user)
    return {
        "pinned": ViewPin.objects.filter(user=user, view=view).exists(),
        "mail_every": schedule.every,
        "mail_weekday": schedule.weekday,
        "mail_day": schedule.day,
    }
