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


def test_every_vendor_has_its_page_and_its_tests():
    vendors = {path.stem for path in (ROOT / "costs/formats/vendors").glob("[!_]*.py")}
    pages = {path.stem for path in (ROOT / "docs/providers").glob("*.md")}
    tested = (ROOT / "tests/costs/charges/test_vendors.py").read_text().lower()
    assert vendors - pages == set()
    assert {vendor for vendor in vendors if f"class test{vendor}" not in tested} == set()


@pytest.mark.parametrize(
    "name", ["README.md", *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
)
def test_every_link_leads_to_a_file(name):
    path = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_every_test_that_the_table_of_faults_names_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "operations.md").read_text())
    assert len(named) > 25
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()]
    assert missing == []
