"""What cost can be grouped and filtered by: one table for pages, API, budgets, allocation rules, emails and loading.

A new column of cost lines touches the model, its migration and this table. Pure: no Django.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from finops_site.lib.language import gettext
from finops_site.lib.language import gettext_noop as _noop

TAG = "tag:"
# The value of a filter, and of a group, for what has nothing of a dimension.
NOBODY = "none"


class Rollup(Enum):
    """The throw-away sums of cost lines that know a dimension; cost lines themselves know every one."""

    MONTH = "month"
    RESOURCE = "resource"
    DAY = "day"


class Choices(Enum):
    """Where the values of a drop-down come from."""

    CATALOGUE = "the values that bills have, kept when they are loaded"
    TEAMS = "teams"
    POOLS = "pools"
    SOURCES = "sources of bills"
    ACCOUNT_GROUPS = "groups of accounts"
    COST_CENTERS = "the cost centres of teams"
    NONE = "too many to list, or known by other means"


# Of these a row has the id, and people the name.
BY_ID = (Choices.TEAMS, Choices.POOLS, Choices.SOURCES, Choices.ACCOUNT_GROUPS)
# Rows of these are for who sees the whole company.
OF_THE_COMPANY = (Choices.POOLS, Choices.SOURCES)
IN_ALL = (Rollup.MONTH, Rollup.RESOURCE, Rollup.DAY)
# Of a month, with and without the names of resources.
BY_MONTH = (Rollup.MONTH, Rollup.RESOURCE)


@dataclass(frozen=True, slots=True)
class CostDimension:
    """A dimension of a cost line.

    `name` stands in addresses, in the API and in the scope of a budget; `field` is the field of the cost models, or
    the one that leads to it: a cost centre is the owner's, a source the delivery's.
    `charge_column` is the FOCUS column that it is read from (`x_`: one of ours), empty for what we add to the bill;
    `width` is how many of its characters a cost line keeps, and `name_column` holds what people call the value.
    `filter_bar`: common enough to be offered wherever cost is filtered; the others may stand in an address.
    """

    name: str
    field: str
    label_text: str
    plural_text: str
    charge_column: str = ""
    width: int = 0
    rollups: tuple[Rollup, ...] = ()
    choices: Choices = Choices.NONE
    name_column: str = ""
    filterable: bool = True
    groupable: bool = True
    filter_bar: bool = False
    in_rules: bool = False

    @property
    def label(self) -> str:
        """What people call it, in the language of the reader; the key of a tag is nobody's language."""
        return self.label_text if self.is_tag and self.name != ANY_TAG.name else gettext(self.label_text)

    @property
    def plural(self) -> str:
        return self.plural_text if self.is_tag and self.name != ANY_TAG.name else gettext(self.plural_text)

    @property
    def column(self) -> str:
        """The column of the database's tables."""
        return f"{self.field}_id" if self.field in ("owner", "pool", "tag_set") else self.field

    @property
    def is_stored(self) -> bool:
        """Whether cost tables have the field themselves; others are reached through another table."""
        return "__" not in self.field

    @property
    def is_by_id(self) -> bool:
        return self.choices in BY_ID

    @property
    def is_team(self) -> bool:
        return self.choices is Choices.TEAMS

    @property
    def is_tag(self) -> bool:
        return self.field == "tag_set"

    @property
    def tag_key(self) -> str:
        return self.name.removeprefix(TAG)


