"""The house stays as it was drawn: floors, no circles, pure modules pure, named migrations."""

import ast
import re
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "finops_site": set(),
    "costs": {"finops_site"},
    "tagging": {"finops_site", "costs"},
    "budgets": {"finops_site", "costs"},
    "reservations": {"finops_site", "costs"},
    "usage": {"finops_site", "costs"},
    # It asks only what pillars register, so it imports none of them.
    "programme": {"finops_site"},
}
# The packages of each app, from the bottom up.
PACKAGES = {
    "finops_site": [
        *("lib", "files", "audit", "people", "ui", "mail", "own_roles", "sign_in", "reports", "ops", "first_day"),
        *("saved_views", "exports", "api", "scim"),
    ],
    "costs": [
        *("formats", "calc", "charges", "demo", "models", "versions", "ingest", "sources", "query", "clusters"),
        *("invoices", "web"),
        "api",
    ],
    "tagging": ["calc", "models", "policy", "ownership", "remediation", "chargeback", "unit_costs", "api"],
    "budgets": ["calc", "models", "forecast", "alerts", "controls", "planning", "evaluation", "anomalies", "api"],
    "reservations": [
        *("calc", "optimizer", "models", "pricing", "inventory", "recommendations", "purchases", "savings", "api"),
    ],
    "usage": ["calc", "models", "sources", "carbon", "findings", "worklist", "changes", "proof", "estimates", "api"],
    "programme": ["calc", "models", "kpis", "savings_model", "roadmap", "reports", "api"],
}
# Folders without Django: arithmetic, readers and what they stand on. `mypy` is strict about the same ones.
PURE = [
    "finops_site/registry.py",
    "finops_site/lib/*.py",
    "costs/calc/*.py",
    "costs/charges/*.py",
    "costs/charges/layouts/*.py",
    "costs/demo/*.py",
    "costs/formats/*.py",
    "costs/formats/vendors/*.py",
    "budgets/calc/*.py",
    "budgets/calc/controls/*.py",
    "reservations/calc/*.py",
    "reservations/optimizer/*.py",
    "tagging/calc/*.py",
    "programme/calc/*.py",
    "usage/calc/*.py",
    "usage/calc/rules/*.py",
]
FRAMEWORKS = {"django", "celery", "rest_framework", "django_tables2", "django_filters"}


def modules():
    return [path for app in FLOORS for path in sorted((ROOT / app).rglob("*.py"))]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, *, at_the_top=False):
    """Every module a file imports, those inside functions too unless only the top is asked for."""
    tree = ast.parse(path.read_text())
    for node in tree.body if at_the_top else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(module, app):
    """The package of the app that a module lies in; None for modules beside the packages."""
    parts = module.split(".")
    return parts[1] if parts[0] == app and len(parts) > 1 and (ROOT / app / parts[1]).is_dir() else None


@pytest.mark.parametrize("app", PACKAGES)
def test_a_package_imports_only_the_packages_below_it(app):
    order = PACKAGES[app]
    climbing = {
        (name_of(path), module)
        for path in (ROOT / app).rglob("*.py")
        for package in [package_of(name_of(path), app)]
        for module in imports(path)
        for other in [package_of(module, app)]
        if package in order and other and (other not in order or order.index(other) > order.index(package))
    }
    assert climbing == set()


@pytest.mark.parametrize("app", PACKAGES)
def test_every_package_has_its_floor(app):
    packages = {path.parent.name for path in (ROOT / app).glob("*/__init__.py")}
    assert packages - {"management", "migrations", "templatetags"} == set(PACKAGES[app])


@pytest.mark.parametrize("app", FLOORS)
def test_an_app_imports_only_the_floors_below_it(app):
    climbing = {
        (name_of(path), module)
        for path in (ROOT / app).rglob("*.py")
        for module in imports(path)
        if module.split(".")[0] in set(FLOORS) - FLOORS[app] - {app}
    }
    assert climbing == set()


def test_no_import_goes_round_in_a_circle():
    names = {name_of(path): path for path in modules()}
    graph = {name: {module for module in imports(path) if module in names} for name, path in names.items()}
    done, trail = set(), []

    def visit(name):
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            trail.append(name)
            for other in sorted(graph[name] - {name}):
                visit(other)
            done.add(trail.pop())

    for name in sorted(graph):
        visit(name)


@pytest.mark.parametrize("pattern", PURE)
def test_pure_modules_stay_pure(pattern):
    paths = sorted(ROOT.glob(pattern))
    assert paths, f"{pattern} names no module"
    impure = {
        (name_of(path), module) for path in paths for module in imports(path) if module.split(".")[0] in FRAMEWORKS
    }
    assert impure == set()


def test_a_pure_module_stands_on_pure_modules_only():
    pure = {name_of(path) for pattern in PURE for path in ROOT.glob(pattern)}
    every = {name_of(path) for path in modules()}
    leaning = {
        (name, module)
        for pattern in PURE
        for path in ROOT.glob(pattern)
        for name in [name_of(path)]
        for module in imports(path)
        if module in every and module not in pure and (ROOT / Path(*module.split("."))).with_suffix(".py").exists()
    }
    assert leaning == set()


def test_every_migration_has_a_name_that_says_what_it_does():
    unnamed = [str(path) for path in ROOT.glob("*/migrations/0*.py") if "_auto_" in path.name or "initial" in path.name]
    assert unnamed == []


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def task_names(path):
    """The literal names that a file gives to `task(...)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "task" and node.args:
            assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: name the task by a literal string"
            yield node.args[0].value


def test_every_task_that_a_service_queues_by_its_name_is_registered():
    from finops_site.celery import task_exists

    services = [path for path in modules() if name_of(path) != "finops_site.celery"]
    unknown = {(name_of(path), name) for path in services for name in task_names(path) if not task_exists(name)}
    assert unknown == set()


def test_run_py_needs_nothing_but_the_standard_library():
    import sys

    strangers = {
        module.split(".")[0]
        for module in imports(ROOT / "run.py", at_the_top=True)
        if module.split(".")[0] not in sys.stdlib_module_names
    }
    assert strangers == set()


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_every_direct_dependency_is_pinned(name):
    def canonical(line):
        return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", line)[0]).lower()

    def entries(file):
        return [line for line in (ROOT / file).read_text().splitlines() if re.match(r"\w", line)]

    pinned = {canonical(line): "==" in line for line in entries(f"{name}.txt")}
    direct = [canonical(line) for line in entries(f"{name}.in")]
    assert direct
    assert [entry for entry in direct if not pinned.get(entry)] == []
    assert all(pinned.values()), "every line of the list is a pin"


def test_no_template_writes_an_id_with_a_separator_of_thousands():
    """``value="1,134"`` finds no row: a form or an anchor with it works until there are a thousand."""
    bare = re.compile(r"\{\{ [\w.]*\.(pk|version)(\|(?!unlocalize)\w+)* \}\}")
    lines = {
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / "templates").rglob("*")
        if path.is_file()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if bare.search(line)
    }
    assert lines == set()


def test_every_table_writes_days_by_the_columns_of_the_house():
    """`DayColumn` and `MomentColumn` write 3 Nov 2025 on pages and ISO in files; Django's own ask for a format each."""
    other_ways = re.compile(r"\b(DateTimeColumn|DateColumn)\(")
    assert [name_of(path) for path in modules() if other_ways.search(path.read_text())] == []
