"""Tables of money: columns that read the same on every page, and sums under them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import django_tables2
from django.db.models import Model, QuerySet
from django.utils.functional import lazy
from django.utils.html import format_html, format_html_join, strip_tags
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django_tables2.columns import BoundColumn
from django_tables2.data import TableListData
from django_tables2.rows import BoundRow
from django_tables2.utils import Accessor

from finops_site.lib.locale_format import in_marks
from finops_site.lib.money import exact_figure
from finops_site.lib.periods import Month, day_text, moment_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui import figures, phone_rows
from finops_site.ui.figures import Amount
from finops_site.ui.phone_rows import PhoneColumn

# What a row of a table is made of.
Record = Model | Mapping[str, Any]


class PageData(TableListData):
    """Rows that the database has put in order: the table must not sort this page of them again."""

    def order_by(self, aliases: Iterable[str]) -> None:
        pass


class BaseTable(django_tables2.Table):
    """A table of this site. On a phone a row has two lines: the first column and an amount, and facts below them.

    `Meta.phone_name`, `phone_amount` and `phone_facts` name the columns of these, otherwise the first amount and the
    first others are taken; what is left unfolds. `Meta.phone = "scroll"` is for a grid of figures.
    `totals` are rows of sums to draw under it: dicts of column name -> amount, with their currency.
    """

    keyset: Any = None
    request: Any = None

    class Meta:
        template_name = "includes/table.html"
        default = "—"

    def __init__(
        self, data: QuerySet | Sequence[Record], *args: Any, totals: list[dict[str, Any]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data, *args, **kwargs)
        self.totals = totals or []

    @property
    def phone(self) -> str:
        return getattr(type(self).Meta, "phone", "rows")

    @cached_property
    def phone_places(self) -> dict[str, str]:
        """{column: its place in a row of a phone}."""
        meta = type(self).Meta
        columns = [_phone_column(bound) for bound in self.columns]
        chosen = {name: getattr(meta, f"phone_{name}", "") for name in ("facts", "amount", "name")}
        return phone_rows.places(columns, **chosen)

    @property
    def more(self) -> SafeString | str:
        """The button that shows the rest of a row on a phone; nothing where all of it is in sight."""
        return phone_rows.MORE if phone_rows.REST in self.phone_places.values() else ""

    @property
    def caption(self) -> str:
        """What is read aloud as the name of the table and of the box that scrolls it."""
        return getattr(type(self).Meta, "caption", "")

    def sorts_only_by(self, names: set[str]) -> None:
        for bound in self.columns.iterall():
            bound.column.orderable = bound.name in names

    @property
    def drawn_rows(self) -> Iterator[tuple[Any, list[tuple[SafeString, Any, SafeString | str]]]]:
        """Each row of the page with its (start of the cell, cell, what stands behind it) triples.

        A column's attributes are drawn once: for each cell again they took as long as all the rest of a page.
        """
        place_of = self.phone_places
        starts = {column.name: _cell_start(column, place_of[column.name]) for column in self.columns}
        # What a row does not have takes no place on its second line.
        without = {column.name: _cell_start(column, phone_rows.REST) for column in self.columns}
        optional = {name for name, place in place_of.items() if place in (phone_rows.FACT, phone_rows.FIGURE)}
        more = {name: self.more if place == phone_rows.NAME else "" for name, place in place_of.items()}
        for row in self.paginated_rows:
            yield (
                row,
                [
                    ((without if cell in ("—", "") and name in optional else starts)[name], cell, more[name])
                    for name, cell in ((column.name, cell) for column, cell in row.items())
                ],
            )

    @property
    def total_cells(self) -> Iterator[list[tuple[Any, Any, str]]]:
        """For each row of sums its (column, cell, place on a phone); the first column says what they are."""
        place_of = self.phone_places
        for sums in self.totals:
            row, columns = BoundRow(sums, table=self), list(self.columns)
            # A column is shown where the row holds the first part of its accessor.
            yield [(columns[0], sums.get("label") or _("Total"), phone_rows.NAME)] + [
                (
                    column,
                    row.get_cell(column.name) if re.split(r"\.|__", str(column.accessor))[0] in sums else "",
                    place_of[column.name],
                )
                for column in columns[1:]
            ]


def _cell_start(column: BoundColumn, place: str) -> SafeString:
    html = '<td role="cell" {} data-phone="{}" data-label="{}">'
    return format_html(html, column.attrs["td"].as_html(), place, strip_tags(column.header))


def _phone_column(bound: BoundColumn) -> PhoneColumn:
    """What a column of a table is on a phone; boxes to tick and buttons have places of their own."""
    column = bound.column
    is_figure = isinstance(column, (NumberColumn, MonthColumn))
    place = ""
    if bound.name == "pick":
        place = phone_rows.PICK
    elif not strip_tags(bound.header).strip():
        place = phone_rows.ACTIONS
    is_money = isinstance(column, MoneyColumn) and not isinstance(column, ChangeColumn)
    return PhoneColumn(bound.name, is_figure, is_money, isinstance(column, TagColumn), place)


def total_rows(sums: Mapping[str, Mapping[str, Decimal | None]]) -> list[dict[str, Any]]:
    """Rows for `BaseTable.totals` out of {currency: {column: sum}}; amounts of two currencies are never one sum."""
    several = len(sums) > 1
    return [
        {"label": _("Total {code}").format(code=code) if several else _("Total"), "currency": code, **amounts}
        for code, amounts in sorted(sums.items())
    ]


format_html_lazy = lazy(format_html, SafeString)
# The head of a column of boxes to tick: written anew for each reader.
HIDDEN_SELECT = format_html_lazy('<span class="visually-hidden">{}</span>', _lazy("Select"))


class PickColumn(django_tables2.Column):
    """A box to tick in each row, which stays out of files; the table draws it by `pick_box`."""

    def __init__(self, accessor: str = "pk") -> None:
        super().__init__(
            HIDDEN_SELECT,
            accessor=accessor,
            orderable=False,
            exclude_from_export=True,
            attrs={"th": {"class": "pick"}, "td": {"class": "pick"}},
        )


def pick_box(record: object, value: object, amount: Decimal | None = None, currency: str = "") -> SafeString:
    """The box of a row; with its amount the bar above the list says what is ticked in money."""
    box = '<input class="form-check-input" type="checkbox" name="pick" value="{}" aria-label="{}"{}>'
    has_amount = amount is not None and currency
    money = format_html(' data-amount="{}" data-currency="{}"', f"{amount:f}", currency) if has_amount else ""
    return format_html(box, str(value), _("Select {record}").format(record=record)[:200], money)


class NumberColumn(django_tables2.Column):
    """A column of figures: to the right, in figures of equal width."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        attrs = {"th": {"class": "number"}, "td": {"class": "number"}, "tf": {"class": "number"}}
        super().__init__(*args, **{"attrs": attrs, **kwargs})

    def render(self, value: Amount) -> str:
        return in_marks(f"{value:,}")

    def value(self, value: Amount) -> Amount:
        return value


