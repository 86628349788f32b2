"""Fixtures that tests share: what is the same for the next test stays in the database instead of being made again.

``@shared`` in place of ``@pytest.fixture`` is for fixtures that fill the database. They are made in a savepoint of
their own, below the transaction of the test, so that a test undoes only what it did itself. When the next test wants
the same shared fixtures, it finds them made; those that it does not want are rolled back before it begins. A test that
commits (browsers, threads, faults) finds an empty database as ever, and makes them for itself.

A shared fixture returns what can be copied (models, dicts, tuples of them): each test gets a copy of its own. It may
depend on other shared fixtures and on those that do not touch the database; it has no parameters and does not yield.
"""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# The fixture of pytest-django that begins the transaction of a test.
BEGINS_TRANSACTION = "_django_db_helper"


@dataclass
class Layer:
    """One shared fixture that is made: what made it, what it returned, and the savepoint to roll back to."""

    make: Callable[..., Any]
    value: Any
    savepoint: transaction.Atomic
    connection: BaseDatabaseWrapper


@dataclass
class Layers:
    """The shared fixtures that are in the database of this process, in the order they were made."""

    made: list[Layer] = field(default_factory=list)

    def find(self, make: Callable[..., Any]) -> Layer | None:
        return next((layer for layer in self.made if layer.make is make), None)

    def fit(self, request: pytest.FixtureRequest) -> None:
        """Rolls back what the test does not want, and makes what it wants and does not find."""
        wanted = [] if commits(request) else shared_of(request)
        common = 0
        for layer, make in zip(self.made, wanted, strict=False):
            if layer.make is not make or not is_alive(layer):
                break
            common += 1
        self.roll_back_to(common)
        for make in wanted[common:]:
            savepoint = transaction.atomic()
            # As TestCase marks its own: what asks to be outermost may begin inside of it.
            savepoint._from_testcase = True  # type: ignore[attr-defined]
            savepoint.__enter__()
            try:
                value = make(**{name: self.value_for(request, name) for name in arguments(make)})
            except BaseException as error:
                savepoint.__exit__(type(error), error, error.__traceback__)
                raise
            self.made.append(Layer(make, value, savepoint, connections[DEFAULT_DB_ALIAS]))

    def value_for(self, request: pytest.FixtureRequest, name: str) -> Any:
        """What a shared fixture gets for an argument: `db` is what it is made for, and has no value."""
        if name == "db":
            return None
        make = shared_function(request, name)
        layer = self.find(make) if make else None
        if layer:
            return copy.deepcopy(layer.value)
        definition = request._arg2fixturedefs[name][-1] if name in request._arg2fixturedefs else None
        # The folder of a test stays until the end of the run.
        ends = definition is not None and inspect.isgeneratorfunction(definition.func) and name != "tmp_path"
        if ends and definition.scope == "function":
            raise TypeError(f"{name} ends with its test, and nothing that tests share can stand on it")
        return request.getfixturevalue(name)

    def roll_back_to(self, count: int) -> None:
        while len(self.made) > count:
            layer = self.made.pop()
            if is_alive(layer):
                transaction.set_rollback(True)
                layer.savepoint.__exit__(None, None, None)
            elif layer.connection is not connections[DEFAULT_DB_ALIAS]:
                # Under the event loop of a browser Django has another connection, which would wait for this for ever.
                forget(layer.connection)
        if not self.made and connection.connection is not None and connection.in_atomic_block:
            # A test broke the connection, and the savepoints with it.
            forget(connections[DEFAULT_DB_ALIAS])


LAYERS = Layers()


def forget(broken: BaseDatabaseWrapper) -> None:
    """Closes a connection with all that is open on it; its next use connects anew."""
    broken.close()
    broken.atomic_blocks.clear()
    broken.in_atomic_block = broken.closed_in_transaction = broken.needs_rollback = False


def is_alive(layer: Layer) -> bool:
    """Whether the savepoint still stands: a test may have closed the connection."""
    is_current = layer.connection is connections[DEFAULT_DB_ALIAS]
    return is_current and layer.savepoint in connection.atomic_blocks and not connection.closed_in_transaction


def shared(make: Callable[..., Any]) -> Any:
    """A fixture that is made once for the tests in a row that want it."""

    def value(**arguments: Any) -> Any:
        layer = LAYERS.find(make)
        return copy.deepcopy(layer.value) if layer else make(**arguments)

    value.shared = make  # type: ignore[attr-defined]
    value.__signature__ = inspect.signature(make)  # type: ignore[attr-defined]
    value.__name__, value.__doc__, value.__module__ = make.__name__, make.__doc__, make.__module__
    return pytest.fixture(value)


def arguments(make: Callable[..., Any]) -> tuple[str, ...]:
    return make.__code__.co_varnames[: make.__code__.co_argcount]


def commits(request: pytest.FixtureRequest) -> bool:
    """Whether the test commits what it does, so that no savepoint can stand below it."""
    marker = request.node.get_closest_marker("django_db")
    by_fixture = {"transactional_db", "live_server", "django_db_reset_sequences"} & set(request.fixturenames)
    return bool(by_fixture or (marker and (marker.args or marker.kwargs)))


def shared_of(request: pytest.FixtureRequest) -> list[Callable[..., Any]]:
    """The functions of the shared fixtures that a test wants, after those that they depend on."""
    functions: list[Callable[..., Any]] = []

    def add(name: str) -> None:
        make = shared_function(request, name)
        if make and make not in functions:
            for argument in arguments(make):
                add(argument)
            functions.append(make)

    for name in request.fixturenames:
        add(name)
    return functions


def shared_function(request: pytest.FixtureRequest, name: str) -> Callable[..., Any] | None:
    definitions = request._arg2fixturedefs.get(name) or ()
    return getattr(definitions[-1].func, "shared", None) if definitions else None


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    if fixturedef.argname == BEGINS_TRANSACTION:
        request.getfixturevalue("shared_layers")
        with request.getfixturevalue("django_db_blocker").unblock():
            LAYERS.fit(request)


@pytest.fixture(scope="session")
def shared_layers(django_db_setup: None, django_db_blocker: Any) -> Any:
    """Leaves no transaction open when the database of the tests is removed."""
    yield
    with django_db_blocker.unblock():
        LAYERS.roll_back_to(0)
