"""What every place with bills has in common: two verbs, one kind of problem, and addresses that must be allowed."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from costs.charges.layouts import Entry
from costs.models import Credential

TIMEOUT_SECONDS = 60
TRIES = 4
HURRIED_SECONDS = 8
_is_hurried: ContextVar[bool] = ContextVar("is_hurried", default=False)


@contextmanager
def hurried() -> Iterator[None]:
    """Somebody waits for the answer: storages that are opened meanwhile try once, and not for long."""
    token = _is_hurried.set(True)
    try:
        yield
    finally:
        _is_hurried.reset(token)


def timeout_seconds() -> int:
    return HURRIED_SECONDS if _is_hurried.get() else TIMEOUT_SECONDS


def tries_again() -> int:
    """How often what failed is tried again."""
    return 0 if _is_hurried.get() else TRIES


class StorageProblem(Exception):
    """What keeps us from a source's bills, in words without any secret.

    `is_temporary`: trying again may help. `is_denied`: a right is missing.
    """

    def __init__(self, message: str, *, is_temporary: bool = False, is_denied: bool = False) -> None:
        self.is_temporary, self.is_denied = is_temporary, is_denied
        super().__init__(message)


class CloudAddress(Protocol):
    """Where a cloud is spoken to, and as whom; an empty endpoint is the provider's own."""

    @property
    def region(self) -> str: ...

    @property
    def endpoint(self) -> str: ...

    @property
    def credential(self) -> Credential | None: ...


class Bucket(CloudAddress, Protocol):
    """A bucket or container, and where in it."""

    @property
    def bucket(self) -> str: ...

    @property
    def prefix(self) -> str: ...


class Storage(Protocol):
    """A place with bills: a folder or a bucket."""

    def listing(self) -> Iterator[Entry]:
        """Every object below the source's prefix."""

    def fetch(self, key: str, target: Path) -> None:
        """Writes the object to `target`."""

    def store(self, key: str, path: Path) -> None:
        """Writes the file `path` as an object of that key, in the place of what was there."""


def secret_of(address: CloudAddress) -> dict[str, str]:
    """The secret of its credential, in the clear; empty without one."""
    return address.credential.secret() if address.credential else {}


def allowed_endpoint(url: str) -> str:
    """Raises StorageProblem unless FINOPS_STORAGE_ENDPOINTS names it: no form may send us anywhere else."""
    if url not in settings.FINOPS_STORAGE_ENDPOINTS:
        raise StorageProblem(_("{url} is not an address that FINOPS_STORAGE_ENDPOINTS allows.").format(url=url))
    return url


def allowed_host(url: str, hosts: Collection[str]) -> str:
    """An address that a credential brings. Raises StorageProblem unless it is one of the provider's own `hosts`, by
    https, or one that FINOPS_STORAGE_ENDPOINTS names.
    """
    try:
        parts = urlsplit(url)
        is_own = parts.scheme == "https" and parts.netloc in hosts
    except ValueError:
        is_own = False
    return url if is_own else allowed_endpoint(url)


@contextmanager
def as_storage_problem(translate: Callable[[Exception], StorageProblem | None]) -> Iterator[None]:
    """Raises an error of a provider's library as a StorageProblem: its own text may hold addresses and tokens.

    `translate` returns None for errors that are not the library's.
    """
    try:
        yield
    except StorageProblem:
        raise
    except Exception as error:
        problem = translate(error)
        if problem is None and isinstance(error, OSError):
            # A library's own error of the network has no number.
            reason = os.strerror(error.errno) if error.errno else _("no answer")
            problem = StorageProblem(f"{type(error).__name__}: {reason}.", is_temporary=True)
        if problem is None:
            raise
        raise problem from None
