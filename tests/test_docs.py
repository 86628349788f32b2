"""The documents name what is there."""

import ast
import re
from functools import cache
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


# Requirements of levels 1 and 2 of ASVS 5.0.0, as chapter.section:numbers.
ASVS = """
1.1:1-2 1.2:1-9 1.3:1-11 1.4:1-3 1.5:1-2 2.1:1-3 2.2:1-3 2.3:1-4 2.4:1 3.2:1-2 3.3:1-4 3.4:1-6 3.5:1-5 3.7:1-2
4.1:1-3 4.2:1 4.3:1-2 4.4:1-4 5.1:1 5.2:1-3 5.3:1-2 5.4:1-3 6.1:1-3 6.2:1-12 6.3:1-4 6.4:1-4 6.5:1-5 6.6:1-3 6.8:1-4
7.1:1-3 7.2:1-4 7.3:1-2 7.4:1-5 7.5:1-2 7.6:1-2 8.1:1-2 8.2:1-3 8.3:1 8.4:1 9.1:1-3 9.2:1-4 10.1:1-2 10.2:1-2 10.3:1-4
10.4:1-11 10.5:1-5 10.6:1-2 10.7:1-3 11.1:1-2 11.2:1-3 11.3:1-3 11.4:1-4 11.5:1 11.6:1 12.1:1-3 12.2:1-2 12.3:1-4
13.1:1 13.2:1-5 13.3:1-2 13.4:1-5 14.1:1-2 14.2:1-4 14.3:1-3 15.1:1-3 15.2:1-3 15.3:1-7 16.1:1 16.2:1-5 16.3:1-4
16.4:1-3 16.5:1-3 17.1:1 17.2:1-4 17.3:1-2
"""


def requirements():
    for section, numbers in (part.split(":") for part in ASVS.split()):
        first, _, last = numbers.partition("-")
        yield from (f"V{section}.{number}" for number in range(int(first), int(last or first) + 1))


def test_every_requirement_of_asvs_stands_once_with_an_answer():
    text = (ROOT / "docs/asvs.md").read_text()
    rows = re.findall(r"^\| (V[\d.]+) \| ([12]) \| (.+?) \| \*\*(.+?)\.\*\* (.*?) ?\| (.*?) ?\|$", text, re.MULTILINE)
    assert sorted(row[0] for row in rows) == sorted(requirements())
    for number, _level, _asks, state, how, proof in rows:
        assert state in ("Met", "In part", "Open", "Does not apply"), number
        assert how, number
        assert state != "Met" or "::" in proof, f"{number}: which test proves it?"
        assert state not in ("In part", "Open") or len(how) > 40, f"{number}: what is missing?"
    counted = {state: sum(row[3] == state for row in rows) for state in ("Met", "Does not apply", "In part", "Open")}
    met, outside, partly, missing = counted.values()
    sentence = f"Of {len(rows)}: {met} met, {outside} do not apply, {partly} in part, {missing} open."
    assert sentence in text


@cache
def names_in(path):
    """The names of the functions in a file of tests."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("name", ["docs/asvs.md", "docs/security.md"])
def test_every_test_that_is_named_as_a_proof_is_there(name):
    text = (ROOT / name).read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 15
    assert [f"{path}::{test}" for path, test in named if test not in names_in(path)] == []
    files = re.findall(r"`((?:tests|finops_site)/[\w/]+(?:\.py)?/?)`", text)
    assert [path for path in files if not (ROOT / path).exists()] == []


def test_every_test_that_the_table_of_faults_names_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "operations.md").read_text())
    assert len(named) > 25
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()]
    assert missing == []
