"""The colours of charts. Their one list is the CSS of the site: pages, PDFs and emails all read it from there."""

import re
from functools import cache
from pathlib import Path
from typing import Any

STYLES = Path(__file__).parents[1] / "static" / "finops" / "finops.css"
# What a chart calls a colour: the variable of the CSS.
NAMES = {
    "other": "chart-other",
    "ink": "ink",
    "soft": "ink-3",
    "line": "line",
    "surface": "surface",
    "good": "good",
    "bad": "bad",
    "warn": "warn",
}


@cache
def palette(theme: str) -> dict[str, Any]:
    """{"series": [ten colours], "ink": colour, ...} of the theme "light" or "dark"."""
    block = re.search(rf'\[data-bs-theme="{theme}"\] {{(.*?)^}}', STYLES.read_text(), re.MULTILINE | re.DOTALL)
    if block is None:
        raise LookupError(f"no theme {theme!r} in {STYLES.name}")
    colours = dict(re.findall(r"--([\w-]+): *(#[0-9a-f]{6});", block[1]))
    return {
        "series": [colours[f"chart-{number}"] for number in range(1, 11)],
        **{name: colours[variable] for name, variable in NAMES.items()},
    }
