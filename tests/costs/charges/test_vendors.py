"""The bills of smaller vendors: the examples of docs/providers, worked by hand,"
" and a row of each that cannot be read."""

import json
from decimal import Decimal

import duckdb
import pytest

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Reject
from tests import bills

pytestmark = pytest.mark.django_db


@pytest.fixture
def load(tmp_path):
    """Loads texts as the files of one delivery and returns it, its books proved."""

    def load(*texts, name="bill.csv", **options):
        contents = [text.encode() if isinstance(text, str) else text for text in texts]
        paths = [bills.write(tmp_path, f"{number}-{name}", content) for number, content in enumerate(contents)]
        (received,) = receive_bill("vendor", paths, **options)
        delivery = load_bill(received.delivery)
        assert [check for check in reconciliation.reconcile() if not check.holds] == []
        return delivery

    return load


def rejects(delivery):
    """(line, column, value) of every row that was not read."""
    return list(Reject.objects.filter(delivery=delivery).values_list("line", "column", "value"))


def lines(*fields):
    return list(CostLine.objects.order_by("charge_date", "service", "billed_cost").values_list(*fields))


def charges(delivery, *columns):
    """The charges as written, for columns that no cost line keeps."""
    (month,) = delivery.months.all()
    return duckdb.execute(
        f"SELECT {', '.join(columns)} FROM read_parquet('{month.charges_glob}') ORDER BY ALL"
    ).fetchall()


class TestGitHub:
    HEADER = (
        "date,product,sku,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,"
        "username,organization,repository,workflow_path,cost_center_name\n"
    )
    ROWS = (
        "2026-03-02,actions,actions_linux,1500,minutes,0.008,12.0,8.0,4.0,ola,octo,octo/web,.github/ci.yml,Web\n"
        "2026-03-02,copilot,copilot_business,0.032258,user-months,19,0.612902,0,0.612902,eli,octo,,,\n"
        "2026-03-03,git_lfs,git_lfs_storage,2.5,gigabyte-hours,0.0001,0.00025,0.00025,0,,octo,octo/art,,Web\n"
    )

    def test_the_net_amount_is_billed_and_the_gross_amount_is_the_list_price(self, load):
        delivery = load(self.HEADER + self.ROWS)
        assert delivery.format == "github"
        assert delivery.totals["USD"]["billed_cost"] == "4.612902", "4.0 + 0.612902 + 0"
        assert delivery.totals["USD"]["list_cost"] == "12.613152", "12.0 + 0.612902 + 0.00025"
        assert lines("service", "sub_account", "resource", "tag_set__tags") == [
            ("actions", "octo", "octo/web", {"cost_center": "Web", "username": "ola", "workflow": ".github/ci.yml"}),
            ("copilot", "octo", "", {"username": "eli"}),
            ("git_lfs", "octo", "octo/art", {"cost_center": "Web"}),
        ]

    def test_the_summarised_report_lacks_who_and_which_workflow(self, load):
        header = self.HEADER.replace("username,", "").replace("workflow_path,", "")
        row = "2026-03-02,actions,actions_linux,10,minutes,0.008,0.08,0,0.08,octo,octo/web,Web\n"
        assert load(header + row).totals["USD"]["billed_cost"] == "0.08"

    def test_a_row_without_an_amount_is_named(self, load):
        delivery = load(self.HEADER + self.ROWS + "2026-03-03,actions,x,1,minutes,1,1,0,free,,octo,,,\n")
        assert rejects(delivery) == [(5, "net_amount", "free")]
        assert delivery.totals["USD"]["billed_cost"] == "4.612902"


