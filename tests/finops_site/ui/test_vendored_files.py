"""The vendored files hold what our pages use, and little else: see finops_site/static/vendor/README.md."""

import gzip
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "finops_site/static"
VENDOR = FILES / "vendor"
UPDATE = "run: finops_site/static/vendor/update.sh"
APPS = sorted(path.parent for path in ROOT.glob("*/apps.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((FILES / "finops").glob("*.js"))
CODE = sorted(path for app in APPS for path in app.rglob("*.py"))
# Templates hold these in words: {% if … %}, {{ … }}.
TAGS = re.compile(r"\{[%#{].*?[%#}]\}", re.DOTALL)


def classes_in(path):
    """The names that stand in `class="…"` of a template, those that a condition chooses too."""
    text = path.read_text()
    matches = re.findall(r"""\bclass=\\?["']((?:\{[%{].*?[%}]\}|[^"'{])*)["']""", text, re.DOTALL)
    matches += re.findall(r"""["']class["']: f?["']([\w -]+)["']""", text)
    matches += re.findall(r"""classList\.\w+\(\s*["']([\w -]+)["']|className = ["']([\w -]+)["']""", text)
    return {
        word
        for names in matches
        for word in re.findall(r"[A-Za-z][\w-]*", TAGS.sub(" ", names if isinstance(names, str) else " ".join(names)))
    }


def css_classes(css):
    return {name.replace("\\", "") for name in re.findall(r"\.(-?[_a-zA-Z](?:[\w-]|\\.)*)", css)}


KNOWN = set((VENDOR / "tabler/classes.txt").read_text().split())
KEPT = css_classes((VENDOR / "tabler/tabler.min.css").read_text())


def test_every_class_of_tabler_that_a_page_uses_is_in_its_style_sheet():
    used = {name: path for path in [*TEMPLATES, *SCRIPTS, *CODE] for name in classes_in(path)}
    assert {"btn-primary", "dropdown-menu", "table", "visually-hidden"} <= set(used), (
        "the classes of the templates are found"
    )
    missing = {f"{name} ({path.relative_to(ROOT)})" for name, path in used.items() if name in KNOWN - KEPT}
    assert missing == set(), f"Tabler's css is cut to what was used before; {UPDATE} tabler"


def test_a_class_of_tabler_that_no_page_uses_would_be_told():
    assert {"accordion-button", "carousel-item"} <= KNOWN - KEPT


def test_every_part_of_bootstrap_that_a_template_switches_on_is_in_its_script():
    text = "\n".join(path.read_text() for path in TEMPLATES)
    wanted = set(re.findall(r'data-bs-(?:toggle|dismiss)="(\w+)"', text))
    parts = set(re.findall(r"src/(\w+)\.js", (VENDOR / "tabler.entry.js").read_text()))
    assert wanted, "some template switches something on"
    assert wanted <= parts, f"add the part to tabler.entry.js, then {UPDATE} tabler"
    script = (VENDOR / "tabler/tabler.min.js").read_text()
    assert {part for part in parts if f'"{part}"' not in script} == set(), f"{UPDATE} tabler"


def test_every_kind_of_chart_that_we_draw_is_in_echarts():
    drawn = set(re.findall(r'\btype: "(bar|line|custom|treemap|pie|scatter|heatmap|sankey|gauge)"', charts()))
    parts = (VENDOR / "echarts.entry.js").read_text()
    assert {"bar", "line"} <= drawn
    assert {kind for kind in drawn if f"{kind.title()}Chart" not in parts} == set(), f"{UPDATE} echarts"


def test_every_call_of_echarts_is_one_that_it_has():
    called = set(re.findall(r"\becharts\.(\w+)\(", charts()))
    exported = re.search(r"export \{(.*)\}", (VENDOR / "echarts.entry.js").read_text())[1]
    assert called
    assert called <= set(re.findall(r"\w+", exported)), f"{UPDATE} echarts"


def charts():
    return (FILES / "finops/charts.js").read_text()


def test_the_sprite_holds_the_icons_of_its_list():
    names = (VENDOR / "tabler-icons/icons.txt").read_text().split()
    drawn = re.findall(r'<symbol id="([^"]+)"', (VENDOR / "tabler-icons/sprite.svg").read_text())
    assert drawn == names, f"{UPDATE} icons"


# Bytes after gzip: what travels. The first page loads all but the charts.
LIMITS = {
    "vendor/tabler/tabler.min.css": 25_000,
    "vendor/tabler/tabler.min.js": 20_000,
    "vendor/tabler-icons/sprite.svg": 15_000,
    "vendor/tom-select/tom-select.complete.min.js": 20_000,
    "vendor/inter/inter-latin-wght-normal.woff2": 50_000,
    "vendor/echarts/echarts.min.js": 215_000,
    "finops/finops.css": 20_000,
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_file_is_as_light_as_it_was_made(name):
    assert len(gzip.compress((FILES / name).read_bytes())) < LIMITS[name]
