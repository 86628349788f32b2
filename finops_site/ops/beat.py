"""The scheduler of periodic tasks: the database's, where an administrator's edit lasts."""

from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


class Scheduler(DatabaseScheduler):
    """Writes the schedule of the settings for tasks it does not know yet, and leaves the others as the admin has them.

    django-celery-beat's own writes the settings over the database at each start.
    """

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        known = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in known})
