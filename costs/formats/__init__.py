"""Every format we read, and which of them a header belongs to."""

from collections.abc import Callable

from costs.formats.aws_cur import AWS_CUR
from costs.formats.azure import AZURE_ACTUAL, AZURE_AMORTIZED
from costs.formats.base import BadBill, Format, Sheet, squeezed
from costs.formats.focus import FOCUS
from costs.formats.gcp import GCP
from costs.formats.oci import OCI
from costs.formats.seed_inventory import SEED_EC2, SEED_S3
from costs.formats.vendors.alibaba import ALIBABA
from costs.formats.vendors.anthropic import ANTHROPIC
from costs.formats.vendors.databricks import DATABRICKS
from costs.formats.vendors.datadog import DATADOG_CUSTOM, DATADOG_USAGE
from costs.formats.vendors.digitalocean import DIGITALOCEAN
from costs.formats.vendors.github import GITHUB, GITHUB_PREMIUM
from costs.formats.vendors.ibm import IBM
from costs.formats.vendors.mongodb import MONGODB_API, MONGODB_CSV
from costs.formats.vendors.openai import OPENAI
from costs.formats.vendors.snowflake import SNOWFLAKE
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop

# Where headers are alike, the format with evidence in its rows comes first.
FORMATS: tuple[Format, ...] = (
    *(FOCUS, AWS_CUR, AZURE_AMORTIZED, AZURE_ACTUAL, GCP, OCI, SEED_EC2, SEED_S3),
    *(ALIBABA, ANTHROPIC, DATABRICKS, DATADOG_CUSTOM, DATADOG_USAGE, DIGITALOCEAN, GITHUB_PREMIUM, GITHUB, IBM),
    *(MONGODB_CSV, MONGODB_API, OPENAI, SNOWFLAKE),
)
NAMES = tuple(dict.fromkeys(known.name for known in FORMATS))

# Reports that are known and cannot be read as a bill: {some of their columns: why, and what helps}.
NOT_READ = {
    ("Multiplier", "Actions Workflow", "Repository Slug"): _noop(
        "this is GitHub's older usage report, which has prices and no amounts: what the plan includes is not taken "
        "off. Export the usage report of GitHub's new billing platform (with gross_amount and net_amount)."
    ),
    ("Timestamp", "Requests Used", "Exceeds Monthly Quota"): _noop(
        "this is GitHub's older report of premium requests, which has no amounts. Export the usage report."
    ),
}


def detect(
    sheet: Sheet, *, wanted: str = "auto", file: str = "the file", shows: Callable[[Format], bool] = lambda known: False
) -> Format:
    """The format whose required columns the header has; `wanted` narrows the choice to one format's name.

    `shows` returns whether the file's rows have a format's evidence; it is called where the header leaves a choice.
    Raises BadBill naming the nearest format and the columns that are missing.
    """
    choice = [known for known in FORMATS if wanted in ("auto", known.name)]
    if not choice:
        raise BadBill(
            _("{wanted!r} is not a format we read: choose auto, {names}.").format(wanted=wanted, names=", ".join(NAMES))
        )
    for known in (known for known in choice if known.fits(sheet)):
        if not known.evidence or wanted != "auto" or shows(known):
            return known
    for columns, reason in NOT_READ.items():
        if all(name in sheet for name in columns):
            raise BadBill(f"{file}: {reason}")
    titles = ", ".join(known.title for known in FORMATS)
    own = [known for known in choice if not known.is_foreign(sheet)]
    if not own:
        others = ", ".join(dict.fromkeys(name for known in choice for name in known.foreign if name in sheet))
        raise BadBill(
            _("{file}: {title} has no column {others}; this is a bill of another format.").format(
                file=file, title=choice[0].title, others=others
            )
        )
    nearest = min(own, key=lambda known: len(known.missing(sheet)) / len(known.required))
    missing = nearest.missing(sheet)
    if len(missing) == len(nearest.required):
        raise BadBill(
            _(
                "{file}: this is no bill we know: its header has none of the columns we look for. We read {titles}."
            ).format(file=file, titles=titles)
        )
    if not _is_near(nearest, sheet):
        raise BadBill(
            _(
                "{file}: none of the formats we read has this header. We read {titles}. Another one is a map "
                "of its columns in costs/formats."
            ).format(file=file, titles=titles)
        )
    needed = ", ".join(" or ".join(name.split("|")) for name in missing)
    raise BadBill(
        _("{file}: no known bill has this header; nearest is {nearest}, which also needs {needed}.").format(
            file=file, nearest=nearest.title, needed=needed
        )
    )


# Names that columns of any bill may have: they show no format.
GENERIC = frozenset(
    (
        *("cost", "amount", "usage", "quantity", "unit", "unittype", "date", "usagedate", "currency", "region", "tags"),
        *("service", "product", "sku", "resourceid", "state", "subscriptionid"),
    )
)


def _is_near(known: Format, sheet: Sheet) -> bool:
    """Whether the header has half of the format's columns, and one among them that shows it."""
    present = [name.split("|") for name in known.required if name not in known.missing(sheet)]
    names = {squeezed(name) for names in present for name in names if name in sheet}
    return 2 * len(present) >= len(known.required) and bool(names - GENERIC)