class TestSnowflake:
    HEADER = (
        "ORGANIZATION_NAME,CONTRACT_NUMBER,ACCOUNT_NAME,ACCOUNT_LOCATOR,REGION,SERVICE_LEVEL,USAGE_DATE,USAGE_TYPE,"
        "CURRENCY,USAGE,USAGE_IN_CURRENCY,BALANCE_SOURCE,BILLING_TYPE,RATING_TYPE,SERVICE_TYPE,IS_ADJUSTMENT\n"
    )
    ROWS = (
        "NORTH,C1,PROD,AB1,AWS_EU,Enterprise,2026-03-01,compute,EUR,12.5,37.50,capacity,consumption,compute,"
        "WAREHOUSE_METERING,FALSE\n"
        "NORTH,C1,PROD,AB1,AWS_EU,Enterprise,2026-03-01,storage,EUR,0.4,0.31,free usage,consumption,"
        "storage,STORAGE,FALSE\n"
        "NORTH,C1,PROD,AB1,AWS_EU,Enterprise,2026-03-02,compute,EUR,-1,-3.00,capacity,consumption,compute,"
        "WAREHOUSE_METERING,TRUE\n"
        "NORTH,C1,PROD,AB1,AWS_EU,Enterprise,2026-03-02,rebate,EUR,0,-0.81,rebate,rebate,compute,DATA_SHARING,FALSE\n"
    )

    def test_usage_in_currency_is_billed_by_account_and_service(self, load):
        delivery = load(self.HEADER + self.ROWS)
        assert delivery.totals["EUR"]["billed_cost"] == "34", "37.50 + 0.31 - 3.00 - 0.81"
        assert lines("service", "charge_category", "sub_account", "billed_cost") == [
            ("STORAGE", "Usage", "AB1", Decimal("0.31")),
            ("WAREHOUSE_METERING", "Usage", "AB1", Decimal("37.50")),
            ("DATA_SHARING", "Credit", "AB1", Decimal("-0.81")),
            ("WAREHOUSE_METERING", "Usage", "AB1", Decimal("-3.00")),
        ]
        assert ("compute", "Correction") in charges(delivery, "SkuId", "ChargeClass")
        assert "Rows paid from free or rebate credits, which cost what Snowflake rates them at: 2." in delivery.message

    def test_a_row_without_a_day_is_named(self, load):
        delivery = load(self.HEADER + self.ROWS + "NORTH,C1,PROD,AB1,AWS_EU,E,,compute,EUR,1,3,capacity,,,,\n")
        assert [reject[:2] for reject in rejects(delivery)] == [(6, "BillingPeriodStart")]


class TestDatadog:
    USAGE = (
        "Organization Name,Public ID,Month,Product Name,Cost\n"
        'Org 1,abc1,2026-03,Infra Hosts,"$1,100.18"\n'
        "Org 1,abc1,2026-03,Custom Metrics,$50.00\n"
        "Org 2,abc2,2026-03,Infra Hosts,$0.015\n"
    )
    CUSTOM = (
        "ProviderName,ChargeDescription,ChargePeriodStart,ChargePeriodEnd,BilledCost,BillingCurrency,Tags\n"
        'Snowflake,Database Costs,2026-03-01,2026-03-31,250.10,EUR,"{""team"": ""data""}"\n'
        "Fastly,CDN,2026-03-02,2026-03-02,-0.10,EUR,\n"
    )

    def test_the_cost_summary_is_by_organisation_and_product(self, load):
        delivery = load(self.USAGE)
        assert delivery.totals["USD"]["billed_cost"] == "1150.195", "1100.18 + 50.00 + 0.015"
        assert sorted(lines("sub_account", "service")) == [
            ("abc1", "Custom Metrics"),
            ("abc1", "Infra Hosts"),
            ("abc2", "Infra Hosts"),
        ]

    def test_custom_costs_keep_their_provider_and_end_with_their_last_day(self, load):
        delivery = load(self.CUSTOM)
        assert delivery.totals["EUR"]["billed_cost"] == "250", "250.10 - 0.10"
        assert sorted(lines("provider", "tag_set__tags__team")) == [("Fastly", None), ("Snowflake", "data")]
        assert [str(end)[:10] for (end,) in charges(delivery, "ChargePeriodEnd")] == ["2026-03-03", "2026-04-01"]

    def test_a_row_whose_cost_is_no_number_is_named(self, load):
        assert rejects(load(self.USAGE + "Org 2,abc2,2026-03,Logs,n/a\n")) == [(5, "Cost", "n/a")]
        assert rejects(load(self.CUSTOM + "Fastly,CDN,2026-03-02,2026-03-02,NaN,EUR,\n")) == [(4, "BilledCost", "NaN")]


