"""What the demo company made: each table's rows by their ids, noted while it was made.

The demo is made in an empty site and before anybody can come in, so what a table grew by meanwhile is the demo's.
What people did since is theirs, but for the demo people.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from django.db import transaction
from django.db.models import AutoField, Max, Model, ProtectedError, Q, QuerySet, RestrictedError
from django.utils.translation import gettext as _

from finops_site.models import AuditEntry, DemoCompany, Team, User
from finops_site.pillars import installed_pillars

Rows = TypeVar("Rows", bound=QuerySet)


def demo_company() -> DemoCompany | None:
    """The demo company while it is here."""
    return DemoCompany.objects.filter(removed_at=None).first()


@contextmanager
def noted_as_demo() -> Iterator[None]:
    """Notes what every table grows by meanwhile, also where it is not finished."""
    company = demo_company() or DemoCompany.objects.create()
    before = _newest_ids()
    try:
        yield
    finally:
        _note_growth(company, before)


@contextmanager
def made_as_demo() -> Iterator[DemoCompany]:
    """The demo company is being made meanwhile, which pages say; where that ends halfway it stays so.

    Yields it, to say how far it is. `note_remains` notes what a process made that was killed.
    """
    company = demo_company() or DemoCompany.objects.create()
    before = _newest_ids()
    company.ids_before, company.making_step = before, _("its people")
    company.save(update_fields=["ids_before", "making_step"])
    try:
        yield company
    finally:
        _note_growth(company, before)
    company.ids_before, company.making_step = {}, ""
    company.save(update_fields=["ids_before", "making_step"])


def demo_steps() -> QuerySet[DemoCompany, str]:
    """What was made last of a demo company that is being made; no row where none is."""
    made = DemoCompany.objects.filter(removed_at=None).exclude(ids_before={})
    return made.values_list("making_step", flat=True)[:1]


def note_remains(company: DemoCompany) -> None:
    """Notes what a demo company grew by whose making ended halfway."""
    _note_growth(company, company.ids_before)


def _note_growth(company: DemoCompany, before: Mapping[str, int]) -> None:
    company.refresh_from_db()
    for label, newest in _newest_ids().items():
        if newest > before.get(label, 0):
            company.rows.setdefault(label, []).append([before.get(label, 0) + 1, newest])
    company.save(update_fields=["rows"])


def _newest_ids() -> dict[str, int]:
    models = [model for pillar in installed_pillars() for model in pillar.get_models(include_auto_created=True)]
    # What was done with the demo is no part of it, and stays.
    models.remove(AuditEntry)
    return {
        model._meta.label_lower: model._base_manager.aggregate(newest=Max("pk"))["newest"] or 0
        for model in models
        if isinstance(model._meta.pk, AutoField) and model._meta.managed
    }


def made_by_demo(model: type[Model], company: DemoCompany | None) -> Q:
    """The rows of a table that the demo company made; none where there is no demo."""
    ranges = company.rows.get(model._meta.label_lower, []) if company else []
    condition = Q(pk__in=[])
    for first, last in ranges:
        condition |= Q(pk__range=(first, last))
    return condition


def without_demo(rows: Rows) -> Rows:
    """Those of `rows` that the demo company did not make."""
    company = demo_company()
    return rows.exclude(made_by_demo(rows.model, company)) if company and company.rows else rows


def demo_rows(model: type[Model]) -> QuerySet:
    """The rows of a table that the demo company made."""
    return model._base_manager.filter(made_by_demo(model, demo_company()))


def demo_people() -> QuerySet[User]:
    """The people of the demo company: what they did since is its too."""
    return demo_rows(User)


def demo_teams() -> QuerySet[Team]:
    return demo_rows(Team)


def counted_rows(label: str, rows: QuerySet) -> tuple[str, int, int]:
    """(label, how many of a table are among `rows`, how many are not)."""
    goes = rows.distinct().count()
    return label, goes, rows.model._base_manager.count() - goes


def delete_unless_held(rows: QuerySet) -> int:
    """Deletes rows, but for those that something stands on which stays; returns how many are left."""
    held = 0
    for row in rows.distinct():
        try:
            with transaction.atomic():
                row.delete()
        except (ProtectedError, RestrictedError):
            held += 1
    return held
