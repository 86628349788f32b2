"""The title of a commitment in a cell of a table: what it is, with a link, and below it its terms."""

from django.utils.html import format_html
from django.utils.safestring import SafeString


def title_in_two_lines(url: str, thing: str, terms: str) -> SafeString:
    lines = '<a href="{}">{}</a><div class="small text-secondary nowrap">{}</div>'
    return format_html(lines, url, thing, terms)
