"""What a rule of usage is: one SELECT that finds, and what people are told and may do about it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from finops_site.lib.language import gettext_noop as _noop


class Confidence(StrEnum):
    """How sure a finding is. Certain: the bill or the inventory proves it. A bill alone cannot prove idleness."""

    CERTAIN = _noop("certain")
    LIKELY = _noop("likely")
    LOOK = _noop("needs a look")


class Effort(StrEnum):
    LOW = _noop("low")
    MEDIUM = _noop("medium")
    HIGH = _noop("high")


class Risk(StrEnum):
    LOW = _noop("low")
    MEDIUM = _noop("medium")
    HIGH = _noop("high")


class Lever(IntEnum):
    """What is done first where findings on one resource exclude one another: the order in which savings are counted.

    What is deleted needs no schedule; what is right-sized saves less by a schedule; spot and commitments price what
    is left. Each saving is counted on the cost that those before it leave over.
    """

    DELETE = 10
    STOP = 20
    SCHEDULE = 30
    RIGHTSIZE = 40
    MODERNISE = 50
    TIER = 60
    NETWORK = 70
    SPOT = 80


@dataclass(frozen=True, slots=True)
class Fix:
    """How a finding is mended: a way in words, and what to run or apply. `undo` is empty where there is none."""

    title: str
    language: str
    """``bash``, ``terraform``, ``json`` or ``yaml``."""
    text: str
    undo: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of waste. `sql` selects the columns of `usage.calc.facts.FINDING` from its tables.

    `excludes` are the names of rules that make no sense together with this one on the same part of a resource; the
    lever that comes first is counted, the others count what is left or nothing. `explain(finding)` is one sentence
    with its figures; `makes_certain` says what would prove it where it is not certain. `fixes(finding)` are ways to
    mend it; a finding is a mapping with the columns of FINDING, `evidence` and `target` parsed.
    """

    name: str
    title: str
    lever: Lever
    effort: Effort
    risk: Risk
    sql: str
    explain: Callable[[Mapping[str, Any]], str]
    fixes: Callable[[Mapping[str, Any]], Sequence[Fix]]
    makes_certain: str = ""
    docs: str = ""
    """The provider's page about it."""
    excludes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Tables without which it cannot judge: it then does not run, and pages say so."""
