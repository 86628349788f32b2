"""The browser's charts write the figures of an axis by the rule of the server."""

import random
import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import translation

from finops_site.lib.money import compact
from finops_site.templatetags.finops import reader_marks

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SCRIPT = Path(__file__).parents[2] / "finops_site" / "static" / "finops" / "charts.js"


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_figures_of_an_axis_read_the_same_from_browser_and_server(chromium, language):
    chance = random.Random(3)
    values = [0, 0.25, -0.001, 5, 999.99, 999999, 1250000, -3e6, 2.5e12]
    values += [
        chance.choice([1, 2, 2.5, 5]) * 10 ** chance.randint(-3, 14) * chance.choice([1, -1]) for _ in range(200)
    ]
    function = re.search(r"function compact\(value\) \{.*?^  \}", SCRIPT.read_text(), re.DOTALL | re.MULTILINE)[0]
    page = chromium.new_page()
    with translation.override(language):
        page.set_content(f'<!doctype html><html lang="{language}"{reader_marks()}><title>An axis</title></html>')
        page.add_script_tag(content=SCRIPT.with_name("words.js").read_text())
        drawn = page.evaluate(f"values => {{ {function}; return values.map(compact); }}", values)
        page.close()
        assert drawn == [compact(Decimal(f"{value:.10g}"), on_axis=True) for value in values]