class TestDigitalOcean:
    BILL = (
        "product,group_description,description,hours,start,end,USD,project_name,category\n"
        "Droplets,web,web-1 (s-1vcpu-1gb),744,2026-03-01 00:00:00 +0000,2026-04-01 00:00:00 +0000,$6.00,shop,iaas\n"
        "Floating IPs,,Unused Floating IP - 1.1.1.1,100,2026-03-01 00:00:00 +0000,"
        "2026-03-22 18:14:39 +0000,$3.11,,iaas\n"
        "Credits,,Referral credit,,2026-03-01 00:00:00 +0000,2026-03-31 23:59:59 +0000,-$5.00,,credit\n"
        "Taxes,,STATE SALES TAX (6.25%),,2026-03-01 00:00:00 +0000,2026-03-31 23:59:59 +0000,$0.26,,iaas\n"
    )

    def test_taxes_and_credits_are_what_they_are(self, load):
        delivery = load(self.BILL)
        assert delivery.totals["USD"]["billed_cost"] == "4.37", "6.00 + 3.11 - 5.00 + 0.26"
        assert lines("service", "charge_category", "resource", "sub_account", "tag_set__tags") == [
            ("Credits", "Credit", "", "", {}),
            ("Droplets", "Usage", "web-1 (s-1vcpu-1gb)", "shop", {"project": "shop", "group": "web"}),
            ("Floating IPs", "Usage", "Unused Floating IP - 1.1.1.1", "", {}),
            ("Taxes", "Tax", "", "", {}),
        ]

    def test_a_row_without_an_amount_is_named(self, load):
        row = "Droplets,,web-2,1,2026-03-01 00:00:00 +0000,2026-04-01 00:00:00 +0000,,shop,iaas\n"
        assert rejects(load(self.BILL + row)) == [(6, "USD", "")]


def anthropic_page(*buckets, has_more=False):
    data = [{"starting_at": start, "ending_at": end, "results": results} for start, end, results in buckets]
    return json.dumps({"data": data, "has_more": has_more, "next_page": "page_x" if has_more else None}, indent=2)


def tokens(amount, **fields):
    plain = {"currency": "USD", "amount": amount, "workspace_id": "wrkspc_1", "description": "Claude Usage - Output"}
    more = {
        "cost_type": "tokens",
        "model": "claude-sonnet-4",
        "service_tier": "standard",
        "token_type": "output_tokens",
    }
    return plain | more | fields


class TestAnthropic:
    FIRST = ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", [tokens("123.45"), tokens("0.0515", workspace_id=None)])
    EMPTY = ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", [])
    LAST = ("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", [tokens("1000", cost_type="web_search", token_type=None)])

    def test_cents_are_hundredths_and_pages_are_one_bill(self, load):
        delivery = load(anthropic_page(self.FIRST, self.EMPTY, has_more=True), anthropic_page(self.LAST), name="c.json")
        assert delivery.format == "anthropic"
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("11.235015"), "1.2345 + 0.000515 + 10"
        assert lines("charge_date__day", "sub_account", "billed_cost") == [
            (1, "", Decimal("0.000515")),
            (1, "wrkspc_1", Decimal("1.2345")),
            (3, "wrkspc_1", Decimal("10")),
        ]
        assert "last page" not in delivery.message

    def test_a_missing_last_page_is_noticed(self, load):
        delivery = load(anthropic_page(self.FIRST, has_more=True), name="c.json")
        assert "the last page is missing" in delivery.message

    def test_a_page_of_days_without_cost_is_a_page_all_the_same(self, load):
        delivery = load(anthropic_page(self.FIRST, has_more=True), anthropic_page(self.EMPTY), name="c.json")
        assert delivery.rows_read == 2

    def test_a_page_in_one_line_and_gzipped_reads_the_same(self, load):
        page = json.dumps(json.loads(anthropic_page(self.FIRST)))
        delivery = load(page, name="c.json.gz")
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("1.235015")

    def test_a_pretty_page_may_be_gzipped(self, load):
        delivery = load(anthropic_page(self.FIRST), name="c.json.gz")
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("1.235015")

    def test_an_amount_that_is_no_number_is_named_and_not_taken_for_dollars(self, load):
        bucket = (*self.FIRST[:2], [tokens("1"), tokens("1.2.3")])
        delivery = load(anthropic_page(bucket), name="c.json")
        assert rejects(delivery) == [(2, "BilledCost", "cents 1.2.3")]

    def test_the_answer_of_a_failed_call_is_no_page(self, load):
        delivery = load(json.dumps({"type": "error", "error": {"message": "no"}}), name="c.json")
        assert (delivery.status, delivery.rows_loaded) == ("failed", 0)
        assert "0-c.json" in delivery.message


