"""Ways to mend findings, as commands that a person copies. Pure.

Ids come from bills and inventories, so each is quoted: what a bill calls a resource never runs.
"""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from costs.calc.providers import AWS, AZURE, GOOGLE
from finops_site.lib.periods import day_text
from usage.calc.rules.base import Fix

FindingRow = Mapping[str, Any]
NO_TEXT = ""


def end_of_id(identity: str) -> str:
    """What an ARN or a path ends with: commands of AWS and Google ask for names."""
    return identity.rpartition("/")[2].rpartition(":")[2]


def written_day(iso: str | None) -> str:
    """A day of evidence as the reader writes it; empty where there is none."""
    return day_text(date.fromisoformat(iso)) if iso else ""


def command_fix(
    title: str,
    finding: FindingRow,
    commands: Mapping[str, str],
    undo: Mapping[str, str] | None = None,
    **values: object,
) -> list[Fix]:
    """The command of the finding's provider, with {id}, {name}, {region}, {account} and the values quoted; none
    where there is none for this provider."""
    provider = finding["provider"]
    if provider not in commands:
        return []
    identity = str(finding["resource"])
    known = {"id": identity, "name": end_of_id(identity), "region": finding["region"], "account": finding["account"]}
    quoted = {key: shlex.quote(str(value)) for key, value in {**known, **values}.items()}
    back = (undo or {}).get(provider, NO_TEXT)
    return [Fix(title, "bash", commands[provider].format(**quoted), back.format(**quoted))]


STOP_MACHINE = {
    AWS: "aws ec2 stop-instances --region {region} --instance-ids {name}",
    AZURE: "az vm deallocate --ids {id}",
    GOOGLE: "gcloud compute instances stop {name} --project {account}",
}
START_MACHINE = {
    AWS: "aws ec2 start-instances --region {region} --instance-ids {name}",
    AZURE: "az vm start --ids {id}",
    GOOGLE: "gcloud compute instances start {name} --project {account}",
}
RESIZE_MACHINE = {
    AWS: (
        "aws ec2 stop-instances --region {region} --instance-ids {name}\n"
        "aws ec2 wait instance-stopped --region {region} --instance-ids {name}\n"
        "aws ec2 modify-instance-attribute --region {region} --instance-id {name} --instance-type {type}\n"
        "aws ec2 start-instances --region {region} --instance-ids {name}"
    ),
    AZURE: "az vm resize --ids {id} --size {type}",
    GOOGLE: (
        "gcloud compute instances stop {name} --project {account}\n"
        "gcloud compute instances set-machine-type {name} --project {account} --machine-type {type}\n"
        "gcloud compute instances start {name} --project {account}"
    ),
}
RESIZE_DATABASE = {
    AWS: ("aws rds modify-db-instance --region {region} --db-instance-identifier {name} --db-instance-class {type}"),
    GOOGLE: "gcloud sql instances patch {name} --project {account} --tier {type}",
}


def change_type(title: str, finding: FindingRow, commands: Mapping[str, str]) -> list[Fix]:
    """To another type and back: the target's `type`, and `type` of the evidence."""
    target, before = finding["target"].get("type"), finding["evidence"].get("type")
    if not target or not before:
        return []
    there = command_fix(title, finding, commands, type=target)
    back = command_fix(title, finding, commands, type=before)
    return [replace(fix, undo=other.text) for fix, other in zip(there, back, strict=True)]
