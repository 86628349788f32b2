"""Whose machines a charge is of, by the names that bills have for a service: in Python and in SQL. Pure: no Django.

AWS's reports write product codes (``AmazonEC2``), its FOCUS export titles (``Amazon Elastic Compute Cloud``).
"""

import re
from typing import Final

# {service: its names in small letters, as a regular expression of both languages}, the first that matches.
AWS_SERVICES: Final = {
    "EC2": "amazonec2$|elastic compute cloud|^ec2",
    "RDS": "amazonrds|relational database|aurora",
    "ElastiCache": "elasticache",
    "OpenSearch": "amazones$|opensearch|elasticsearch",
    "Redshift": "redshift",
    "MemoryDB": "memorydb",
    "DynamoDB": "dynamodb",
    "Lambda": "lambda",
    "SageMaker": "sagemaker",
    "DocumentDB": "docdb|documentdb",
    "Neptune": "neptune",
    "Fargate": "amazonecs|amazoneks|fargate|elastic container service|elastic kubernetes",
}
# Those that charge for machines by the hour.
MACHINES: Final = (
    *("EC2", "RDS", "ElastiCache", "OpenSearch", "Redshift", "MemoryDB", "SageMaker", "DocumentDB", "Neptune"),
)
# What no machine's hours are counted of: plans cover it by the second or by the capacity.
WITHOUT_MACHINES: Final = ("Fargate", "Lambda", "DynamoDB")
# What commitments of a kind can cover: AWS's user guides of savings plans and of reserved instances.
COMPUTE: Final = ("EC2", "Fargate", "Lambda")
MACHINE_LEARNING: Final = ("SageMaker",)
DATABASES: Final = ("RDS", "ElastiCache", "DynamoDB", "DocumentDB", "Neptune")
# Usage of these is covered by plans alone.
NEVER_RESERVED: Final = ("Fargate", "Lambda", "SageMaker")
IS_AWS: Final = "^(aws|amazon)"


def service_of(provider: str, service: str) -> str:
    """EC2, RDS, Fargate and so on for AWS; for others the service as the bill writes it. Empty for AWS's plans."""
    if not re.match(IS_AWS, provider.lower()):
        return service
    names = service.lower()
    if "savings" in names:
        return ""
    return next((known for known, words in AWS_SERVICES.items() if re.search(words, names)), service)


def service_sql(provider: str, service: str) -> str:
    """The same in PostgreSQL's words, over two columns."""
    cases = " ".join(f"WHEN {service} ~* '{words}' THEN '{known}'" for known, words in AWS_SERVICES.items())
    return f"""CASE WHEN {provider} !~* '{IS_AWS}' THEN {service} WHEN {service} ~* 'savings' THEN ''
        {cases} ELSE {service} END"""
