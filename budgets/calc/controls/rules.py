"""The rules of cost controls: states, who may approve, which machines are dev or test, limits, the time box. Pure.

A change set is proposed by one person (or for who defined its control) and approved by another; it runs by hand or by a
role, ends with its time box, and is then put back. Every step goes through `next_state`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop
from finops_site.lib.periods import WEEKDAYS
from finops_site.lib.words import counted, number_text

PROPOSED: Final = "proposed"
APPROVED: Final = "approved"
REFUSED: Final = "refused"
RUNNING: Final = "running"
DONE: Final = "done"
PARTLY_DONE: Final = "partly done"
UNDONE: Final = "undone"
EXPIRED: Final = "expired"
STATES: Final = {
    PROPOSED: gettext_noop("proposed"),
    APPROVED: gettext_noop("approved"),
    REFUSED: gettext_noop("refused"),
    RUNNING: gettext_noop("running"),
    DONE: gettext_noop("done"),
    PARTLY_DONE: gettext_noop("partly done"),
    UNDONE: gettext_noop("undone"),
    EXPIRED: gettext_noop("expired"),
}
# (state, verb) -> state: nothing else can happen to a change set.
TRANSITIONS: Final = {
    (PROPOSED, "approve"): APPROVED,
    (PROPOSED, "refuse"): REFUSED,
    (PROPOSED, "expire"): EXPIRED,
    (APPROVED, "refuse"): REFUSED,
    (APPROVED, "expire"): EXPIRED,
    (APPROVED, "run"): RUNNING,
    (RUNNING, "finish"): DONE,
    (RUNNING, "finish_partly"): PARTLY_DONE,
    (RUNNING, "give_back"): APPROVED,
    (RUNNING, "put_back"): UNDONE,
    (PARTLY_DONE, "run"): RUNNING,
    (PARTLY_DONE, "undo"): RUNNING,
    (DONE, "undo"): RUNNING,
}
OPEN: Final = (PROPOSED, APPROVED)
# Something was changed at a provider, or may have been.
IN_FORCE: Final = (RUNNING, DONE, PARTLY_DONE)
ENDED: Final = (REFUSED, UNDONE, EXPIRED)
# Nobody answers a proposal that is older: what it was made of has changed.
PROPOSAL_LASTS: Final = timedelta(days=3)
# Longer nobody arms a control: then finance looks at it again.
LONGEST_ARMED: Final = timedelta(days=92)
MOST_BOX_HOURS: Final = 24 * 31

STOPPED: Final = gettext_noop("All controls are stopped by finance.")
DRY_RUN_FIRST: Final = gettext_noop("First the dry run: it looks at what is there now, which the undo restores.")


class CannotControl(ValueError):
    """What keeps a control or a change set from its next step, in words for the person who tried it."""


def next_state(state: str, verb: str) -> str:
    """The state a verb leads to; raises CannotControl where it leads nowhere."""
    following = TRANSITIONS.get((state, verb))
    if following is None:
        raise CannotControl(_("That cannot be done now: the change set is {state}.").format(state=_(STATES[state])))
    return following


# Who approves.


@dataclass(frozen=True, slots=True)
class Approver:
    """Who wants to approve: whether she is of finance, an administrator, or leads the team of the change set."""

    identity: int
    is_finance: bool
    is_lead: bool
    is_administrator: bool


def approver_objection(approver: Approver, involved: Iterable[int | None]) -> str:
    """Why she may not approve it; empty when she may. `involved`: who proposed it, and who defined or armed its
    control."""
    if approver.is_administrator:
        return _("Administrators run the system: they do not approve what is done to a team's machines.")
    if not (approver.is_finance or approver.is_lead):
        return _("Finance, or whoever leads the team, approves it.")
    if approver.identity in set(involved):
        return _("Somebody else has to approve it: you proposed it, or you defined or armed its control.")
    return ""


# Which machines are dev or test.

DEV_VALUES: Final = ("dev", "development", "test", "testing", "qa", "sandbox")
# "non-prod", "not_live", "preprod"; after a full stop a sentence of its own begins: "it is not. prod" says production.
_NOT: Final = re.compile(r"(?<![a-z])(?:non|not|pre)[\s_-]*(?:produ[ck]tion|prod|prd|live)(?![a-z])")
# Words that only look alike.
_HARMLESS: Final = re.compile(
    r"reproduc[a-z]*|produ[ck]t(?!i)|productivity(?![a-z])|produc(?:e[drs]?|ers|ing)(?![a-z])"
    r"|(?<![a-z])(?:alive|olive|lively|liver[a-z]*)(?![a-z])"
)
# "webprod", "PRD2", "produktiv", "producción"; "delivery" holds "live" inside and is another word.
_PRODUCTION: Final = re.compile(r"prod|prd|live(?![a-z])|(?<![a-z])live")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO: Final = {"false", "no", "n", "off", "0", "none", "never"}
NO_ENVIRONMENT: Final = gettext_noop("it has no tag of an environment: unknown is not dev or test")


def mentions_production(text: str) -> bool:
    """Whether a text says production anywhere: "Production", "webprod", "prd2", "prodWeb"; "non-prod" does not.

    Where it may be meant, it is taken for production: a machine too many is left alone rather than stopped.
    """
    split = _split(text)
    # Odd capitals ("pRod") are read as if they were none, unless it says "NonProd".
    ways = (split,) if _NOT.search(split) else (split, text.lower())
    return any(_PRODUCTION.search(_HARMLESS.sub(" ", _NOT.sub(" ", way))) for way in ways)


def _split(text: str) -> str:
    """The words that capitals set apart: "prodWeb" is "prod-web"."""
    return _HUMP.sub("-", text).lower()


def tag_says_production(key: str, value: str) -> bool:
    """Whether a tag says production by its value, or by its key: ``is-prod=1``, not ``Production=false``."""
    if mentions_production(value):
        return True
    if value.strip().lower() in _NO:
        return bool(_NOT.search(_split(key)))
    return mentions_production(key)


def exemption(
    tags: Mapping[str, str], name: str, environment_keys: Iterable[str], dev: Iterable[str], exempt: Iterable[str]
) -> str:
    """Why a machine is left alone, in words; empty for what is dev or test and nothing speaks against it.

    `exempt` are tags that protect, ``Key`` or ``Key=value``. Keys and values are compared without case and blanks;
    of keys that are the same by that every value counts.
    """
    lowered: dict[str, set[str]] = {}
    for key, value in tags.items():
        lowered.setdefault(key.strip().lower(), set()).add((value or "").strip().lower())
    for rule in exempt:
        key, equals, value = (part.strip().lower() for part in rule.partition("="))
        if key in lowered and (not equals or value in lowered[key]):
            return _("its tag {rule} exempts it").format(rule=rule.strip())
    for key, value in tags.items():
        if tag_says_production(key, value or ""):
            return _("its tag {key} says production ({value})").format(key=key, value=value)
    if mentions_production(name):
        return _("its name says production ({name})").format(name=name)
    keys = {key.strip().lower() for key in environment_keys}
    values = {value for key in keys for value in lowered.get(key, ()) if value}
    if not values:
        return NO_ENVIRONMENT
    strange = sorted(values - {value.strip().lower() for value in dev})
    return (
        _("its environment is {names}, which is none of dev and test").format(names=", ".join(strange))
        if strange
        else ""
    )


# What stopping saves.

# Units of which a bill counts the hours that a machine runs.
_HOURS: Final = re.compile(
    r"(?:\d+ )?(?:hours?|hrs?|instance-?hours?|vcpu-?hours?|vm-?hours?|seconds?|sec|h|s)", re.IGNORECASE
)


def is_running_time(unit: str, instance_type: str) -> bool:
    """Whether a line is what a machine costs while it runs: it is counted by the hour or the second.

    A line without a unit that names a machine's type is taken for that too; gigabytes are paid for as before.
    """
    return bool(_HOURS.fullmatch(unit.strip())) or (not unit.strip() and bool(instance_type))


@dataclass(frozen=True, slots=True)
class UsagePart:
    """What one kind of line of a resource costs a day; `cost` is None where the bill does not say it."""

    cost: Decimal | None
    is_running: bool
    is_covered: bool


def saving_a_day(parts: Sequence[UsagePart]) -> tuple[Decimal | None, str]:
    """What a day without the machine saves, and what is to be known of it; None where it is not known.

    Only what is paid while it runs counts, and only what no commitment covers: that is paid for all the same.
    """
    running = [part for part in parts if part.is_running]
    if not running:
        return None, _("the bill does not show what it costs by the hour")
    covered = [part for part in running if part.is_covered]
    paid = [part.cost for part in running if not part.is_covered]
    if any(cost is None for cost in paid):
        return None, _("the bill does not show its effective cost")
    saved = sum((cost for cost in paid if cost is not None), Decimal(0))
    if covered and not saved:
        return Decimal(0), _("a commitment covers it, and is paid for all the same")
    return saved, _("what a commitment covers of it saves nothing") if covered else ""


# How much at once.


@dataclass(frozen=True, slots=True)
class Candidate:
    """What might be acted on: its cost a day, and what acting saves (None: not known)."""

    key: str
    cost: Decimal
    saving: Decimal | None


def within_limits(
    candidates: Sequence[Candidate], most: int, scope_cost: Decimal, most_share: Decimal
) -> dict[str, str]:
    """{key: why it is beyond the limits}: those that save most come first, as far as number and share of cost allow.

    `scope_cost` is what the scope costs a day, and `most_share` (0 to 1) how much of it may be touched at once.
    """
    allowed_cost, used, count, beyond = scope_cost * most_share, Decimal(0), 0, {}
    for item in sorted(candidates, key=lambda item: (-(item.saving or 0), -item.cost, item.key)):
        if count >= most:
            beyond[item.key] = _("more than {most} at once").format(most=most)
        elif used + item.cost > allowed_cost:
            beyond[item.key] = _("beyond {value}% of what the scope costs a day").format(
                value=number_text(most_share * 100, 0)
            )
        else:
            used, count = used + item.cost, count + 1
    return beyond


# For how long.


def box_end(start: datetime, hours: int | None, weekday: int | None, at: time | None, zone: str) -> datetime:
    """When the time box that begins at `start` ends, aware UTC: after so many hours, or at the next such weekday and
    time of that zone. A time that the clocks jump over is taken when they have jumped."""
    if hours:
        return start + timedelta(hours=hours)
    assert weekday is not None
    assert at is not None
    local = start.astimezone(ZoneInfo(zone))
    day = local.date() + timedelta(days=(weekday - local.weekday()) % 7)
    end = datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)
    return end if end > start else datetime.combine(day + timedelta(days=7), at, ZoneInfo(zone)).astimezone(UTC)


def box_words(hours: int | None, weekday: int | None, at: time | None, zone: str) -> str:
    """``48 hours``, ``until Monday 07:00, Europe/Oslo``."""
    if hours:
        return counted(hours, "hour")
    assert weekday is not None
    assert at is not None
    return _("until {weekday} {at}, {zone}").format(weekday=_(WEEKDAYS[weekday]), at=f"{at:%H:%M}", zone=zone)


# Whether it may run by itself.


def arming_objection(identity: int, involved: Iterable[int | None], until: datetime, now: datetime) -> str:
    """Why she may not arm a control until then; empty when she may. Arming takes the place of every approval, so that
    it is done by somebody else than who defined or changed the control last."""
    if identity in set(involved):
        return _("Somebody else of finance has to arm it: you defined it or changed it last.")
    if until <= now:
        return _("It has to be armed until a time that is ahead.")
    if until > now + LONGEST_ARMED:
        return _("At most {days} days: then somebody looks at it again.").format(days=LONGEST_ARMED.days)
    return ""
