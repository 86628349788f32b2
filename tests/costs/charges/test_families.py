"""One name for a provider, and FOCUS's families of services for all of them, whatever their bills write."""

from decimal import Decimal

import duckdb
import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from costs.calc.providers import provider_name, provider_sql
from costs.formats.service_families import FOCUS, PATTERNS, families_sql, family_of, other_of
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.ingest.republish import republish_month
from costs.models import CostLine, DayRollup, Dimension, MonthRollup, ResourceRollup
from costs.query.drilldown import charges_of
from costs.query.question import Question
from costs.query.spend import find_spend
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.costs.charges.test_providers import azure_csv, gcp_csv

MARCH = Month(2026, 3)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("AWS", "AWS"),
        ("aws", "AWS"),
        ("Amazon Web Services", "AWS"),
        ("Amazon Web Services, Inc.", "AWS"),
        ("GCP", "Google Cloud"),
        ("Google Cloud Platform", "Google Cloud"),
        (" google ", "Google Cloud"),
        ("Microsoft", "Azure"),
        ("Microsoft Azure", "Azure"),
        ("OCI", "Oracle"),
        ("Oracle Cloud", "Oracle"),
        ("Ocient", "Ocient"),
        ("Oracles", "Oracles"),
        ("Awsome Hosting", "Awsome Hosting"),
        ("Googleplex Ltd", "Googleplex Ltd"),
        ("Ibmx", "Ibmx"),
        ("amazon.com", "AWS"),
        ("aws_china", "AWS"),
        ("IBM", "IBM Cloud"),
        ("Snowflake", "Snowflake"),
        ("", ""),
    ],
)
def test_a_provider_has_one_name(written, name):
    assert provider_name(written) == name
    assert duckdb.execute(f"SELECT {provider_sql('$1')}", [written]).fetchall() == [(name,)]


