"""Reports that were made, kept as they were: the bytes, the figures behind them, and who may read them."""

import hashlib
from datetime import datetime, timedelta

from django.conf import settings

from finops_site.models import User
from finops_site.registry import TeamDocument
from finops_site.reports.typst_documents import is_archivable
from programme.models import MadeReport, ReportKind, ReportRun
from programme.reports import paper
from programme.reports.compose import title_of
from programme.reports.composed import ComposedReport, from_json, to_json
from programme.reports.readers import Scope


def keep(
    report: ComposedReport, scope: Scope, *, run: ReportRun | None, made_by: User | None, now: datetime
) -> MadeReport:
    """Draws the report and keeps it; the one that is kept already where the run has one of this scope.

    Raises paper.ReportTooLong.
    """
    content = paper.render(report, is_kept=True)
    values = {
        "kind": report.kind,
        "title": report.title,
        "scope": scope.label,
        "known": report.known,
        "start": report.period.start,
        "end": report.period.end,
        "as_of": report.as_of,
        "is_company": scope.is_company,
        "teams": list(scope.teams),
        "needs": list(scope.permissions),
        "made_by": made_by,
        "made_at": now,
        "figures": to_json(report),
        "content": content,
        "sha256": hashlib.sha256(content).hexdigest(),
        "pages": paper.pages_of(content),
        "is_archivable": is_archivable(content),
    }
    if run is None:
        return MadeReport.objects.create(scope_key=scope.key, **values)
    return MadeReport.objects.get_or_create(run=run, scope_key=scope.key, defaults=values)[0]


def keep_document(document: TeamDocument, run: ReportRun, *, needs: list[str], now: datetime) -> MadeReport:
    """The statement of a team as it was closed: the same bytes."""
    content = bytes(document.content)
    return MadeReport.objects.get_or_create(
        run=run,
        scope_key=f"team {document.team}",
        defaults={
            "kind": ReportKind.STATEMENTS,
            "title": f"{title_of(ReportKind.STATEMENTS, run.period)}, {document.team_name}",
            "scope": document.team_name,
            "start": run.start,
            "end": run.end,
            "as_of": now.date(),
            "teams": [document.team],
            "needs": needs,
            "made_at": now,
            "figures": {"summary": document.summary, "file_name": document.file_name},
            "content": content,
            "sha256": hashlib.sha256(content).hexdigest(),
            "pages": paper.pages_of(content),
            "is_archivable": is_archivable(content),
        },
    )[0]


def report_of(made: MadeReport) -> ComposedReport | None:
    """What a kept report says; None of a statement, which is its PDF alone."""
    return from_json(made.figures) if "parts" in made.figures else None


def remove_old(now: datetime) -> int:
    """Removes reports that are older than FINOPS_KEEP_REPORTS_DAYS; returns how many."""
    days = settings.FINOPS_KEEP_REPORTS_DAYS
    if not days:
        return 0
    return MadeReport.objects.filter(made_at__lt=now - timedelta(days=days)).delete()[0]
