"""One run over all resources: facts, rules, what excludes what, and what is stored of it."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.ingest.workspace import limited_duckdb, scratch_folder
from finops_site.lib.periods import day_text
from finops_site.lib.trees import all_above
from finops_site.ops.heartbeats import is_silent
from finops_site.people.savings_scopes import team_parents
from usage.calc import rules as rule_book
from usage.calc.candidates import Judgement, Quiet, gather_candidates
from usage.calc.charge_facts import same_resource
from usage.calc.resolution import resolve
from usage.calc.rules.base import Rule
from usage.findings import facts, store
from usage.models import Evaluation, QuietRule

# A run that gave no sign of life for so long has died with its process.
SILENCE = timedelta(minutes=30)


class CannotEvaluate(ValueError):
    """Nothing can be judged; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class RuleSum:
    """How many findings of a rule there are, what of their savings counts, and how many have no known saving.

    `counted_saving` is None where no saving is known.
    """

    rule: str
    currency: str
    findings: int
    counted_saving: Decimal | None
    unknown: int


@dataclass(slots=True)
class Result:
    """What an evaluation saw; `outcome` is None where it was only tried."""

    as_of: date
    first_day: date | None = None
    last_day: date | None = None
    resources: int = 0
    findings: int = 0
    sums: list[RuleSum] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outcome: store.Outcome | None = None


def evaluate(as_of: date, *, rules: Sequence[Rule] | None = None, dry_run: bool = False) -> Result:
    """Judges every resource by what bills, metrics, inventories and providers say, and stores the findings.

    Raises CannotEvaluate while another evaluation runs, and for a day before the newest that was evaluated: findings
    would go back in time. A `dry_run` may be of any day whose bills there can be, and stores nothing.
    """
    if as_of.toordinal() <= facts.LOOK_BACK_DAYS:
        raise CannotEvaluate(_("{day} is too long ago: there are no bills of it.").format(day=day_text(as_of)))
    rules = list(all_rules() if rules is None else rules)
    if dry_run:
        return _evaluate(as_of, rules, None)
    evaluation = start_evaluation(as_of)
    try:
        result = _evaluate(as_of, rules, evaluation)
    except BaseException as error:
        # Whoever stops it by hand does not hold up the next one.
        _end(evaluation, Evaluation.State.FAILED, message=str(error)[:2000] or _("It was stopped."))
        raise
    _end(
        evaluation,
        Evaluation.State.DONE,
        first_day=result.first_day,
        last_day=result.last_day,
        resources=result.resources,
        findings=result.findings,
        notes=result.notes,
    )
    return result


def all_rules() -> Sequence[Rule]:
    """Every rule there is, in the order in which savings are counted."""
    return rule_book.RULES


def start_evaluation(as_of: date) -> Evaluation:
    """The row of a run that begins; see `evaluate` for what it raises."""
    now = timezone.now()
    running = Evaluation.objects.filter(state=Evaluation.State.RUNNING)
    running.filter(is_silent("heartbeat_at", now, SILENCE)).update(
        state=Evaluation.State.FAILED, ended_at=now, message=_("It stopped without an end.")
    )
    newest = Evaluation.objects.filter(state=Evaluation.State.DONE).order_by("-as_of").first()
    if newest and newest.as_of > as_of:
        raise CannotEvaluate(
            _("{newest} was evaluated already, and findings do not go back to {day}; a dry run does.").format(
                newest=day_text(newest.as_of), day=day_text(as_of)
            )
        )
    try:
        with transaction.atomic():
            return Evaluation.objects.create(as_of=as_of)
    except IntegrityError:
        # The database knows of one at most: of two that begin at once, one is refused.
        raise CannotEvaluate(_("An evaluation is running already: wait for its end.")) from None


def _end(evaluation: Evaluation, state: Evaluation.State, **values: Any) -> None:
    Evaluation.objects.filter(pk=evaluation.pk).update(state=state, ended_at=timezone.now(), **values)


def _beat(evaluation: Evaluation | None) -> None:
    if evaluation:
        Evaluation.objects.filter(pk=evaluation.pk).update(heartbeat_at=timezone.now())