@pytest.mark.parametrize(
    ("services", "family"),
    [
        (("AmazonEC2", "Virtual Machines", "Compute Engine"), ("Compute", "Virtual Machines")),
        (("AmazonS3", "Amazon Simple Storage Service", "Cloud Storage"), ("Storage", "Object Storage")),
        (("AmazonRDS", "Azure Database for MySQL", "Cloud SQL"), ("Databases", "Relational Databases")),
        (("AWSLambda", "Azure Functions", "Cloud Run Functions"), ("Compute", "Serverless Compute")),
        (("AmazonEKS", "Azure Kubernetes Service", "Kubernetes Engine"), ("Compute", "Containers")),
        (("awskms", "Key Vault"), ("Security", "Secret Management")),
        (("AmazonCloudWatch", "Azure Monitor", "Cloud Logging"), ("Management and Governance", "Observability")),
        (("AWSStorageGateway", "AWS Storage Gateway"), ("Storage", "Storage Platforms")),
        (
            ("AWSDirectConnect", "AWS Transit Gateway", "AWS PrivateLink", "Azure Private Link", "ExpressRoute"),
            ("Networking", "Network Connectivity"),
        ),
        (
            ("AmazonVPN", "VPN Gateway", "Cloud VPN", "Cloud Interconnect", "Virtual WAN", "FASTCONNECT", "Cloud NAT"),
            ("Networking", "Network Connectivity"),
        ),
        (("awswaf", "AWSShield", "Azure Firewall", "Cloud Armor", "Azure Bastion"), ("Networking", "Network Security")),
        (("AmazonVPC", "Virtual Network", "NETWORK", "Bandwidth"), ("Networking", "Network Infrastructure")),
        (("AWSELB", "Load Balancer", "Cloud Load Balancing"), ("Networking", "Application Networking")),
        (("Azure AI Search", "Azure Cognitive Search", "AmazonES", "Vertex AI Search"), ("Analytics", "Search")),
        (("Azure AI Services", "Cognitive Services", "Vertex AI"), ("AI and Machine Learning", "AI Platforms")),
        (("AWSIoT", "AWS IoT Core", "IoT Hub", "Cloud IoT Core", "IOT"), ("Internet of Things", "IoT Platforms")),
        (("AWSIoTAnalytics", "Azure Digital Twins"), ("Internet of Things", "IoT Analytics")),
        (("AWS IoT Device Defender", "Azure IoT Central"), ("Internet of Things", "IoT Platforms")),
        (("AmazonRedshift", "BigQuery", "ADW"), ("Databases", "Data Warehouses")),
        (("AmazonDocDB", "Azure Cosmos DB", "Cloud Bigtable", "NoSQL"), ("Databases", "NoSQL Databases")),
        (("Event Hubs", "AWSEvents", "Cloud Pub/Sub", "AWSQueueService"), ("Integration", "Messaging")),
        (("AmazonStates", "Logic Apps", "Cloud Composer"), ("Integration", "Workflow Orchestration")),
        (("AWSBackup", "Azure Backup", "Backup for GKE"), ("Storage", "Backup Storage")),
        (("AmazonS3GlacierDeepArchive",), ("Storage", "Backup Storage")),
        (("AmazonEBS", "BLOCK_STORAGE", "Managed Disks"), ("Storage", "Block Storage")),
        (("AWSDataSync", "Azure Data Box", "Transfer Appliance", "AWSTransfer"), ("Migration", "Data Migration")),
        (("AWSDatabaseMigrationSvc", "Azure Database Migration Service"), ("Migration", "Data Migration")),
        (("AWSElementalMediaConvert", "Azure Media Services", "Transcoder API"), ("Media", "Media Streaming")),
        (("Azure Arc", "Anthos"), ("Multicloud", "Multicloud Integration")),
        (("Azure App Service", "App Engine", "AWS Elastic Beanstalk"), ("Web", "Application Platforms")),
        (("Azure Site Recovery", "AWSElasticDisasterRecovery"), ("Management and Governance", "Disaster Recovery")),
        (("Microsoft Defender for Cloud", "AWSSecurityHub"), ("Security", "Security Posture Management")),
        (("A service of tomorrow",), ("Other", "Other (Other)")),
        (("Postcards", "Awards", "Codecs", "Consequences", "Configurator", "Réseaux", ""), ("Other", "Other (Other)")),
    ],
)
def test_alike_services_of_several_clouds_are_one_family(services, family):
    assert {family_of(service) for service in services} == {family}


def test_every_family_of_the_mapping_is_one_of_focus():
    assert {(category, name) for category, name, _ in PATTERNS} <= {
        (category, name) for category, names in FOCUS.items() for name in (*names, "")
    }
    assert other_of("Compute") == "Other (Compute)"


def test_a_bill_and_a_name_alone_have_the_same_family():
    names = ["AmazonS3GlacierDeepArchive", "AWSIoTAnalytics", "Cloud Pub/Sub", "BLOCK_STORAGE", "Réseaux", "Postcards"]
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE kinds AS SELECT NULL::VARCHAR AS ServiceCategory, NULL::VARCHAR AS ServiceSubcategory, "
            "unnest($1) AS ServiceName",
            [names],
        )
        rows = connection.execute(f"SELECT ServiceName, category, subcategory FROM ({families_sql('kinds')})")
        assert {name: family for name, *family in rows.fetchall()} == {name: [*family_of(name)] for name in names}


@pytest.fixture
def clouds(db, people, tmp_path):
    """The same three clouds by their own exports and by FOCUS, as their bills call them."""

    def load(source, text):
        (received,) = receive_bill(source, [bills.write(tmp_path, f"{source}.csv", text)])
        delivery = load_bill(received.delivery)
        assert delivery.status == "current", delivery.message
        return delivery

    load("cur", bills.cur_csv([{}]))
    load("azure", azure_csv([{"MeterCategory": "Virtual Machines"}]))
    load("gcp", gcp_csv([{}]))
    own = {"ServiceCategory": "", "SubAccountId": "focus"}
    rows = [
        {**own, "ProviderName": "Amazon Web Services", "BilledCost": "2", "ResourceId": "i-2"},
        {**own, "ProviderName": "Google Cloud", "ServiceName": "Compute Engine", "BilledCost": "3"},
        {**own, "ProviderName": "Microsoft", "ServiceName": "Virtual Machines", "BilledCost": "4"},
        {**own, "ServiceName": "Vault", "ServiceCategory": "Security", "ServiceSubcategory": "Secret Management"},
        {**own, "ServiceName": "", "ResourceId": "nameless"},
    ]
    load("focus", bills.focus_csv(rows))