class TestOpenAI:
    def page(self, *amounts):
        """1772323200 is 2026-03-01T00:00:00Z."""
        results = [
            {
                "object": "organization.costs.result",
                "amount": {"value": value, "currency": "usd"},
                "line_item": item,
                "project_id": "proj_1",
                "project_name": "search",
                "organization_id": "org-1",
            }
            for value, item in amounts
        ]
        bucket = {"object": "bucket", "start_time": 1772323200, "end_time": 1772409600, "results": results}
        return json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None})

    def test_values_are_whole_units_with_all_their_digits(self, load):
        page = self.page(("@", "gpt-4o, input"), (0.06, "gpt-4o, output")).replace('"@"', "0.13080438340307526")
        delivery = load(page, name="costs.json")
        assert delivery.format == "openai"
        assert delivery.totals["USD"]["billed_cost"] == "0.19080438340307526"
        assert lines("charge_date__day", "sub_account", "billing_account", "resource") == [
            (1, "proj_1", "org-1", "gpt-4o, output"),
            (1, "proj_1", "org-1", "gpt-4o, input"),
        ]

    def test_a_value_that_is_missing_is_named(self, load):
        delivery = load(self.page((1, "a"), (None, "b")), name="costs.json")
        assert rejects(delivery) == [(2, "amount.value", "")]


class TestAlibaba:
    HEADER = (
        "BillingCycle,AccountID,AccountName,OwnerID,SubscriptionType,ProductCode,ProductName,"
        "ProductType,BillingDate,Item,"
        "InstanceID,NickName,ResourceGroup,Tag,InstanceSpec,Region,Zone,Usage,UsageUnit,"
        "PretaxGrossAmount,InvoiceDiscount,"
        "DeductedByCoupons,PretaxAmount,Currency\n"
    )
    ROWS = (
        "2026-03,1,north,9,PayAsYouGo,ecs,Elastic Compute Service,ecs,2026-03-02,PayAsYouGoBill,i-bp1,web,rg,"
        "key:team value:pay;key:env value:prod,ecs.g7,Singapore,ap-1a,24,Hour,10.00,1.50,0.25,8.25,CNY\n"
        "2026-03,1,north,9,Subscription,rds,ApsaraDB RDS,rds,2026-03-02,SubscriptionOrder,rm-1,db,rg,team:pay,,"
        "Singapore,ap-1a,1,Month,100,0,0,100,CNY\n"
        "2026-03,1,north,9,Subscription,rds,ApsaraDB RDS,rds,2026-03-04,Refund,rm-1,db,rg,,,Singapore,ap-1a,1,Month,"
        "-40,0,0,-40,CNY\n"
    )

    def test_the_pretax_amount_is_due_and_the_gross_amount_is_the_list_price(self, load):
        delivery = load(self.HEADER + self.ROWS)
        assert delivery.totals["CNY"]["billed_cost"] == "68.25", "8.25 + 100 - 40"
        assert delivery.totals["CNY"]["list_cost"] == "70", "10.00 + 100 - 40"
        assert lines("service", "charge_category", "resource", "tag_set__tags") == [
            ("ecs", "Usage", "i-bp1", {"team": "pay", "env": "prod"}),
            ("rds", "Purchase", "rm-1", {"team": "pay"}),
            ("rds", "Purchase", "rm-1", {}),
        ]

    def test_the_answer_of_the_api_reads_as_the_export_does(self, load):
        item = {"ProductCode": "ecs", "SubscriptionType": "PayAsYouGo", "InstanceID": "i-1", "PretaxAmount": 8.25}
        item |= {"Currency": "CNY", "BillingDate": "2026-03-02", "Item": "PayAsYouGoBill"}
        data = {"BillingCycle": "2026-03", "AccountID": "1", "Items": [item]}
        delivery = load(json.dumps({"Code": "Success", "Data": data}), name="bill.json")
        assert delivery.totals["CNY"]["billed_cost"] == "8.25"

    def test_a_row_without_a_cycle_is_named(self, load):
        row = self.ROWS.splitlines()[0].replace("2026-03,", ",", 1) + "\n"
        assert [reject[:2] for reject in rejects(load(self.HEADER + self.ROWS + row))] == [(5, "BillingPeriodStart")]


