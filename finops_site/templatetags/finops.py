"""Template tags of every page: figures, icons and links that keep the state in the address."""

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from typing import Any

from django import template
from django.http import QueryDict
from django.utils import timezone
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django_filters import FilterSet

from finops_site.lib import charts
from finops_site.lib.language import get_language
from finops_site.lib.locale_format import ENGLISH_MARKS, marks, percent_figure
from finops_site.lib.money import EXACT, exact_figure, formatted
from finops_site.lib.periods import day_text, moment_text, short_day_text
from finops_site.lib.words import in_sentence
from finops_site.saved_views.menu import menu_of
from finops_site.ui import figures
from finops_site.ui.block_tags import register_frame
from finops_site.ui.filters import active_filters, filter_controls, filter_parameters, without
from finops_site.ui.forms import widget_class
from finops_site.ui.keyset import PAGING_PARAMETERS
from finops_site.ui.pages import Page
from finops_site.ui.phone_rows import mark_rows
from finops_site.ui.script_words import texts_of_scripts
from finops_site.ui.tables import status_html, usage_bar
from finops_site.ui.tables import tag_chip as drawn_tag_chip
from finops_site.ui.typed_text import typed_here as typed_here_of

register = template.Library()

register.simple_tag(figures.money_html, name="money")
register.simple_tag(figures.money_short_html, name="money_short")
register.simple_tag(figures.amount_html, name="amount")
register.simple_tag(figures.figure_html, name="figure")
register.simple_tag(figures.change_html, name="change")
register.simple_tag(figures.icon_html, name="icon")
register.simple_tag(drawn_tag_chip, name="tag_chip")
register.simple_tag(status_html, name="status_badge")
register.simple_tag(usage_bar)
register.filter("exact", exact_figure)
register.filter("month", figures.month_text)
register.filter("day", day_text)
register.filter("short_day", short_day_text)
register.filter("percents", percent_figure)
register.filter("moment", moment_text)
register.filter("rounded", formatted)
register.filter("phone_rows", mark_rows)
register.filter("in_sentence", in_sentence)
register.filter(widget_class)

# {% card "Title" text="One sentence" body="flush" %} head {% cardbody %} content {% endcard %}
# `body`: "content" (with padding; the default), "flush" (tables), "bare" (the content brings its own wrappers).
register_frame(
    register,
    "card",
    "includes/card.html",
    positional=["title", "text"],
    optional=["body", "css", "id", "label"],
    divider="cardbody",
)
# {% stat "Spent" icon="cash" note="of 1,000" %} the figure {% statfoot %} more beside the note {% endstat %}
register_frame(
    register,
    "stat",
    "includes/stat_frame.html",
    positional=["label"],
    optional=["icon", "note", "name"],
    divider="statfoot",
    before_divider="content",
    after_divider="foot",
)
# {% scrolling_table "What it is" css="compact" %}<thead>...<tbody>...{% endscrolling_table %}
# `css`: "compact" (smaller), "grid" (figures that scroll sideways on a phone), "in-full" (nothing folded away there).
register_frame(
    register, "scrolling_table", "includes/scrolling_table.html", positional=["label"], optional=["css", "id"]
)


@register.filter("percent")
def percent_or_dash(share: figures.Amount, places: int = 1) -> SafeString | str:
    """The ratio 0.123 as ``12.3%``; None as a dash that says why."""
    return figures.percent_text(share, places) or figures.NOT_IN_THE_BILL


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The page's query string with `changes`: None drops a parameter. Paging starts anew unless a change names it."""
    parameters: QueryDict = context["request"].GET.copy()
    for name in (*PAGING_PARAMETERS, *changes):
        parameters.pop(name, None)
    for name, value in changes.items():
        if value is not None:
            parameters.setlist(name, [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)])
    return f"?{parameters.urlencode()}"


@register.inclusion_tag("includes/chips.html", takes_context=True)
def chips(context: template.Context, filterset: FilterSet) -> dict[str, Any]:
    """The filters in force, each with a link that removes it alone."""
    request = context["request"]
    in_force = active_filters(filterset, request.GET)
    clear_url = without(request.GET, filter_parameters(filterset)) if in_force else ""
    return {"chips": in_force, "clear_url": request.path if clear_url == "?" else clear_url}


@register.inclusion_tag("saved_views/menu.html", takes_context=True)
def views_menu(context: template.Context, swapped: bool = False) -> dict[str, Any]:
    """The menu of saved views of a page that can be saved; `swapped`: it replaces the one that is there."""
    page = context.get("view")
    menu = menu_of(page) if isinstance(page, Page) else None
    return {"menu": menu, "swapped": swapped, "csrf_token": context.get("csrf_token")}


register.simple_tag(filter_controls)


@register.simple_tag(name="difference")
def exact_difference(after: figures.Amount, before: figures.Amount) -> Decimal:
    """after - before, exactly; both in the same currency."""
    return EXACT.subtract(figures.as_decimal(after), figures.as_decimal(before))


@register.simple_tag
def money_list(
    amounts: Mapping[str, figures.Amount] | Iterable[tuple[str, figures.Amount]], between: str = ", "
) -> SafeString:
    """The amounts of several currencies, each as `money` draws it, with `between` between them."""
    pairs = amounts.items() if isinstance(amounts, Mapping) else amounts
    return format_html_join(between, "{}", ((figures.money_html(amount, code),) for code, amount in pairs))


@register.simple_tag
def this_moment() -> str:
    """Now, in the zone of the reader."""
    return moment_text(timezone.now())


@register.simple_tag
def reader_marks() -> SafeString | str:
    """What words.js needs to write numbers as the reader does, as attributes; nothing for English."""
    reader = marks()
    if reader == ENGLISH_MARKS:
        return ""
    return format_html(
        ' data-group="{}" data-decimal="{}" data-percent="{}%" data-letters="{}"',
        reader.group,
        reader.decimal,
        reader.before_percent,
        "|".join(reader.letters),
    )


@register.simple_tag
def script_words() -> SafeString | str:
    """The texts of scripts in the reader's language, for words.js; nothing for English."""
    words = texts_of_scripts(get_language())
    return json_script(words, "words-of-scripts") if words else ""


@register.simple_tag
def chart_json(chart: dict[str, Any]) -> SafeString:
    return json_script(charts.for_browser(chart), f"{chart['id']}-data")


@register.simple_tag(takes_context=True)
def typed_here(context: template.Context) -> dict[str, Any] | None:
    """What the person typed into a form of this page before she had to sign in again (ui/typed_text.py)."""
    request = context.get("request")
    return typed_here_of(request) if request else None


@register.simple_tag
def chart_table(chart: dict[str, Any]) -> dict[str, Any]:
    """{"head": [...], "rows": [[...]]}: the chart's figures as text."""
    return charts.as_table(chart)


@register.filter
def rate(value: Decimal) -> str:
    """An exchange rate to six significant digits: ``0.860141``, ``163.52``."""
    return f"{Context(prec=6).plus(value).normalize():f}"


@register.simple_tag
def tag_chips(tag_set: Any) -> SafeString:
    """The tags of a costs.models.TagSet that count, those that we set ourselves marked; `no tags` without any."""
    if not tag_set or not tag_set.tags:
        return format_html("{}", _("no tags"))
    chips = ((drawn_tag_chip(key, value, key in tag_set.virtual),) for key, value in sorted(tag_set.tags.items()))
    return format_html_join(" ", "{}", chips)