def spend_by(user, name, **filters):
    rows = find_spend(user, Question(MARCH.period, (name,), filters=filters))
    return {(row.group[0], row.currency): row.amount for row in rows}


def test_google_and_gcp_are_one_provider_on_every_page(clouds, fay, client_of):
    names = {name for name, _ in spend_by(fay, "provider")}
    assert names == {"AWS", "Azure", "Google Cloud"}
    assert set(Dimension.objects.filter(name="provider").values_list("value", flat=True)) == names
    for written in ("GCP", "Google Cloud", "google"):
        spend = spend_by(fay, "provider", provider=[written])
        assert {name for name, _ in spend} == {"Google Cloud"}
        assert sum(spend.values()) == 13, "10 EUR of GCP's own export and 3 USD of Google Cloud's FOCUS"
    page = client_of(fay).get(
        "/costs/", {"provider": "Google Cloud", "group_by": "provider", "from": "2026-03", "to": "2026-03"}
    )
    rows = [row["label"] for answer in page.context["answers"] for row in answer["rows"]]
    assert set(rows) == {"Google Cloud"}
    lines = client_of(fay).get("/api/v1/cost-lines/", {"provider": "Amazon Web Services"}).json()["results"]
    assert {line["provider"] for line in lines} == {"AWS"}


def test_machines_of_all_clouds_are_one_family_and_what_has_no_name_has_none(clouds, fay):
    machines = spend_by(fay, "provider", service_subcategory=["Virtual Machines"])
    assert {name for name, _ in machines} == {"AWS", "Azure", "Google Cloud"}
    assert {name for name, _ in spend_by(fay, "service_category", resource=["nameless"])} == {""}
    vault = CostLine.objects.get(service="Vault")
    assert (vault.service_category, vault.service_subcategory) == ("Security", "Secret Management")


def test_a_line_leads_to_its_charges_whatever_they_call_the_provider_and_the_category(clouds):
    for line in CostLine.objects.select_related("delivery_month", "tag_set"):
        charges = charges_of(line)
        assert (charges.count, charges.billed_cost) == (line.charges, line.billed_cost), line


def test_a_rule_means_a_provider_by_any_of_its_names(clouds):
    from tagging.ownership import rule_application

    data = Team.objects.get(name="Data")
    OwnershipRule.objects.create(name="Google", team=data, provider="GCP", order=0)
    list(rule_application.reallocate_open_months())
    assert set(CostLine.objects.filter(owner=data).values_list("provider", flat=True)) == {"Google Cloud"}


def test_lines_of_before_get_the_one_name_and_their_family_when_they_are_made_again(clouds):
    """The migration renames what was stored; families come with the lines' next making from their charges."""
    for model in (CostLine, MonthRollup, ResourceRollup, DayRollup):
        model.objects.filter(provider="Google Cloud").update(provider="GCP")
    CostLine.objects.update(service_subcategory="")
    Dimension.objects.filter(name="provider", value="Google Cloud").update(value="GCP")
    migration = MigrationLoader(connection).get_migration("costs", "0039_families_of_services")
    with connection.schema_editor() as editor:
        migration.operations[-1].code(None, editor)
    for model in (CostLine, MonthRollup, ResourceRollup, DayRollup):
        assert not model.objects.filter(provider="GCP").exists()
    assert Dimension.objects.filter(name="provider", value="Google Cloud").exists()
    line = CostLine.objects.get(provider="Google Cloud", currency="EUR")
    assert charges_of(line).billed_cost == Decimal(10)
    republish_month(line.delivery_month)
    assert CostLine.objects.get(provider="Google Cloud", currency="EUR").service_subcategory == "Virtual Machines"