class TestIbm:
    PREAMBLE = (
        "Account Owner ID,Account Name,Billing Month,Currency Rate,Created Time,Version\n"
        "acc1,North,2026-03,1,2026-04-02T00:00:00Z,1.2\n"
        "\n"
    )
    HEADER = (
        "Service Name,Service ID,Instance Name,Instance ID,Plan Name,Plan ID,Region,Resource Group Name,"
        "Resource Group ID,"
        "Currency,Billable,Usage Metric,Usage Unit,Usage Quantity,Original Cost,Volume Cost,Cost,"
        "Non Chargeable,Other Tags\n"
    )
    ROWS = (
        "Databases,s1,pg,crn:1,Standard,p1,eu-de,default,rg1,EUR,true,GB_HOURS,GB-HOURS,100,20.5,19,18.45,false,prod\n"
        "Code Engine,s2,ce,crn:2,Standard,p2,eu-de,default,rg1,EUR,true,VCPU,VCPU-S,9,0.0005,0.0005,0.0005,false,\n"
        "Databases,s1,pg,crn:1,Standard,p1,eu-de,default,rg1,EUR,true,INFO,GB,1,7,7,7,true,\n"
    )

    def test_account_and_month_stand_above_the_header(self, load):
        delivery = load(self.PREAMBLE + self.HEADER + self.ROWS)
        assert delivery.format == "ibm"
        assert delivery.totals["EUR"]["billed_cost"] == "18.4505", "18.45 + 0.0005, and 7 that is not charged"
        assert delivery.totals["EUR"]["list_cost"] == "20.5005"
        assert sorted(set(lines("billing_account", "sub_account", "service", "resource"))) == [
            ("acc1", "rg1", "Code Engine", "crn:2"),
            ("acc1", "rg1", "Databases", "crn:1"),
        ]
        assert {"prod": ""} in [tags for (tags,) in lines("tag_set__tags")]
        assert "Rows for information only, which are not charged and count 0: 1." in delivery.message

    def test_a_bad_row_is_named_by_its_line_in_the_file(self, load):
        row = "Databases,s1,pg,crn:1,Standard,p1,eu-de,default,rg1,EUR,true,X,GB,1,7,7,seven,false,\n"
        delivery = load(self.PREAMBLE + self.HEADER + self.ROWS + row)
        assert [(line, value) for line, _, value in rejects(delivery)] == [(8, "seven")]


class TestMongoDB:
    CSV = (
        "Invoice for North\nInvoice Date: 04/01/2026\nBilling Period: 03/01/2026 - 03/31/2026\nAmount Due: $40.06\n\n"
        "Date,Usage Date,Description,Note,Organization Name,Organization ID,Project,Project ID,SKU,Region,Cluster,"
        "Replica Set,Config Server,Application,Unit,Quantity,Amount\n"
        "04/01/2026,03/05/2026,Instance,,North,o1,shop,g1,ATLAS_AWS_INSTANCE_M10,EU_WEST_1,cart,,,,"
        "server hours,24,45.0613\n"
        "04/01/2026,03/06/2026,Credit,Promotional credit,North,o1,,,CREDIT,,,,,,dollars,1,-5.00\n"
    )

    def test_the_lines_above_the_header_are_no_rows(self, load):
        delivery = load(self.CSV)
        assert delivery.format == "mongodb"
        assert delivery.totals["USD"]["billed_cost"] == "40.0613", "45.0613 - 5.00"
        assert lines("charge_date__day", "charge_category", "sub_account", "resource") == [
            (5, "Usage", "g1", "cart"),
            (6, "Credit", "", ""),
        ]

    def test_the_invoice_of_the_api_is_in_cents(self, load):
        usage = {"sku": "ATLAS_AWS_INSTANCE_M10", "totalPriceCents": 4506, "startDate": "2026-03-05T00:00:00Z"}
        usage |= {"endDate": "2026-03-06T00:00:00Z", "groupId": "g1", "groupName": "shop", "clusterName": "cart"}
        invoice = {"id": "inv1", "orgId": "o1", "startDate": "2026-03-01T00:00:00Z", "lineItems": [usage]}
        delivery = load(json.dumps(invoice, indent=1), name="invoice.json")
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("45.06")
        assert lines("billing_account", "sub_account", "resource") == [("o1", "g1", "cart")]
        assert charges(delivery, "InvoiceId") == [("inv1",)]

    def test_a_bad_row_is_named_by_its_line_in_the_file(self, load):
        row = "04/01/2026,03/99/2026,x,,North,o1,shop,g1,SKU,EU,cart,,,,h,1,1\n"
        assert [reject[0] for reject in rejects(load(self.CSV + row))] == [9]


