"""The words of the house: names that a stranger would not guess stay out.

`said` had nine meanings here once. A name says what the value is: `rows`, `reason`, `requested_by`.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = [*sorted(path.parent.name for path in ROOT.glob("*/apps.py")), "benchmarks", "tests"]
VAGUE = {"said", "told", "found", "each", "mine", "whole", "kept", "asked"}
# A class is a thing: `Delivery`, not `Delivered`.
PARTICIPLES = re.compile(
    r"_?(?:[A-Z][a-z]+ed|[A-Z][a-z]+ing|Made|Written|Known|Learnt|Told|Said|Seen|Held|Kept|Bought|Sold|Found|Given"
    r"|Taken|Done|Doubtful)"
)
# What ends alike and is a noun.
NOUNS = {
    "Heading",
    "Pricing",
    "Billing",
    "Setting",
    "Rating",
    "Mapping",
    "Warning",
    "Finding",
    "Saving",
    "String",
    "Offering",
    "Reading",
    "Booking",
    "Thing",
}
# Only to shrink: a name that is gone from the code has to go from here too.
ALLOWED: set[tuple[str, str]] = set()


def modules():
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in path.parts)


def assigned_names(tree):
    """Every name that the code gives to something: variables, parameters, functions, attributes and fields."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
                yield name
            case ast.keyword(arg=str(name)):
                yield name


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_name_is_vague(folder):
    vague = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in modules()
        if path.relative_to(ROOT).parts[0] == folder
        for name in assigned_names(ast.parse(path.read_text()))
        if name.strip("_") in VAGUE
    }
    assert vague == {entry for entry in ALLOWED if entry[0].startswith(f"{folder}/")}


def test_no_class_is_named_by_a_participle():
    participles = {
        (path.relative_to(ROOT).as_posix(), node.name)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and PARTICIPLES.fullmatch(node.name) and node.name.strip("_") not in NOUNS
    }
    assert participles == set()