# In the order in which people are offered them.
_TABLE = (
    CostDimension(
        "service",
        "service",
        _noop("Service"),
        _noop("Services"),
        charge_column="ServiceName",
        width=300,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
        name_column="x_ServiceTitle",
        filter_bar=True,
        in_rules=True,
    ),
    CostDimension(
        "team", "owner", _noop("Team"), _noop("Teams"), rollups=IN_ALL, choices=Choices.TEAMS, filter_bar=True
    ),
    CostDimension(
        "cost_center",
        "owner",
        _noop("Cost centre"),
        _noop("Cost centres"),
        rollups=IN_ALL,
        choices=Choices.COST_CENTERS,
        filter_bar=True,
    ),
    CostDimension(
        "pool", "pool", _noop("Pool"), _noop("Pools"), rollups=IN_ALL, choices=Choices.POOLS, filter_bar=True
    ),
    CostDimension(
        "account",
        "sub_account",
        _noop("Account"),
        _noop("Accounts"),
        charge_column="SubAccountId",
        width=200,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
        name_column="SubAccountName",
        filter_bar=True,
        in_rules=True,
    ),
    # Groups that people make of accounts: an organisational unit, a customer, a landing zone.
    CostDimension(
        "account_group",
        "sub_account",
        _noop("Account group"),
        _noop("Account groups"),
        rollups=IN_ALL,
        choices=Choices.ACCOUNT_GROUPS,
    ),
    CostDimension(
        "region",
        "region",
        _noop("Region"),
        _noop("Regions"),
        charge_column="RegionId",
        width=200,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
        name_column="RegionName",
        filter_bar=True,
        in_rules=True,
    ),
    CostDimension(
        "resource",
        "resource",
        _noop("Resource"),
        _noop("Resources"),
        charge_column="ResourceId",
        width=2000,
        rollups=(Rollup.RESOURCE,),
    ),
    CostDimension(
        "charge_category",
        "charge_category",
        _noop("Charge category"),
        _noop("Charge categories"),
        charge_column="ChargeCategory",
        width=40,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
        filter_bar=True,
        in_rules=True,
    ),
    # Worked out of several columns (costs/query/charge_kinds.py), which only cost lines have.
    CostDimension("charge_kind", "charge_category", _noop("Kind of charge"), _noop("Kinds of charge")),
    CostDimension(
        "service_category",
        "service_category",
        _noop("Service category"),
        _noop("Service categories"),
        charge_column="ServiceCategory",
        width=200,
        rollups=BY_MONTH,
        choices=Choices.CATALOGUE,
    ),
    # FOCUS's families of services, equal for all providers: costs/formats/service_families.py.
    CostDimension(
        "service_subcategory",
        "service_subcategory",
        _noop("Service subcategory"),
        _noop("Service subcategories"),
        charge_column="ServiceSubcategory",
        width=200,
        rollups=BY_MONTH,
        choices=Choices.CATALOGUE,
    ),
    CostDimension("rule", "owner_rule", _noop("Ownership rule"), _noop("Ownership rules"), rollups=BY_MONTH),
    CostDimension(
        "provider",
        "provider",
        _noop("Provider"),
        _noop("Providers"),
        charge_column="ProviderName",
        width=200,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
        filter_bar=True,
        in_rules=True,
    ),
    CostDimension(
        "billing_account",
        "billing_account",
        _noop("Billing account"),
        _noop("Billing accounts"),
        charge_column="BillingAccountId",
        width=200,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
        name_column="BillingAccountName",
        in_rules=True,
    ),
    # Who writes the invoice: the provider, one of its companies, a marketplace, a reseller.
    CostDimension(
        "invoice_issuer",
        "invoice_issuer",
        _noop("Invoice issuer"),
        _noop("Invoice issuers"),
        charge_column="InvoiceIssuerName",
        width=200,
        rollups=BY_MONTH,
        choices=Choices.CATALOGUE,
    ),
    # Through which bucket, folder or upload the bill came.
    CostDimension(
        "source",
        "delivery_month__delivery__source",
        _noop("Source"),
        _noop("Sources"),
        rollups=IN_ALL,
        choices=Choices.SOURCES,
    ),
    CostDimension(
        "pricing_category",
        "pricing_category",
        _noop("Pricing category"),
        _noop("Pricing categories"),
        charge_column="PricingCategory",
        width=40,
    ),
    CostDimension(
        "instance_type",
        "instance_type",
        _noop("Instance type"),
        _noop("Instance types"),
        charge_column="x_InstanceType",
        width=100,
    ),
    CostDimension(
        "commitment",
        "commitment",
        _noop("Commitment"),
        _noop("Commitments"),
        charge_column="CommitmentDiscountId",
        width=1000,
    ),
    CostDimension(
        "commitment_status",
        "commitment_status",
        _noop("Commitment status"),
        _noop("Commitment statuses"),
        charge_column="CommitmentDiscountStatus",
        width=40,
        in_rules=True,
    ),
    CostDimension(
        "charge_class",
        "charge_class",
        _noop("Charge class"),
        _noop("Charge classes"),
        charge_column="ChargeClass",
        width=40,
    ),
    CostDimension("billing_month", "billing_month", _noop("Billing month"), _noop("Billing months"), rollups=IN_ALL),
    CostDimension(
        "own_team",
        "owner",
        _noop("Team, without those below"),
        _noop("Teams, without those below"),
        rollups=IN_ALL,
        choices=Choices.TEAMS,
    ),
    CostDimension(
        "currency",
        "currency",
        _noop("Currency"),
        _noop("Currencies"),
        charge_column="BillingCurrency",
        width=10,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
    ),
    # Not asked by: amounts of two units are never added, so that it only parts the lines.
    CostDimension(
        "unit",
        "unit",
        _noop("Unit"),
        _noop("Units"),
        charge_column="ConsumedUnit",
        width=100,
        filterable=False,
        groupable=False,
    ),
)
DIMENSIONS = {dimension.name: dimension for dimension in _TABLE}
# Any tag: `tag:Environment` is the dimension of its key.
ANY_TAG = CostDimension(f"{TAG}<Key>", "tag_set", _noop("Tag"), _noop("Tags"), rollups=BY_MONTH)


def named(name: str) -> CostDimension:
    """The dimension of a name, `tag:<Key>` among them; KeyError for a name that is none."""
    if name.startswith(TAG) and len(name) > len(TAG):
        key = name.removeprefix(TAG)
        return replace(ANY_TAG, name=name, label_text=key, plural_text=key)
    return DIMENSIONS[name]


def names_where(condition: Callable[[CostDimension], bool]) -> tuple[str, ...]:
    """The names of the dimensions that meet a condition, in the order of the table."""
    return tuple(name for name, dimension in DIMENSIONS.items() if condition(dimension))


FILTERABLE = names_where(lambda dimension: dimension.filterable)
GROUPABLE = names_where(lambda dimension: dimension.groupable)
FILTER_BAR = names_where(lambda dimension: dimension.filter_bar)
FOR_THE_COMPANY = names_where(lambda dimension: dimension.choices in OF_THE_COMPANY)
# {cost line column: (charge column, how many characters the line keeps)} of all that parts one line from another.
READ_FROM_CHARGES = {
    dimension.field: (dimension.charge_column, dimension.width) for dimension in _TABLE if dimension.charge_column
}
# What an allocation rule may compare for equality.
RULE_FIELDS = tuple(dimension.field for dimension in _TABLE if dimension.in_rules)
# {cost line column whose values drop-downs offer: the charge column with what people call them, or nothing}.
CATALOGUED = {
    dimension.field: dimension.name_column or None for dimension in _TABLE if dimension.choices is Choices.CATALOGUE
}


def rollup_columns(rollup: Rollup) -> tuple[str, ...]:
    """The columns by which a rollup sums, without its month or day; each one once."""
    in_rollup = (dimension for dimension in (*_TABLE, ANY_TAG) if rollup in dimension.rollups)
    columns = [dimension.column for dimension in in_rollup if dimension.is_stored]
    return tuple(dict.fromkeys(columns))