class TestDatabricks:
    USAGE = (
        "record_id,account_id,workspace_id,sku_name,cloud,usage_start_time,usage_end_time,usage_date,"
        "custom_tags,usage_unit,"
        "usage_quantity,usage_metadata,record_type,billing_origin_product\n"
        "r1,a1,w1,JOBS,AWS,2026-03-09 10:00:00.000+00:00,2026-03-09 11:00:00.000+00:00,2026-03-09,"
        '"{""team"": ""data""}",DBU,259.2958,"{""job_id"": ""j7"", ""cluster_id"": ""c1""}",ORIGINAL,JOBS\n'
        "r2,a1,w1,JOBS,AWS,2026-03-20 10:00:00.000+00:00,2026-03-20 11:00:00.000+00:00,2026-03-20,{},"
        "DBU,10,{},ORIGINAL,JOBS\n"
        "r3,a1,w1,JOBS,AWS,2026-03-20 10:00:00.000+00:00,2026-03-20 11:00:00.000+00:00,2026-03-20,{},"
        "DBU,-4,{},RETRACTION,JOBS\n"
    )
    PRICES = (
        "price_start_time,price_end_time,account_id,sku_name,cloud,currency_code,usage_unit,pricing\n"
        '2025-01-01 00:00:00.000+00:00,2026-03-15 00:00:00.000+00:00,a1,JOBS,AWS,USD,DBU,"{""default"": ""0.15"", '
        '""effective_list"": {""default"": ""0.15""}}"\n'
        '2026-03-15 00:00:00.000+00:00,,a1,JOBS,AWS,USD,DBU,"{""default"": ""0.20"", '
        '""effective_list"": {""default"": ""0.125""}}"\n'
    )

    def test_each_record_costs_its_quantity_at_the_price_of_its_moment(self, load):
        """259.2958 x 0.15 = 38.89437; 10 x 0.125 = 1.25; -4 x 0.125 = -0.5. At list: 38.89437 + 2 - 0.8."""
        delivery = load(self.USAGE, self.PRICES)
        assert delivery.format == "databricks"
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("39.64437")
        assert Decimal(delivery.totals["USD"]["list_cost"]) == Decimal("40.09437")
        assert delivery.rows_read == 3, "prices are no charges"
        assert ("w1", "j7", {"team": "data"}) in lines("sub_account", "resource", "tag_set__tags")

    def test_usage_without_a_price_is_unknown_and_not_zero(self, load):
        row = (
            "r4,a1,w1,SQL,AWS,2026-03-20 10:00:00.000+00:00,2026-03-20 11:00:00.000+00:00,2026-03-20,"
            "{},DBU,9,{},ORIGINAL,SQL\n"
        )
        delivery = load(self.USAGE + row, self.PRICES)
        assert ("SQL", None) in lines("service", "billed_cost")
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("39.64437")
        assert (
            "Rows of usage without a price in the price list, whose cost is unknown and in no total: 1"
            in delivery.message
        )

    def test_a_quantity_that_is_no_number_is_named(self, load):
        row = (
            "r4,a1,w1,JOBS,AWS,2026-03-20 10:00:00.000+00:00,2026-03-20 11:00:00.000+00:00,,{},DBU,"
            "many,{},ORIGINAL,JOBS\n"
        )
        assert rejects(load(self.USAGE + row, self.PRICES)) == [(5, "BilledCost", "many")]

    def test_digits_of_both_factors_are_kept(self, load):
        usage = self.USAGE.replace("259.2958", "0.123456789012").replace(",10,{}", ",0,{}").replace(",-4,{}", ",0,{}")
        delivery = load(usage, self.PRICES.replace('""0.15""', '""0.123456""'))
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("0.015241481344265472")

    @pytest.mark.parametrize(
        ("files", "reason"), [("U", "deliver it together with the Databricks price"), ("P", "no usage")]
    )
    def test_one_file_of_the_two_is_refused(self, load, files, reason):
        delivery = load(*[{"U": self.USAGE, "P": self.PRICES}[letter] for letter in files])
        assert delivery.status == "failed"
        assert reason in delivery.message

    def test_the_prices_of_another_account_are_none_of_ours(self, load):
        others = self.PRICES.splitlines()[2].replace(",a1,", ",a2,").replace("0.125", "9")
        delivery = load(self.USAGE, self.PRICES + others + "\n")
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("39.64437"), delivery.message

    def test_a_price_by_another_unit_prices_nothing(self, load):
        delivery = load(self.USAGE, self.PRICES.replace(",USD,DBU,", ",USD,GB,"))
        assert delivery.totals["USD"]["billed_cost"] is None
        assert (
            "Rows of usage without a price in the price list, whose cost is unknown and in no total: 3."
            in delivery.message
        )

    def test_a_price_list_without_accounts_and_units_is_for_all_of_them(self, load):
        lines = [line.split(",", 7) for line in self.PRICES.splitlines()]
        prices = "\n".join(",".join([*cells[:2], *cells[3:6], *cells[7:]]) for cells in lines) + "\n"
        assert "account_id" not in prices
        assert Decimal(load(self.USAGE, prices).totals["USD"]["billed_cost"]) == Decimal("39.64437")

    def test_two_prices_at_once_are_refused(self, load):
        delivery = load(self.USAGE, self.PRICES + self.PRICES.splitlines()[2].replace("0.125", "0.5") + "\n")
        assert delivery.status == "failed"
        assert "two different prices at once" in delivery.message

    def test_parquet_and_json_lines_read_as_the_csv_does(self, load, tmp_path):
        csv = bills.write(tmp_path, "usage.csv", self.USAGE.encode())
        prices = bills.write(tmp_path, "prices.csv", self.PRICES.encode())
        for source, extra in (
            (csv, "custom_tags::JSON AS custom_tags, usage_metadata::JSON AS usage_metadata"),
            (prices, "pricing::JSON AS pricing"),
        ):
            duckdb.execute(
                f"COPY (SELECT * REPLACE ({extra}) FROM read_csv('{source}', all_varchar = true)) "
                f"TO '{source.with_suffix('.json')}' (FORMAT json)"
            )
        texts = [path.with_suffix(".json").read_bytes() for path in (csv, prices)]
        delivery = load(*texts, name="x.json")
        assert Decimal(delivery.totals["USD"]["billed_cost"]) == Decimal("39.64437")
        assert ("w1", "j7", {"team": "data"}) in lines("sub_account", "resource", "tag_set__tags")


