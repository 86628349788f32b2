"""How versions of FOCUS and its issuers write what the specification spells otherwise: a table for each. Pure.

The specification's closed lists are in its attributes "allowed values"; what became of the preview's columns is in the
change log of 1.0. Issuers: Google's FOCUS view (github.com/looker-open-source/google_cloud_focus), Microsoft's FOCUS
dataset and its known gaps (learn.microsoft.com/cloud-computing/finops/focus/conformance-summary), Oracle's FOCUS cost
report (docs.oracle.com/iaas/Content/Billing/Concepts/costusagereportsoverview.htm).
"""

from collections.abc import Mapping, Sequence

from costs.formats.base import Rule, Sheet, aside
from costs.formats.normalise import ABSENT, Change, ChangeRule, Changes, empty_where_unassigned, spelled, squeezed_sql
from costs.formats.sql import literal, stored

# Columns with a closed list of values.
ALLOWED: Mapping[str, Sequence[str]] = {
    "ChargeCategory": ("Usage", "Purchase", "Tax", "Credit", "Adjustment"),
    "ChargeClass": ("Correction",),
    "ChargeFrequency": ("One-Time", "Recurring", "Usage-Based"),
    "PricingCategory": ("Standard", "Dynamic", "Committed", "Other"),
    "CommitmentDiscountCategory": ("Spend", "Usage"),
    "CommitmentDiscountStatus": ("Used", "Unused"),
}
# Other words for the same, squeezed to small letters. 1.0-preview had names of its own for pricing, and one column,
# ChargeSubcategory, for what 1.0 has three for.
SPELLINGS: Mapping[str, Mapping[str, str]] = {
    "PricingCategory": {
        "ondemand": "Standard",
        "commitmentbased": "Committed",
        "commitmentdiscount": "Committed",
        "spot": "Dynamic",
    },
    "CommitmentDiscountStatus": {"usedcommitment": "Used", "unusedcommitment": "Unused"},
}
SUBCATEGORIES: Mapping[str, Mapping[str, str]] = {
    "CommitmentDiscountStatus": {"usedcommitment": "Used", "unusedcommitment": "Unused"},
    "ChargeCategory": {"credit": "Credit"},
    "ChargeClass": {"refund": "Correction"},
}


def is_empty(sql: str) -> str:
    return f"coalesce({sql}, '') = ''"


def from_subcategory(column: str) -> ChangeRule:
    """What 1.0-preview says in ChargeSubcategory, where the column of 1.0 does not say it."""
    words = SUBCATEGORIES[column]
    cases = " ".join(f"WHEN {literal(word)} THEN {literal(value)}" for word, value in words.items())
    known = ", ".join(map(literal, words))

    def find(sheet: Sheet, written: str, read: str) -> Change | None:
        subcategory = sheet.text("ChargeSubcategory")
        if subcategory is None:
            return None
        squeezed = squeezed_sql(subcategory)
        # A credit is a kind of adjustment in the preview; the other columns are new.
        open_for_it = f"lower({written}) = 'adjustment'" if column == "ChargeCategory" else is_empty(written)
        return Change(
            when=f"{subcategory} <> '' AND {squeezed} IN ({known}) AND {open_for_it}",
            value=f"CASE {squeezed} {cases} END",
            note=f"""'ChargeSubcategory "' || {subcategory} || {literal(f'", read as {column} ')} || {read}""",
        )

    return find


def _issued_by(*names: str) -> Rule:
    """SQL that is true for rows of a provider, whoever invoices them; None where the header names nobody."""

    def rule(sheet: Sheet) -> str | None:
        columns = ("ProviderName", "Provider", "ServiceProviderName", "InvoiceIssuerName", "InvoiceIssuer")
        cells = [sql for column in columns if (sql := sheet.text(column))]
        listed = ", ".join(map(literal, names))
        tests = [f"coalesce({sql} IN ({listed}), false)" for sql in dict.fromkeys(cells)]
        return f"({' OR '.join(tests)})" if tests else None

    return rule


# Of what several columns need: {name: rule}, worked out once for each row.
ISSUERS: Mapping[str, Rule] = {
    "by Microsoft": _issued_by("Microsoft", "Microsoft Azure", "Azure", "Microsoft Corporation"),
    "by Google": _issued_by("Google Cloud", "Google", "GCP", "Google Cloud Platform"),
}


def by_microsoft(sheet: Sheet) -> str | None:
    return ISSUERS["by Microsoft"](sheet) and aside("by Microsoft")


def by_google(sheet: Sheet) -> str | None:
    return ISSUERS["by Google"](sheet) and aside("by Google")


