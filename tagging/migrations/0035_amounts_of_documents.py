"""What documents state, in whole cents. Of months that are there already: as their pages and PDFs showed it.

Every total of a statement is the rounded one that its PDF has; its lines are rounded so that they make it. What such
months lack or have too much against their bill is in `document_rounding`. Drafts are computed again.
"""

from collections import defaultdict
from decimal import Decimal

from django.db import migrations, models

from finops_site.lib.money import rounded
from tagging.calc.rounded_sets import rounded_set

KINDS = {
    "direct": "direct",
    "shared": "shared",
    "spread": "spread",
    "corrections": "correction",
    "adjustments": "adjustment",
}
BATCH = 2000


def money(help_text=""):
    return models.DecimalField(decimal_places=18, max_digits=38, default=0, help_text=help_text)


def fill(apps, schema_editor):
    statements = apps.get_model("tagging", "Statement")
    lines = apps.get_model("tagging", "StatementLine")
    totals = apps.get_model("tagging", "MonthTotal")
    periods = apps.get_model("tagging", "ChargebackPeriod")
    sums = defaultdict(lambda: defaultdict(Decimal))
    for period in periods.objects.all():
        of_period = list(statements.objects.filter(period=period))
        of_statement = defaultdict(list)
        for line in lines.objects.filter(statement__period=period).order_by("pk"):
            of_statement[line.statement_id].append(line)
        for statement in of_period:
            code = statement.currency
            total = rounded(statement.total, code)
            amounts = rounded_set([getattr(statement, name) for name in KINDS], code, total=total)
            statement.document_total = total
            for (name, kind), amount in zip(KINDS.items(), amounts, strict=True):
                of_kind = [line for line in of_statement[statement.pk] if line.kind == kind]
                parts = rounded_set([line.amount for line in of_kind], code, total=amount) if of_kind else []
                for line, part in zip(of_kind, parts, strict=True):
                    line.document_amount = part
                setattr(statement, f"document_{name}", amount)
                key = "shared" if name == "spread" else name
                sums[period.pk, code][key] += amount
        fields = [f"document_{name}" for name in (*KINDS, "total")]
        statements.objects.bulk_update(of_period, fields, batch_size=BATCH)
        changed = [line for group in of_statement.values() for line in group]
        lines.objects.bulk_update(changed, ["document_amount"], batch_size=BATCH)
    all_totals = list(totals.objects.all())
    for row in all_totals:
        code, of_statements = row.currency, sums[row.period_id, row.currency]
        row.document_direct, row.document_shared = of_statements["direct"], of_statements["shared"]
        row.document_corrections, row.document_given_back = of_statements["corrections"], -of_statements["adjustments"]
        for name in ("bill", "unallocated", "unowned"):
            setattr(row, f"document_{name}", rounded(getattr(row, name), code))
        parts = row.document_direct + row.document_shared + row.document_unallocated + row.document_unowned
        row.document_rounding = row.document_bill - parts
    names = ("bill", "direct", "shared", "unallocated", "unowned", "corrections", "given_back", "rounding")
    totals.objects.bulk_update(all_totals, [f"document_{name}" for name in names], batch_size=BATCH)
    periods.objects.filter(state="draft").update(fingerprint="")


class Migration(migrations.Migration):
    dependencies = [("tagging", "0034_compliance_rollup")]

    operations = [
        *(
            migrations.AddField("statement", f"document_{name}", money())
            for name in ("direct", "shared", "spread", "corrections", "adjustments")
        ),
        migrations.AddField("statement", "document_total", money("what the team is charged, in whole cents")),
        migrations.AddField(
            "statementline", "document_amount", money("in whole cents: the lines of a statement sum to it")
        ),
        *(
            migrations.AddField("monthtotal", f"document_{name}", money())
            for name in ("bill", "direct", "shared", "unallocated", "unowned", "corrections", "given_back")
        ),
        migrations.AddField(
            "monthtotal",
            "document_rounding",
            money("bill less its parts: zero since the parts are rounded together"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
