"""Paging of long lists by where a page ends, not by how many rows to skip: page 1000 costs what page 1 costs.

A cursor is the ordering's values of one row, in the address as ``?after=`` or ``?before=``. The order is made total by
the primary key, so no row is shown twice or left out while others are added.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter, or_
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import F, Field, Model, Q, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.utils.translation import gettext as _

PAGING_PARAMETERS = ("page", "after", "before")


class BadCursor(ValueError):
    """The cursor in the address was not made by this list."""


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """One page of rows in reading order, with the cursors of its neighbours (None where there is none)."""

    rows: list[Any]
    after: str | None
    before: str | None

    @property
    def has_next(self) -> bool:
        return self.after is not None

    @property
    def has_previous(self) -> bool:
        return self.before is not None


@dataclass(frozen=True, slots=True)
class _Key:
    """One term of the ordering. PostgreSQL's own order: nulls come last going up and first going down."""

    name: str
    field: Field
    descending: bool

    def flipped(self) -> "_Key":
        return _Key(self.name, self.field, not self.descending)

    @property
    def ordering(self) -> str:
        return f"-{self.name}" if self.descending else self.name

    def value_of(self, row: Model) -> Any:
        return attrgetter(self.name.replace(LOOKUP_SEP, "."))(row)

    def read(self, value: object) -> Any:
        """A value out of an address; raises ValidationError for what the column cannot hold."""
        if value is None and self.field.null:
            return None
        value = self.field.to_python(value)
        if value is None or (isinstance(value, str) and "\0" in value):
            raise ValidationError(_("no value of this column"))
        self.field.run_validators(value)
        return value

    def beyond(self, value: object) -> Q:
        """Rows that come after those with `value`."""
        if value is None:
            return Q(**{f"{self.name}__isnull": False}) if self.descending else Q(pk__in=[])
        further = Q(**{f"{self.name}__{'lt' if self.descending else 'gt'}": value})
        nulls_last = self.field.null and not self.descending
        return further | Q(**{f"{self.name}__isnull": True}) if nulls_last else further

    def same(self, value: object) -> Q:
        return Q(**{f"{self.name}__isnull": True}) if value is None else Q(**{self.name: value})


def keyset_page(
    queryset: QuerySet, ordering: Sequence[str], *, size: int, after: str | None = None, before: str | None = None
) -> KeysetPage:
    """The page of `size` rows after (or before) a cursor, the first page without one. Raises BadCursor."""
    keys = _keys(queryset, ordering)
    if after:
        return _forwards(queryset, keys, size, _decoded(after, keys))
    if before:
        return _backwards(queryset, keys, size, _decoded(before, keys))
    return _forwards(queryset, keys, size, None)


def cursor_after(queryset: QuerySet, ordering: Sequence[str], rows: int) -> str | None:
    """The cursor of the page that follows the first `rows` rows; None where there are fewer.

    Skips along the index alone, so that it costs little even far into a long list.
    """
    keys = _keys(queryset, ordering)
    names = [key.name for key in keys]
    last = queryset.order_by(*(key.ordering for key in keys)).values_list(*names)[rows - 1 : rows]
    return next((_packed(values) for values in last), None)


def _forwards(queryset: QuerySet, keys: list[_Key], size: int, cursor: list[Any] | None) -> KeysetPage:
    rows = _rows(queryset, keys, size, cursor)
    more, rows = len(rows) > size, rows[:size]
    return KeysetPage(
        rows,
        after=_encoded(rows[-1], keys) if more else None,
        before=_encoded(rows[0], keys) if cursor is not None and rows else None,
    )


def _backwards(queryset: QuerySet, keys: list[_Key], size: int, cursor: list[Any]) -> KeysetPage:
    rows = _rows(queryset, [key.flipped() for key in keys], size, cursor)
    more, rows = len(rows) > size, rows[:size][::-1]
    if not rows:
        return _forwards(queryset, keys, size, None)
    return KeysetPage(rows, after=_encoded(rows[-1], keys), before=_encoded(rows[0], keys) if more else None)


def _rows(queryset: QuerySet, keys: list[_Key], size: int, cursor: list[Any] | None) -> list[Any]:
    if cursor is not None:
        queryset = queryset.filter(_beyond(keys, cursor))
    return list(queryset.order_by(*(key.ordering for key in keys))[: size + 1])


def _beyond(keys: list[_Key], values: list[Any]) -> Q | TupleLessThan | TupleGreaterThan:
    one_direction = len({key.descending for key in keys}) == 1
    if one_direction and not any(key.field.null for key in keys):
        # (a, id) > (x, y) walks one index straight from the cursor; the same condition with OR does not.
        lookup = TupleLessThan if keys[0].descending else TupleGreaterThan
        return lookup(Tuple(*(F(key.name) for key in keys)), tuple(values))
    same, conditions = Q(), []
    for key, value in zip(keys, values, strict=True):
        conditions.append(same & key.beyond(value))
        same &= key.same(value)
    return reduce(or_, conditions)


def _keys(queryset: QuerySet, ordering: Sequence[str]) -> list[_Key]:
    keys = [_key(queryset, term) for term in ordering]
    if "id" not in [key.name for key in keys]:
        keys.append(_key(queryset, "-id" if keys and keys[0].descending else "id"))
    return keys


def _key(queryset: QuerySet, term: str) -> _Key:
    name = term.lstrip("-")
    return _Key(name, _field(queryset, name), term.startswith("-"))


def _field(queryset: QuerySet, name: str) -> Field:
    if name in queryset.query.annotations:
        return queryset.query.annotations[name].output_field
    model, field = queryset.model, None
    for part in name.split(LOOKUP_SEP):
        try:
            field = model._meta.get_field(part)
        except FieldDoesNotExist as error:
            raise ValueError(f"{name!r} is no field to order {queryset.model.__name__} by") from error
        model = field.related_model
    return field  # type: ignore[return-value]


def _encoded(row: Model, keys: list[_Key]) -> str:
    return _packed([key.value_of(row) for key in keys])


def _packed(values: Sequence[Any]) -> str:
    text = json.dumps(list(values), cls=DjangoJSONEncoder, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str, keys: list[_Key]) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(keys):
            raise BadCursor(_("the cursor belongs to another ordering"))
        return [key.read(value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError, ValidationError) as error:
        raise BadCursor(_("the cursor cannot be read")) from error
