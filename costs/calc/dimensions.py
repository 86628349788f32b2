"""What cost can be grouped and filtered by: one table for pages, API, budgets, allocation rules, emails and loading.

A new column of cost lines touches the model, its migration and this table. Pure: no Django.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

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
    label: str
    plural: str
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
        "Service",
        "Services",
        charge_column="ServiceName",
        width=300,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
        name_column="x_ServiceTitle",
        filter_bar=True,
        in_rules=True,
    ),
    CostDimension("team", "owner", "Team", "Teams", rollups=IN_ALL, choices=Choices.TEAMS, filter_bar=True),
    CostDimension(
        "cost_center",
        "owner",
        "Cost centre",
        "Cost centres",
        rollups=IN_ALL,
        choices=Choices.COST_CENTERS,
        filter_bar=True,
    ),
    CostDimension("pool", "pool", "Pool", "Pools", rollups=IN_ALL, choices=Choices.POOLS, filter_bar=True),
    CostDimension(
        "account",
        "sub_account",
        "Account",
        "Accounts",
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
        "Account group",
        "Account groups",
        rollups=IN_ALL,
        choices=Choices.ACCOUNT_GROUPS,
    ),
    CostDimension(
        "region",
        "region",
        "Region",
        "Regions",
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
        "Resource",
        "Resources",
        charge_column="ResourceId",
        width=2000,
        rollups=(Rollup.RESOURCE,),
    ),
    CostDimension(
        "charge_category",
        "charge_category",
        "Charge category",
        "Charge categories",
        charge_column="ChargeCategory",
        width=40,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
        filter_bar=True,
        in_rules=True,
    ),
    # Worked out of several columns (costs/query/charge_kinds.py), which only cost lines have.
    CostDimension("charge_kind", "charge_category", "Kind of charge", "Kinds of charge"),
    CostDimension(
        "service_category",
        "service_category",
        "Service category",
        "Service categories",
        charge_column="ServiceCategory",
        width=200,
        rollups=BY_MONTH,
        choices=Choices.CATALOGUE,
    ),
    # FOCUS's families of services, equal for all providers: costs/formats/service_families.py.
    CostDimension(
        "service_subcategory",
        "service_subcategory",
        "Service subcategory",
        "Service subcategories",
        charge_column="ServiceSubcategory",
        width=200,
        rollups=BY_MONTH,
        choices=Choices.CATALOGUE,
    ),
    CostDimension("rule", "owner_rule", "Ownership rule", "Ownership rules", rollups=BY_MONTH),
    CostDimension(
        "provider",
        "provider",
        "Provider",
        "Providers",
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
        "Billing account",
        "Billing accounts",
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
        "Invoice issuer",
        "Invoice issuers",
        charge_column="InvoiceIssuerName",
        width=200,
        rollups=BY_MONTH,
        choices=Choices.CATALOGUE,
    ),
    # Through which bucket, folder or upload the bill came.
    CostDimension(
        "source",
        "delivery_month__delivery__source",
        "Source",
        "Sources",
        rollups=IN_ALL,
        choices=Choices.SOURCES,
    ),
    CostDimension(
        "pricing_category",
        "pricing_category",
        "Pricing category",
        "Pricing categories",
        charge_column="PricingCategory",
        width=40,
    ),
    CostDimension(
        "instance_type", "instance_type", "Instance type", "Instance types", charge_column="x_InstanceType", width=100
    ),
    CostDimension(
        "commitment", "commitment", "Commitment", "Commitments", charge_column="CommitmentDiscountId", width=1000
    ),
    CostDimension(
        "commitment_status",
        "commitment_status",
        "Commitment status",
        "Commitment statuses",
        charge_column="CommitmentDiscountStatus",
        width=40,
        in_rules=True,
    ),
    CostDimension(
        "charge_class", "charge_class", "Charge class", "Charge classes", charge_column="ChargeClass", width=40
    ),
    CostDimension("billing_month", "billing_month", "Billing month", "Billing months", rollups=IN_ALL),
    CostDimension(
        "own_team",
        "owner",
        "Team, without those below",
        "Teams, without those below",
        rollups=IN_ALL,
        choices=Choices.TEAMS,
    ),
    CostDimension(
        "currency",
        "currency",
        "Currency",
        "Currencies",
        charge_column="BillingCurrency",
        width=10,
        rollups=IN_ALL,
        choices=Choices.CATALOGUE,
    ),
    # Not asked by: amounts of two units are never added, so that it only parts the lines.
    CostDimension(
        "unit", "unit", "Unit", "Units", charge_column="ConsumedUnit", width=100, filterable=False, groupable=False
    ),
)
DIMENSIONS = {dimension.name: dimension for dimension in _TABLE}
# Any tag: `tag:Environment` is the dimension of its key.
ANY_TAG = CostDimension(f"{TAG}<Key>", "tag_set", "Tag", "Tags", rollups=BY_MONTH)


def named(name: str) -> CostDimension:
    """The dimension of a name, `tag:<Key>` among them; KeyError for a name that is none."""
    if name.startswith(TAG) and len(name) > len(TAG):
        key = name.removeprefix(TAG)
        return replace(ANY_TAG, name=name, label=key, plural=key)
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
