"""What can be done about a service whose cost grew: one sentence for each kind of service. Pure: no Django.

The sentences are the usual first steps of the providers' own cost guides (the cost pillars of AWS, Azure and Google
Cloud). They name what to look at, and promise no amount.
"""

from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop

# Words of a service's name, in small letters, and what helps; the first that fits counts.
REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("glue", "data factory", "dataflow"),
        gettext_noop("look at its job runs: fewer workers, a timeout, no endless retries"),
    ),
    (
        ("emr", "databricks", "dataproc", "hdinsight"),
        gettext_noop("let idle clusters end, and look at the jobs that grew"),
    ),
    (
        ("athena", "redshift", "bigquery", "synapse", "snowflake"),
        gettext_noop("find the queries that grew: scan fewer columns and days, pause what idles"),
    ),
    (
        ("sagemaker", "bedrock", "machine learning", "vertex", "openai", "cognitive"),
        gettext_noop("stop endpoints and notebooks that idle, and limit tokens and training hours"),
    ),
    (
        ("kubernetes", "eks", "container", "fargate", "ecs"),
        gettext_noop("scale down what idles, and set requests to what is used"),
    ),
    (
        ("lambda", "functions", "cloud run"),
        gettext_noop("look for calls that repeat or loop, then at memory and duration"),
    ),
    (
        ("relational", "rds", "aurora", "sql", "database", "documentdb", "neptune"),
        gettext_noop("shrink or stop instances that idle, and delete snapshots nobody needs"),
    ),
    (
        ("dynamodb", "cosmos", "bigtable", "firestore"),
        gettext_noop("look at the tables that grew: capacity, scans, old items"),
    ),
    (
        ("elasticache", "redis", "memcached", "opensearch", "elasticsearch"),
        gettext_noop("shrink or end nodes that idle"),
    ),
    (
        ("nat gateway", "data transfer", "cloudfront", "bandwidth", "cdn", "virtual private cloud", "vpc", "network"),
        gettext_noop("see which traffic grew: keep it in one zone, and use endpoints instead of gateways"),
    ),
    (
        ("cloudwatch", "monitor", "logging", "log analytics", "observability"),
        gettext_noop("lower log levels, keep logs for fewer days, drop metrics nobody reads"),
    ),
    (("backup", "snapshot"), gettext_noop("keep fewer copies, for fewer days")),
    (
        ("simple storage", "s3", "blob", "cloud storage", "storage", "file system"),
        gettext_noop("move old data to a cheaper class by a lifecycle rule, and delete what nobody reads"),
    ),
    (
        ("elastic compute", "ec2", "virtual machine", "compute engine", "compute"),
        gettext_noop("stop or shrink machines nobody needs, and scale groups down at night"),
    ),
    (("support", "tax"), gettext_noop("nothing to switch off: it follows what else was bought")),
    (("marketplace", "subscription"), gettext_noop("look at who subscribed, and whether it renews")),
)
ANY_SERVICE = gettext_noop("see in its cost lines who started it, and whether it is still needed")


def remedy(service: str) -> str:
    """What helps against the cost of a service, by its name; advice that fits any service where none of ours does."""
    name = service.lower()
    return _(next((text for words, text in REMEDIES if any(word in name for word in words)), ANY_SERVICE))
