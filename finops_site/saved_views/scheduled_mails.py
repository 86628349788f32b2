"""Saved views by mail: to the person who asked for it, once for each week or month, however often this runs.

What is due is found by day, so a night that was missed is caught up; of several missed ones the last is sent.
"""

import logging
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import formatted
from finops_site.lib.periods import WEEKDAYS, Month, day_text
from finops_site.mail.emails import absolute_url, make_message
from finops_site.mail.outbox import queue_email
from finops_site.models import SavedView, User, ViewMail
from finops_site.people.reader_language import in_language_of
from finops_site.saved_views.opened_pages import figures_of, page_label
from finops_site.ui.figures import figure_text, signed_text
from finops_site.ui.view_figures import Figures

logger = logging.getLogger(__name__)


def last_day_of(row: ViewMail, today: date) -> date:
    """The last day up to `today` that the view is mailed for."""
    if row.every == ViewMail.Every.WEEK:
        return today - timedelta(days=(today.weekday() - row.weekday) % 7)
    month = Month.of(today) if today.day >= row.day else Month.of(today).previous
    return month.start.replace(day=row.day)


def is_due(row: ViewMail, today: date) -> bool:
    day = last_day_of(row, today)
    return day >= row.since and (row.queued_for is None or row.queued_for < day)


def schedule_text(row: ViewMail) -> str:
    """``every Monday``, ``every month on day 3``."""
    if row.every == ViewMail.Every.WEEK:
        return _("every {weekday}").format(weekday=_(WEEKDAYS[row.weekday]))
    return _("every month on day {day}").format(day=row.day)


def send_due_views(now: datetime) -> int:
    """Queues what is due of those who may sign in; returns how many mails were queued."""
    due = [row.pk for row in _rows() if is_due(row, now.date())]
    return sum(_send_one(pk, now) for pk in due)


def _rows() -> QuerySet[ViewMail]:
    return ViewMail.objects.filter(user__is_active=True)


def _send_one(pk: int, now: datetime) -> bool:
    """One view to one person; what fails is tried again by the next run and stops no other."""
    try:
        with transaction.atomic():
            row = _rows().filter(pk=pk).select_for_update(skip_locked=True, of=("self",)).first()
            return bool(row and is_due(row, now.date()) and _queue(row, now))
    except Exception:
        logger.exception("saved view by mail: %s", pk)
        return False


def _queue(row: ViewMail, now: datetime) -> bool:
    day, user = last_day_of(row, now.date()), User.objects.get(pk=row.user_id)
    view = SavedView.objects.visible_to(user).select_related("owner").filter(pk=row.view_id).first()
    row.queued_for = day
    row.save(update_fields=["queued_for"])
    # What is not shared with her any more is mailed no more, and again once it is.
    if view is None:
        return False
    settings_url = absolute_url(reverse("saved_view", args=[view.pk]))
    with in_language_of(user):
        context = {**_context(view, user, row, day), "settings_url": settings_url}
        message = make_message("saved-view", user.email, context, unsubscribe_url=settings_url)
    return queue_email(f"saved view {view.pk} for person {user.pk} of {day}", message, now=now)


def _context(view: SavedView, user: User, row: ViewMail, day: date) -> dict[str, Any]:
    shown = figures_of(user, view)
    return {
        "view": view,
        "page": page_label(view.path),
        "figures": [_in_words(one) for one in shown.figures],
        "shown": shown,
        "url": absolute_url(view.open_url),
        "when": schedule_text(row),
        "day": day_text(day),
        "sharer": None if view.owner_id == user.pk else view.owner,
    }


def _in_words(one: Figures) -> dict[str, Any]:
    return {
        "title": one.title,
        "total": _amount(one, one.total),
        "rows": [(row.label, _amount(one, row.amount)) for row in one.rows],
        "more": one.more,
    }


def _amount(one: Figures, amount: Any) -> str:
    if amount is None:
        return _("not known")
    if one.is_change:
        return signed_text(amount, one.currency)
    return f"{figure_text(amount)} {one.unit}" if one.unit else f"{formatted(amount, one.currency)} {one.currency}"
