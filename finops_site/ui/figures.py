"""How figures read on pages: rounded text for the eye, the exact digits in the title, never colour alone."""

from decimal import Context, Decimal

from django.templatetags.static import static
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.locale_format import in_marks, percent_figure
from finops_site.lib.money import EXACT, compact, exact_figure, formatted, ratio
from finops_site.lib.periods import month_text as month_text
from finops_site.registry import Unit
from finops_site.ui.icons import known_icons

# What a template or a table may hand over as an amount or a share; None is "not in the bill".
Amount = Decimal | int | str | None

# A share beyond it says more as a multiple.
MOST_AS_PERCENT = 10

SIX_DIGITS = Decimal(100_000)
# Of a unit with a figure before it, which is rarely one: the form for many.
MANY = 2


def _not_in_the_bill() -> SafeString:
    return format_html('<span class="absent" title="{}">—</span>', _("not in the bill"))


# Written anew for each reader; called a SafeString, as what it writes is.
NOT_IN_THE_BILL = lazy(_not_in_the_bill, SafeString)()


def icon_html(name: str, css: str = "") -> SafeString:
    """A decorative icon of the sprite; raises LookupError for a name the sprite does not hold."""
    if name not in known_icons():
        raise LookupError(f"no icon {name!r}: add it to static/vendor/tabler-icons/icons.txt and run update.sh")
    return format_html(
        '<svg class="icon{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        f" {css}" if css else "",
        static("vendor/tabler-icons/sprite.svg"),
        name,
    )


def as_decimal(amount: Amount) -> Decimal:
    """Decimals, whole numbers and exact text; a float raises TypeError, for its digits are already lost."""
    if isinstance(amount, float):
        raise TypeError("money is never a float")
    return amount if isinstance(amount, Decimal) else Decimal(amount)  # type: ignore[arg-type]


def needs_currency(currency: str | None) -> str:
    if not currency:
        raise ValueError("an amount without its currency is not money")
    return currency


def money_html(amount: Amount, currency: str | None) -> SafeString:
    """``1,234.50 USD``; None is shown as not in the bill, an empty currency raises ValueError."""
    code = needs_currency(currency)
    if amount is None:
        return NOT_IN_THE_BILL
    value = as_decimal(amount)
    return _money_span(formatted(value, code), value, code)


def amount_html(amount: Amount, currency: str | None) -> SafeString:
    """``1,234.50`` for tables whose caption or total names the currency; the title carries digits and currency."""
    code = needs_currency(currency)
    if amount is None:
        return NOT_IN_THE_BILL
    value = as_decimal(amount)
    return format_html('<span class="money" title="{} {}">{}</span>', exact_figure(value), code, formatted(value, code))


def money_short_html(amount: Amount, currency: str | None) -> SafeString:
    """``65.0k USD`` with the exact amount in the title."""
    code = needs_currency(currency)
    if amount is None:
        return NOT_IN_THE_BILL
    value = as_decimal(amount)
    return _money_span(compact(value), value, code)


def _money_span(text: str, value: Decimal, code: str) -> SafeString:
    return format_html(
        '<span class="money" title="{} {}">{} <span class="currency">{}</span></span>',
        exact_figure(value),
        code,
        text,
        code,
    )


def percent_text(share: Amount, places: int = 1) -> str | None:
    """The ratio 0.123 as ``12.3%``, from ten times on as ``13x``: who reads 134,643 %? None stays None."""
    if share is None:
        return None
    if as_decimal(share) >= MOST_AS_PERCENT:
        return in_marks(f"{as_decimal(share):,.0f}") + "x"
    value = EXACT.multiply(as_decimal(share), Decimal(100)).quantize(Decimal(1).scaleb(-places))
    return percent_figure(f"{value if value else abs(value):,f}")


def figure_text(value: Decimal) -> str:
    """``1,234.5``, ``0.0416``: a quantity or the price of a unit, to six digits at most and whole above them."""
    shown = Context(prec=6).plus(value) if abs(value) < SIX_DIGITS else value.quantize(Decimal(1), context=EXACT)
    text = f"{shown:,f}"
    return in_marks(text.rstrip("0").rstrip(".") if "." in text else text)


def figure_html(amount: Amount, currency: str | None, unit: str = "") -> SafeString:
    """An amount of money by its currency, as `amount_html`; with a unit a quantity, or what one of it cost."""
    if not unit:
        return amount_html(amount, currency)
    if amount is None:
        return NOT_IN_THE_BILL
    value = as_decimal(amount)
    return format_html('<span class="money" title="{} {}">{}</span>', exact_figure(value), unit, figure_text(value))


def signed_text(amount: Decimal, currency: str) -> str:
    """``+1,234.50 USD``: a difference keeps its sign, which parentheses would hide."""
    return f"{'+' if amount > 0 else ''}{formatted(amount, currency)} {currency}"


def change_html(amount: Amount, currency: str | None, before: Amount = None) -> SafeString:
    """``+1,234.50 USD`` with an arrow, a word for those who hear it, and, given `before`, the percentage."""
    code = needs_currency(currency)
    if amount is None:
        return NOT_IN_THE_BILL
    value = as_decimal(amount)
    text = formatted(value, code)
    direction, arrow, word = ("none", "minus", _("unchanged"))
    if value and text.strip("-0.,"):
        rises = value > 0
        direction, arrow, word = (
            ("up", "arrow-up-right", _("more")) if rises else ("down", "arrow-down-right", _("less"))
        )
    return format_html(
        '<span class="change change-{}" title="{} {}">{}<span class="visually-hidden">{} </span>{}{} '
        '<span class="currency">{}</span>{}</span>',
        direction,
        exact_figure(value),
        code,
        icon_html(arrow, "icon-inline"),
        word,
        "+" if direction == "up" else "",
        text,
        code,
        _share_of(value, before),
    )


def _share_of(value: Decimal, before: Amount) -> SafeString | str:
    share = None if before is None else ratio(value, abs(as_decimal(before)))
    if share is None:
        return ""
    if share >= MOST_AS_PERCENT:
        return format_html(
            ' <span class="change-share">({})</span>', _("{times} as much").format(times=percent_text(share + 1))
        )
    return format_html(' <span class="change-share">({}{})</span>', "+" if share > 0 else "", percent_text(share))


def measure_text(value: Decimal, unit: Unit, currency: str = "", *, places: int = 1) -> str:
    """A value of a KPI: ``70%``, ``5.2 hours``, ``12`` or ``1,234.50 USD``."""
    if unit == Unit.MONEY:
        return f"{formatted(value, currency)} {currency}" if currency else formatted(value, currency)
    text = f"{value.quantize(Decimal(1).scaleb(-places), context=EXACT):,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if unit == Unit.PERCENT:
        return percent_figure(text)
    if unit == Unit.HOURS:
        return ngettext("{count} hour", "{count} hours", MANY).format(count=in_marks(text))
    if unit == Unit.MONTHS:
        return ngettext("{count} month", "{count} months", MANY).format(count=in_marks(text))
    return in_marks(text)


def limit_text(value: Decimal, unit: Unit, currency: str = "") -> str:
    """A limit or a target that somebody set: the same, with all its digits where rounding would leave nothing of it."""
    text = measure_text(value, unit, currency)
    if not value or text != measure_text(Decimal(0), unit, currency):
        return text
    if unit == Unit.MONEY:
        return f"{exact_figure(value)} {currency}".strip()
    return measure_text(value, unit, currency, places=-int(value.normalize().as_tuple().exponent))
