"""How figures and days are written on a page: one way for each, wherever they stand."""

import re

# What no reader sees as a sentence or a figure: programs, what forms hold, code, and texts that are somebody else's.
HIDDEN = re.compile(r"<(script|style|code|pre|textarea|select|datalist|time|title)\b.*?</\1>|<!--.*?-->", re.S)
TAG = re.compile(r"<[^>]*>")
ODD = {
    # One that follows a slash is a part of an address, as that at the foot of a printed page.
    "a day is written 3 Nov 2025": re.compile(r"(?<!/)\b20\d\d-\d\d-\d\d\b(?![-\w]*\.\w)"),
    "a share is written 12.3%": re.compile(r"\d[ \u00a0]%"),
    "a minus is a hyphen": re.compile("\u2212"),
}


def odd_styles(html: str) -> list[str]:
    """What is written in another way than everywhere else, each with its rule."""
    text = TAG.sub(" ", HIDDEN.sub(" ", html))
    return [
        f"{rule}: …{text[max(match.start() - 40, 0) : match.end() + 20].strip()}…"
        for rule, pattern in ODD.items()
        for match in pattern.finditer(text)
    ]