@contextmanager
def workplace() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A DuckDB that is bounded by the settings, and the folder into which it spills."""
    folder = Path(settings.FINOPS_VAR) / "incoming" / f"usage-{uuid.uuid4().hex}"
    with scratch_folder(folder) as scratch, limited_duckdb(scratch) as db:
        yield db, scratch


def _evaluate(as_of: date, rules: Sequence[Rule], evaluation: Evaluation | None) -> Result:
    with workplace() as (db, scratch):
        facts.fill(db, as_of, scratch)
        _beat(evaluation)
        result = _describe(db, as_of)
        judgement = gather_candidates(db, rules, quiet_rules(as_of), beat=partial(_beat, evaluation))
        result.notes += judgement.notes
        resolve_candidates(db, rules)
        result.sums = _sums(db)
        result.findings = sum(line.findings for line in result.sums)
        if evaluation:
            result.outcome = _store(db, rules, judgement, result, scratch)
    return result


def resolve_candidates(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> None:
    """Makes `resolved` of the candidates, by what people decided about them and by the open cost of their resources."""
    store.read_standing(db)
    db.execute(f"""
        CREATE OR REPLACE VIEW standing_candidates AS
        SELECT c.*, coalesce(s.standing, 1) AS standing, r.monthly_open_cost AS open_cost
        FROM candidates c LEFT JOIN standings s USING (key)
        LEFT JOIN resources r ON {same_resource("r", "c")} AND r.currency = c.currency
    """)
    resolve(db, rules, "standing_candidates")


def _describe(db: duckdb.DuckDBPyConnection, as_of: date) -> Result:
    """Which days are judged, and whose bill is too old to judge by."""
    result = Result(as_of)
    rows = db.execute("SELECT provider, payer, first, last, is_stale FROM windows ORDER BY provider, payer").fetchall()
    fresh = [(first, last) for _provider, _payer, first, last, is_stale in rows if not is_stale]
    if fresh:
        result.first_day, result.last_day = min(first for first, _ in fresh), max(last for _, last in fresh)
    else:
        result.notes.append(_("No bill is new enough: nothing is known of what runs now."))
    result.notes += [
        _("The bill of {provider} {payer} ends on {day}: what it runs now is not known.").format(
            provider=provider, payer=payer, day=day_text(last)
        )
        for provider, payer, _first, last, is_stale in rows
        if is_stale
    ]
    (result.resources,) = db.execute("SELECT count(*) FROM resources").fetchone() or (0,)
    return result


def quiet_rules(as_of: date) -> list[Quiet]:
    """What dismissals taught, as far as it is still in force; a team stands for those below it too."""
    rows = list(QuietRule.objects.filter(Q(until=None) | Q(until__gte=as_of)))
    below = _teams_below() if any(row.team_id for row in rows) else {}
    return [
        Quiet(
            row.rule,
            tuple(below.get(row.team_id, ())) if row.team_id else (),
            row.account,
            row.name_begins,
            row.tag_key,
            row.tag_value,
        )
        for row in rows
    ]


def _teams_below() -> dict[int, list[int]]:
    parents = team_parents()
    below: dict[int, list[int]] = {team: [] for team in parents}
    for team in parents:
        for above in (team, *all_above(team, parents)):
            below[above].append(team)
    return below


def _sums(db: duckdb.DuckDBPyConnection) -> list[RuleSum]:
    rows = db.execute("""
        SELECT c.rule, c.currency, count(*), sum(d.counted), count(*) FILTER (d.counted IS NULL)
        FROM candidates c JOIN resolved d USING (key) GROUP BY ALL ORDER BY 4 DESC NULLS LAST, 1
    """).fetchall()
    return [RuleSum(*row) for row in rows]


def _store(
    db: duckdb.DuckDBPyConnection, rules: Sequence[Rule], judgement: Judgement, result: Result, scratch: Path
) -> store.Outcome:
    by_name = {rule.name: rule for rule in rules}
    judged = [by_name[name] for name in judgement.rules]
    return store.store_findings(db, rules=judged, as_of=result.as_of, first_day=result.first_day, scratch=scratch)
