"""Which pool a charge belongs to, by what AWS, Azure and Google Cloud write about it."""

import pytest

from reservations.calc.machine_pools import read_use
from reservations.calc.terms import MachinePool


def aws(service, usage_type="", operation="", *, type_="", description=""):
    return {
        "provider": "AWS",
        "service": service,
        "region": "eu-west-1",
        "type": type_,
        "usage_type": usage_type,
        "operation": operation,
        "description": description,
    }


def pool(type_, system="Linux", tenancy="default", service="EC2"):
    return MachinePool("AWS", "eu-west-1", type_, system, tenancy, service=service)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (aws("AmazonEC2", "EU-BoxUsage:m5.large", "RunInstances"), pool("m5.large")),
        (aws("AmazonEC2", "EU-BoxUsage:m5.large", "RunInstances:0002"), pool("m5.large", "Windows")),
        (aws("AmazonEC2", "EU-BoxUsage:m5.large", "RunInstances:0800"), pool("m5.large", "Windows BYOL")),
        (aws("AmazonEC2", "EU-DedicatedUsage:m5.large"), pool("m5.large", tenancy="dedicated")),
        (aws("AmazonEC2", "EU-HostUsage:m5"), pool("m5", tenancy="host")),
        # Capacity that is reserved and empty is covered by commitments as machines are.
        (aws("AmazonEC2", "EU-UnusedBox:m5.large"), pool("m5.large")),
        (
            aws("Amazon Elastic Compute Cloud", type_="m5.large", description=" windows dedicated"),
            pool("m5.large", "Windows", "dedicated"),
        ),
        (
            aws("AmazonRDS", "EU-Multi-AZUsage:db.r5.large", "CreateDBInstance:0014"),
            pool("db.r5.large", "PostgreSQL Multi-AZ", service="RDS"),
        ),
        (
            aws("AmazonRDS", "EU-InstanceUsage:db.m5.large", "CreateDBInstance:0012"),
            pool("db.m5.large", "SQL Server Standard (LI)", service="RDS"),
        ),
        (
            aws("AmazonRDS", "EU-InstanceUsageIOOptimized:db.r6g.large", "CreateDBInstance:0021"),
            pool("db.r6g.large", "Aurora PostgreSQL I/O-Optimized", service="RDS"),
        ),
        # The same code as of Windows, and no Windows.
        (
            aws("AmazonElastiCache", "EU-NodeUsage:cache.r5.large", "CreateCacheCluster:0002"),
            pool("cache.r5.large", "Redis", service="ElastiCache"),
        ),
        (
            aws("Amazon ElastiCache", type_="cache.r7g.large", description=" valkey"),
            pool("cache.r7g.large", "Valkey", service="ElastiCache"),
        ),
        (
            aws("AmazonES", "EU-ESInstance:r6g.large", "ESDomain"),
            pool("r6g.large.search", "", service="OpenSearch"),
        ),
        (
            aws("AmazonRedshift", "EU-Node:ra3.4xlarge", "RunComputeNode:0001"),
            pool("ra3.4xlarge", "", service="Redshift"),
        ),
        (aws("AmazonMemoryDB", "EU-NodeUsage:db.r6g.large"), pool("db.r6g.large", "Redis", service="MemoryDB")),
        (
            aws("AmazonDynamoDB", "EU-WriteCapacityUnit-Hrs", "CommittedThroughput"),
            pool("WriteCapacityUnit", "", service="DynamoDB"),
        ),
        (aws("AmazonECS", "EU-Fargate-vCPU-Hours:perCPU"), pool("vCPU", "", service="Fargate")),
        (aws("AmazonEKS", "EU-Fargate-ARM-GB-Hours"), pool("GB-ARM", "", service="Fargate")),
        (aws("AWSLambda", "EU-Lambda-GB-Second-ARM"), pool("GB-Second-ARM", "", service="Lambda")),
        (aws("AmazonSageMaker", "EU-Host:ml.m5.large"), pool("ml.m5.large", "Host", service="SageMaker")),
    ],
    ids=lambda value: value["usage_type"] if isinstance(value, dict) else str(value),
)
def test_a_charge_of_aws_is_of_one_pool(row, expected):
    assert read_use(row).pool == expected


@pytest.mark.parametrize(
    "row",
    [
        aws("ElasticMapReduce", "EU-BoxUsage:m5.xlarge", type_="m5.xlarge"),
        aws("Amazon Elastic MapReduce", type_="m5.xlarge"),
        aws("6njl1pau431dv1qxipg63mvah", "EU-SoftwareUsage:m5.xlarge", type_="m5.xlarge"),
        aws("AmazonEC2", "EU-EBSOptimized:m5.xlarge", type_="m5.xlarge"),
        aws("AmazonEC2", "EU-CPUCredits:t3", type_="t3.micro"),
        # Instances on a dedicated host: the host is what is paid for.
        aws("AmazonEC2", "EU-HostBoxUsage:m5.xlarge", type_="m5.xlarge"),
    ],
    ids=lambda row: f"{row['service']} {row['usage_type']}",
)
def test_a_fee_that_names_a_machine_is_no_machine(row):
    assert read_use(row) == (None, True)


def test_a_machine_that_nobody_can_name_is_not_taken_for_a_fee():
    assert read_use(aws("AmazonEC2", description="")) == (None, False)


def test_machines_of_azure_and_cores_of_google_cloud_have_pools_of_their_own():
    windows = {
        "provider": "Microsoft",
        "service": "Virtual Machines",
        "region": "westeurope",
        "type": "Standard_D4s_v5",
        "description": "virtual machines dsv5 series windows - d4s v5 - eu west",
    }
    machine = MachinePool("Azure", "westeurope", "Standard_D4s_v5", "Windows", service="Virtual Machines")
    assert read_use(windows).pool == machine
    assert machine.family == "Dsv5"
    core = {
        "provider": "GCP",
        "service": "Compute Engine",
        "region": "europe-west1",
        "description": "n2 instance core running in belgium",
    }
    assert read_use(core).pool == MachinePool("Google Cloud", "europe-west1", "n2-vCPU", "", service="Compute Engine")
    ram = read_use({**core, "description": "n2d amd instance ram running in belgium"}).pool
    assert (ram.type, ram.family) == ("n2d-RAM", "n2d-RAM")


@pytest.mark.parametrize(
    "text",
    [
        "spot preemptible n2 instance core running in belgium",
        "commitment v1: n2 ram in belgium for 1 year",
        "licensing fee for windows server 2022 (ram cost)",
    ],
)
def test_what_google_cloud_sells_cheaper_or_beside_machines_is_none_to_cover(text):
    row = {"provider": "GCP", "service": "Compute Engine", "region": "europe-west1", "description": text}
    assert read_use(row) == (None, True)


def test_accounts_and_zones_are_part_of_a_pool_where_a_row_names_them():
    row = aws("AmazonEC2", "EU-BoxUsage:m5.large") | {"account": "42", "zone": "eu-west-1a"}
    read = read_use(row).pool
    assert (read.account, read.zone) == ("42", "eu-west-1a")
    assert MachinePool.from_text(str(read)) == read