class ExactColumn(NumberColumn):
    """Figures with every digit they have: prices of an hour and the like, which rounding would make the same."""

    def render(self, value: Amount) -> str:
        return str(exact_figure(value))  # type: ignore[arg-type]


class MoneyColumn(NumberColumn):
    """An amount and the currency found beside it; None is "not in the bill". The CSV has every digit."""

    def __init__(self, *args: Any, currency: str = "currency", short: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **{"default": figures.NOT_IN_THE_BILL, **kwargs})
        self.currency = Accessor(currency)
        self.short = short

    def code(self, record: Record) -> str:
        return str(self.currency.resolve(record))

    def render(self, value: Amount, record: Record) -> SafeString:
        draw = figures.money_short_html if self.short else figures.money_html
        return draw(value, self.code(record))

    def value(self, value: Amount) -> Decimal | None:
        return figures.as_decimal(value)


class ChangeColumn(MoneyColumn):
    """A difference of money, with sign, arrow and word; `before` is the accessor of the amount it changed from."""

    def __init__(self, *args: Any, before: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = Accessor(before) if before else None

    def render(self, value: Amount, record: Record) -> SafeString:
        before = self.before.resolve(record) if self.before else None
        return figures.change_html(value, self.code(record), before)


class PercentColumn(NumberColumn):
    """A ratio, 0.123 shown as 12.3%; the CSV has the ratio."""

    def __init__(self, *args: Any, places: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = places

    def render(self, value: Amount) -> str:
        return str(figures.percent_text(value, self.places))

    def value(self, value: Amount) -> Decimal | None:
        return figures.as_decimal(value)


class MonthColumn(django_tables2.Column):
    """A month, from a Month or any of its days: ``Nov 2025``, in the CSV ``2025-11``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"attrs": {"td": {"class": "nowrap"}}, **kwargs})

    def render(self, value: Month | date | str) -> str:
        return figures.month_text(value)

    def value(self, value: Month | date | str) -> str:
        return str(Month.of(value)) if isinstance(value, date) else str(value)


class DayColumn(MonthColumn):
    """A day, ``3 Nov 2025`` as everywhere on pages, in the CSV ``2025-11-03``; also where it is stored as that text."""

    def render(self, value: date | str) -> str:
        return day_text(value)

    def value(self, value: date | str) -> str:
        if isinstance(value, datetime):
            value = value.date()
        return value if isinstance(value, str) else value.isoformat()


class MomentColumn(MonthColumn):
    """A moment, ``3 Nov 2025, 14:05 UTC`` as everywhere on pages, in the CSV ``2025-11-03T14:05:00+00:00``."""

    def render(self, value: datetime) -> str:
        return moment_text(value)

    def value(self, value: datetime) -> str:
        return value.isoformat(timespec="seconds")


class TagColumn(django_tables2.Column):
    """A map of tags as chips, the first `limit` of them; the rest unfold. The CSV has JSON.

    Those that `virtual` (an accessor of a map) names as well are marked as set by us.
    """

    def __init__(self, *args: Any, limit: int = 3, virtual: str = "tag_set__virtual", **kwargs: Any) -> None:
        super().__init__(*args, **{"orderable": False, "empty_values": (None, "", {}), **kwargs})
        self.limit = limit
        self.virtual = virtual

    def render(self, value: Mapping[str, Any], record: Record) -> SafeString:
        ours = Accessor(self.virtual).resolve(record, quiet=True) or {}
        chips = [tag_chip(key, text, key in ours) for key, text in sorted(value.items())]
        shown, rest = chips[: self.limit], chips[self.limit :]
        more = format_html(
            '<details class="more-tags"><summary>{}</summary>{}</details>',
            _("+{count} more").format(count=len(rest)),
            _joined(rest),
        )
        return format_html('<span class="tag-chips">{}{}</span>', _joined(shown), more if rest else "")

    def value(self, value: Mapping[str, Any]) -> str:
        return tags_text(value)


def tags_text(tags: Mapping[str, Any]) -> str:
    """A map of tags as one cell of a CSV: JSON, its keys in order."""
    return json.dumps(tags, sort_keys=True, ensure_ascii=False)


def tag_chip(key: str, text: object, virtual: bool = False) -> SafeString:
    """A tag as a chip; one that we set ourselves has an icon and says so."""
    full = f"{key}: {'' if text is None else text}"
    short = full if len(full) <= 60 else full[:59] + "…"
    if virtual:
        title = _("virtual, set by us: {full}").format(full=full)[:300]
        mark = format_html('{}<span class="visually-hidden">{} </span>', figures.icon_html("sparkles"), _("virtual:"))
        return format_html('<span class="tag-chip virtual" dir="auto" title="{}">{}{}</span>', title, mark, short)
    return format_html('<span class="tag-chip" title="{}">{}</span>', full[:300], short)


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


class StatusColumn(django_tables2.Column):
    """A state as a badge with icon and text. `states`: value -> (text, tone, icon).

    Tones: good, bad, warn, busy, calm.
    """

    def __init__(self, *args: Any, states: Mapping[str, tuple[str, str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.states = states

    def render(self, value: object, record: Record, bound_column: BoundColumn) -> SafeString:
        raw = Accessor(bound_column.accessor).resolve(record)
        text, tone, icon = self.states.get(str(raw), (str(value), "calm", "point"))
        return status_html(text, tone, icon)

    def value(self, value: object) -> str:
        return str(value)


# A bar of what is used shows so much of its whole; what is beyond it is drawn to the end, with its figure beside it.
MOST_SHOWN = Decimal("1.5")


def usage_bar(share: Decimal, tone: str, words: str) -> SafeString:
    """A bar of what is used of a whole, with a mark at 100%: what is beyond the mark is drawn apart.

    `words` say it to who does not see it, like ``106% of the amount is spent``; the figure stands beside it too.
    """
    filled = max(min(share, MOST_SHOWN), Decimal(0)) * 100
    inside, beyond = min(filled, Decimal(100)), max(filled - 100, Decimal(0))
    return format_html(
        '<svg class="usage-bar tone-of-{}" viewBox="0 0 150 14" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="whole" y="3" width="100" height="8"/><rect class="used" y="3" width="{}" height="8"/>'
        '<rect class="beyond" x="100" y="3" width="{}" height="8"/><path class="mark" d="M100 0V14"/></svg>',
        tone,
        words,
        f"{inside:.1f}",
        f"{beyond:.1f}",
    )


def status_html(text: str, tone: str = "calm", icon: str = "point") -> SafeString:
    return format_html(
        '<span class="status-badge tone-{}">{}<span>{}</span></span>', tone, figures.icon_html(icon), text
    )
