"""The demo company's findings, as a night makes them, and how they go with it."""

from collections.abc import Callable
from datetime import date

from django.db.models import Q, QuerySet

from costs.models import Delivery, DeliveryMonth
from finops_site.lib.words import counted
from finops_site.people.demo_rows import demo_people, demo_rows
from usage.findings.evaluate import CannotEvaluate, evaluate
from usage.models import Evaluation, Finding, FixSet, QuietRule


def judge_resources(write: Callable[[str], object], *, as_of: date) -> None:
    """Judges what the demo company runs; running it again changes nothing."""
    try:
        result = evaluate(as_of)
    except CannotEvaluate as error:
        write(str(error))
        return
    write(f"{counted(result.findings, 'finding')} on {counted(result.resources, 'resource')}.")


def counts() -> list[tuple[str, int, int]]:
    going = demo_findings().count()
    return [("findings", going, Finding.objects.count() - going)]


def demo_findings() -> QuerySet[Finding]:
    """Findings on accounts that the demo's bills alone bring."""
    months = DeliveryMonth.objects.filter(is_current=True)
    of_demo = set(_accounts(months.filter(delivery__in=demo_rows(Delivery))))
    real = set(_accounts(months.exclude(delivery__in=demo_rows(Delivery))))
    return Finding.objects.filter(account__in=of_demo - real)


def _accounts(months: QuerySet[DeliveryMonth]) -> set[str]:
    names = months.values_list("accounts__sub_account", "accounts__billing_account").distinct()
    return {account or payer or "" for account, payer in names}


def remove_findings() -> None:
    """Takes away the demo's findings, what its people taught, and evaluations where no bill stays."""
    demo_findings().delete()
    # Change sets of nothing but these, and all that its people made.
    FixSet.objects.filter(Q(steps=None) | Q(made_by__in=demo_people())).delete()
    QuietRule.objects.filter(Q(made_by__in=demo_people())).delete()
    if not Delivery.objects.exclude(pk__in=demo_rows(Delivery)).exists():
        Evaluation.objects.all().delete()
