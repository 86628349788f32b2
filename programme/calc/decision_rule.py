"""What a decision point is decided by, and the rule that recommends: it says its reasons. Pure: no Django."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.money import exact_text

MOST_NAMED = 5
# With at least this share of what had to be done, one goes on with conditions; with less, one stops to think.
ENOUGH = Decimal("0.5")
# Evidence that was stored without the unit of its words: they may be money.
UNKNOWN_UNIT = "money"


class Verdict(StrEnum):
    """What can be decided."""

    GO = "go"
    CONDITIONS = "go with conditions"
    STOP = "stop"


class State(StrEnum):
    """Where something stands; unknown is neither yes nor no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, answer: bool | None) -> "State":
        return cls.UNKNOWN if answer is None else cls.YES if answer else cls.NO


@dataclass(frozen=True, slots=True)
class MilestoneEvidence:
    """A milestone that was due; `met` since `day`, with the figure that it was ticked by in words, and its unit."""

    name: str
    due: date
    met: State
    is_required: bool
    day: date | None = None
    words: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class FigureEvidence:
    """A KPI and its target; None where it is not known. Money is in `currency`, a percentage is 70 for 70 %."""

    name: str
    label: str
    value: Decimal | None
    target: Decimal | None
    unit: str
    better: str
    met: State
    currency: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class RiskEvidence:
    """A risk: whether its trigger has happened, and its figure in words, with its unit."""

    name: str
    happened: State
    words: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a decision stands on, as of a day."""

    as_of: date
    milestones: Sequence[MilestoneEvidence] = ()
    figures: Sequence[FigureEvidence] = ()
    risks: Sequence[RiskEvidence] = ()


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What the rule recommends, and every reason in a sentence."""

    verdict: Verdict
    reasons: Sequence[str]


def recommend(evidence: Evidence, *, by_targets: bool = False) -> Recommendation:
    """Go where all that had to be done is done and no risk has happened; stop where less than half of it is.

    What is unknown is not done, and is said to be unknown. `by_targets`: at the end, a KPI that misses its target, or
    is not known, is a condition too.
    """
    required = [row for row in evidence.milestones if row.is_required]
    met = [row for row in required if row.met == State.YES]
    open_ones = [row.name for row in required if row.met == State.NO]
    unknown = [row.name for row in required if row.met == State.UNKNOWN]
    happened = [row.name for row in evidence.risks if row.happened == State.YES]
    targets = [row for row in evidence.figures if row.target is not None]
    missed = [row.label for row in targets if row.met == State.NO] if by_targets else []
    no_value = [row.label for row in targets if row.met == State.UNKNOWN] if by_targets else []

    if not required:
        reasons = [_("No required milestone was due: there is nothing to judge by.")]
    else:
        text = ngettext(
            "{met} of {count} required milestone is met.",
            "{met} of {count} required milestones are met.",
            len(required),
        )
        reasons = [text.format(met=len(met), count=len(required))]
    reasons += [
        sentence.format(names=_names(names))
        for sentence, names in (
            (_("Not met: {names}."), open_ones),
            (_("Not known, which is not met: {names}."), unknown),
            (_("Risks that have happened: {names}."), happened),
            (_("Short of the target: {names}."), missed),
            (_("Without a value: {names}."), no_value),
        )
        if names
    ]
    if required and Decimal(len(met)) / len(required) < ENOUGH:
        return Recommendation(Verdict.STOP, [*reasons, _("That is less than half: stop, and plan anew.")])
    if not required or open_ones or unknown or happened or missed or no_value:
        return Recommendation(Verdict.CONDITIONS, [*reasons, _("Go on, and say by when each of these is settled.")])
    return Recommendation(Verdict.GO, [*reasons, _("Nothing speaks against going on.")])


def _names(names: Sequence[str]) -> str:
    shown = "; ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return shown if more <= 0 else _("{names}; and {count} more").format(names=shown, count=more)


def figure_changes(before: Evidence, after: Evidence) -> list[tuple[FigureEvidence, FigureEvidence | None]]:
    """KPIs whose value of the same day is another one today: a bill was restated since. None: it has none any more."""
    now = {row.name: row for row in after.figures}
    return [
        (row, now.get(row.name))
        for row in before.figures
        if (other := now.get(row.name)) is None or other.value != row.value
    ]


def evidence_as_json(evidence: Evidence) -> dict[str, Any]:
    """The evidence as it is stored: days in ISO, exact figures as text."""
    stored: dict[str, Any] = _plain(asdict(evidence))
    return stored


def evidence_of_json(stored: Mapping[str, Any]) -> Evidence:
    """The evidence that was stored."""
    return Evidence(
        date.fromisoformat(stored["as_of"]),
        [
            MilestoneEvidence(
                row["name"],
                date.fromisoformat(row["due"]),
                State(row["met"]),
                row["is_required"],
                date.fromisoformat(row["day"]) if row["day"] else None,
                row["words"],
                row.get("unit", UNKNOWN_UNIT),
            )
            for row in stored["milestones"]
        ],
        [
            FigureEvidence(
                row["name"],
                row["label"],
                _decimal(row["value"]),
                _decimal(row["target"]),
                row["unit"],
                row["better"],
                State(row["met"]),
                row["currency"],
                row["description"],
            )
            for row in stored["figures"]
        ],
        [
            RiskEvidence(row["name"], State(row["happened"]), row["words"], row.get("unit", UNKNOWN_UNIT))
            for row in stored["risks"]
        ],
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        return exact_text(value)
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, StrEnum) else value