def unknown_where_zero(column: str) -> ChangeRule:
    """Microsoft writes 0 for a price it does not know: where the row was not free, the price was not either.

    A row without billed and effective cost and without a commitment may have been free, and keeps its 0.
    """

    def find(sheet: Sheet, written: str, read: str) -> Change | None:
        microsoft = by_microsoft(sheet)
        if microsoft is None or written == ABSENT:
            return None
        costs = [sql for name in ("BilledCost", "EffectiveCost", "AmortizedCost") if (sql := sheet.text(name))]
        paid = [f"coalesce({stored(sql)}, 0) <> 0" for sql in costs]
        covered = [
            f"{sql} <> ''" for name in ("CommitmentDiscountStatus", "CommitmentDiscountId") if (sql := sheet.text(name))
        ]
        when = f"{microsoft} AND {stored(written)} = 0 AND ({' OR '.join([*paid, *covered])})"
        return Change(when, "NULL", literal(f"{column} written 0 though not free, read as unknown"))

    return find


def zero_where_commitment_is_bought(sheet: Sheet, written: str, read: str) -> Change | None:
    """A purchase of a commitment has no effective cost: the usage that it covers carries it.

    FOCUS, EffectiveCost: 0 where ChargeCategory is Purchase and the charge is for future eligible charges. Microsoft's
    exports have the price there and again, amortised, in the rows of use.
    """
    microsoft = by_microsoft(sheet)
    category, commitment = sheet.text("ChargeCategory", "ChargeType"), sheet.text("CommitmentDiscountId")
    if not (microsoft and category and commitment):
        return None
    when = f"{microsoft} AND {commitment} <> '' AND lower({category}) = 'purchase' AND {stored(written)} <> 0"
    return Change(when, "'0'", "'EffectiveCost on the purchase of a commitment, read as 0: its usage carries it'")


# ``01A2B3-C4D5E6-F7A8B9``, the id of a Google Cloud billing account.
BILLING_ACCOUNT = "'([0-9A-F]{3,6}-){2}[0-9A-F]{3,6}'"


def project_for_account(key: str) -> ChangeRule:
    """Google's view has the billing account as sub account, and the project, which is one, in x_Project."""

    def find(sheet: Sheet, written: str, read: str) -> Change | None:
        google, project = by_google(sheet), sheet.text("x_Project.id")
        if google is None or project is None:
            return None
        account, payer = sheet.text("SubAccountId"), sheet.text("BillingAccountId")
        is_payer = f"{is_empty(account)} OR {account} = {payer}" if account and payer else "true"
        when = f"{google} AND ({is_payer} OR regexp_full_match({account or 'NULL'}, {BILLING_ACCOUNT}))"
        note = literal("the project of x_Project as sub account, which named the billing account")
        return Change(when, sheet.text(f"x_Project.{key}") or "NULL", note if key == "id" else "")

    return find


def compartment_for_tenancy(key: str) -> ChangeRule:
    """Oracle's compartment where the report names no sub account beside the billing account."""

    def find(sheet: Sheet, written: str, read: str) -> Change | None:
        compartment, account = sheet.text(f"oci_Compartment{key}"), sheet.text("SubAccountId")
        if compartment is None:
            return None
        payer = sheet.text("BillingAccountId") or "NULL"
        is_payer = f"{is_empty(account)} OR {account} = {payer}" if account else "true"
        note = literal("the compartment as sub account, which was empty or the billing account")
        return Change(f"{compartment} <> '' AND ({is_payer})", compartment, note if key == "Id" else "")

    return find


def correction_of_earlier_line(sheet: Sheet, written: str, read: str) -> Change | None:
    """Oracle's corrections name the line that they correct."""
    earlier = sheet.text("oci_BackReferenceNumber")
    if earlier is None:
        return None
    note = "oci_BackReferenceNumber, read as ChargeClass Correction"
    return Change(f"{is_empty(written)} AND {earlier} <> ''", "'Correction'", literal(note))


# Names that Microsoft writes "Unassigned" where it has none.
NAMES = (
    *("BillingAccountName", "SubAccountName", "SubAccountId", "ServiceName", "RegionId", "RegionName", "ResourceName"),
    *("ResourceType", "CommitmentDiscountName", "PublisherName"),
)
PRICES = ("ListCost", "ContractedCost", "ListUnitPrice", "ContractedUnitPrice")


def _changes() -> Changes:
    changes: dict[str, list[ChangeRule]] = {
        column: [spelled(column, allowed, SPELLINGS.get(column, {}))] for column, allowed in ALLOWED.items()
    }
    for column in SUBCATEGORIES:
        changes[column].insert(0, from_subcategory(column))
    changes["ChargeClass"].append(correction_of_earlier_line)
    for column in NAMES:
        changes[column] = [empty_where_unassigned(column, by_microsoft)]
    for column in PRICES:
        changes[column] = [unknown_where_zero(column)]
    changes["EffectiveCost"] = [zero_where_commitment_is_bought]
    changes["SubAccountId"] += [project_for_account("id"), compartment_for_tenancy("Id")]
    changes["SubAccountName"] += [project_for_account("name"), compartment_for_tenancy("Name")]
    return changes


CHANGES = _changes()