class TestFocusOfVendors:
    def test_pineconess_parts_are_one_bill_of_focus_1_4(self, load):
        """1.4 names a service provider and a host provider, and no provider."""
        columns = {
            "BillingAccountId": "org-1",
            "BillingCurrency": "USD",
            "BillingPeriodStart": "2026-03-01T00:00:00Z",
            "BillingPeriodEnd": "2026-04-01T00:00:00Z",
            "ChargePeriodStart": "2026-03-05T00:00:00Z",
            "ChargePeriodEnd": "2026-03-06T00:00:00Z",
            "ChargeCategory": "Usage",
            "ServiceProviderName": "Pinecone",
            "HostProviderName": "AWS",
            "ServiceName": "Pinecone Database",
            "SubAccountId": "proj-1",
            "SubAccountName": "search",
            "ResourceId": "idx-1",
            "ResourceName": "movies",
            "InvoiceId": "in_1",
            "InvoiceDetailId": "il_1",
            "BilledCost": "0.16",
            "EffectiveCost": "0.16",
            "ListCost": "0.2",
            "ContractedCost": "0.16",
            "Tags": '{"team": "search"}',
            "x_CloudRegion": "us-east-1",
        }
        parts = [bills.csv_text(list(columns), [columns | {"BilledCost": cost}]) for cost in ("0.16", "0.000004")]
        delivery = load(*parts, name="part.csv")
        assert delivery.format == "focus 1.4"
        assert delivery.totals["USD"]["billed_cost"] == "0.160004"
        assert set(lines("provider", "sub_account", "resource", "tag_set__tags__team")) == {
            ("Pinecone", "proj-1", "idx-1", "search")
        }

    def test_a_row_of_tencent_without_a_cost_is_named(self, load):
        delivery = load(bills.focus_csv([{"ProviderName": "Tencent Cloud"}, {"BilledCost": ""}], BillingCurrency="CNY"))
        assert rejects(delivery) == [(3, "BilledCost", "")]
        assert lines("provider", "currency") == [("Tencent Cloud", "CNY")]
