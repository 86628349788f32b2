"""The documents name what is there."""

import re
from pathlib import Path

import pytest

from costs.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]


def test_every_setting_of_the_environment_is_documented():
    read = re.findall(r"env(?:\.\w+)?\(\"([A-Z_]+)\"", (ROOT / "finops_site/settings.py").read_text())
    documented = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/settings.md").read_text()))
    assert set(read) - documented == set()


def test_every_format_is_documented_with_the_columns_that_tell_it():
    documented = (ROOT / "docs/bills.md").read_text()
    missing = {
        name for known in FORMATS for column in known.required for name in column.split("|") if name not in documented
    }
    assert missing <= {"UsageDate"}, "an older name that nobody exports any more"


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_link_leads_to_a_file(name):
    path = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), target
