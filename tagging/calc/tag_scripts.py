"""A change set as a file that somebody runs or imports: AWS CLI, Terraform, CSV. Pure: no Django.

Names and values come from bills and from people, so nothing of them is ever code: every word of a shell command is
quoted by `shlex`, JSON stands within that quoting, Terraform strings are escaped, and what goes into a comment loses
its line breaks.

Terraform: one `aws_ec2_tag` for each tag where the provider has a resource for tags alone (EC2). For every other
service Terraform only knows tags as an argument of the resource itself, which belongs to whoever manages it; there the
file holds the map to paste, as a comment beside its ARN. Nothing in the file creates or destroys a resource.
"""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tagging.calc.arns import Target

PER_CALL = 20


@dataclass(frozen=True, slots=True)
class TagEdit:
    """A tag to set, and where; `before` is what the bill says there now."""

    target: Target
    resource: str
    name: str
    key: str
    before: str
    after: str


def _one_line(text: str) -> str:
    """Text for a comment: nothing in it ends the line."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:200]


def _calls(changes: Iterable[TagEdit]) -> dict[tuple[str, str], dict[tuple[tuple[str, str], ...], list[str]]]:
    """{(account, region): {tags: ARNs}}: resources that get the same tags go together."""
    tags: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for one in changes:
        if one.target.can:
            tags[one.target.account, one.target.region, one.target.arn][one.key] = one.after
    found: dict[tuple[str, str], dict[tuple[tuple[str, str], ...], list[str]]] = defaultdict(lambda: defaultdict(list))
    for (account, region, arn), pairs in sorted(tags.items()):
        found[account, region][tuple(sorted(pairs.items()))].append(arn)
    return found


def chunks(items: Sequence[str], size: int) -> list[list[str]]:
    return [list(items[first : first + size]) for first in range(0, len(items), size)]


def shell_script(changes: Sequence[TagEdit], title: str) -> str:
    """A shell script of ``aws resourcegroupstaggingapi tag-resources``; each account has its own profile to set."""
    lines = [
        "#!/bin/sh",
        f"# {_one_line(title)}",
        "# Run each part signed in to its account; it takes tag:TagResources and the service's own right to tag.",
        "set -eu",
    ]
    for (account, region), groups in sorted(_calls(changes).items()):
        lines += ["", f"# account {account}, region {region}"]
        for tags, arns in sorted(groups.items()):
            told = json.dumps(dict(tags), ensure_ascii=False, sort_keys=True)
            for part in chunks(arns, PER_CALL):
                words = ["aws", "resourcegroupstaggingapi", "tag-resources", "--region", region]
                words += ["--resource-arn-list", *part, "--tags", told]
                lines.append(shlex.join(words))
    return "\n".join([*lines, *_unable(changes), ""])


def _unable(changes: Iterable[TagEdit]) -> list[str]:
    found = sorted({(one.resource, one.target.problem) for one in changes if not one.target.can})
    return ["", *(f"# not here: {_one_line(resource)}: {_one_line(problem)}" for resource, problem in found)]


def hcl(text: str) -> str:
    """A Terraform string: quotes, backslashes, control signs and template marks are escaped."""
    told = json.dumps(text, ensure_ascii=False)
    return told.replace("${", "$${").replace("%{", "%%{")


def terraform_file(changes: Sequence[TagEdit], title: str) -> str:
    """Terraform: `aws_ec2_tag` for EC2, the map to paste for the rest; a provider alias for each place."""
    lines = [f"# {_one_line(title)}", "# Nothing here creates or destroys a resource; it sets tags alone."]
    places = sorted({(one.target.account, one.target.region) for one in changes if _is_ec2(one)})
    for account, region in places:
        alias = _alias(account, region)
        lines += ["", 'provider "aws" {', f"  alias  = {hcl(alias)}", f"  region = {hcl(region)}"]
        lines += [f"  allowed_account_ids = [{hcl(account)}]", "}"]
    ordered = sorted(changes, key=lambda one: (one.target.account, one.target.region, one.target.arn, one.key))
    for number, one in enumerate((each for each in ordered if _is_ec2(each)), 1):
        identity = one.target.arn.rsplit("/", 1)[-1]
        lines += ["", f'resource "aws_ec2_tag" "tag_{number}" {{']
        lines += [f"  provider    = aws.{_alias(one.target.account, one.target.region)}"]
        lines += [
            f"  resource_id = {hcl(identity)}",
            f"  key         = {hcl(one.key)}",
            f"  value       = {hcl(one.after)}",
        ]
        lines += ["}"]
    lines += _to_paste([one for one in ordered if one.target.can and not _is_ec2(one)])
    return "\n".join([*lines, *_unable(changes), ""])


def _is_ec2(one: TagEdit) -> bool:
    return one.target.can and one.target.arn.split(":")[2] == "ec2"


def _alias(account: str, region: str) -> str:
    return f"a{account}_{region.replace('-', '_')}"


def _to_paste(changes: Sequence[TagEdit]) -> list[str]:
    by_arn: dict[str, list[TagEdit]] = defaultdict(list)
    for one in changes:
        by_arn[one.target.arn].append(one)
    lines = []
    for arn, many in by_arn.items():
        lines += ["", f"# {_one_line(arn)}", "#   tags = {"]
        lines += [f"#     {_one_line(hcl(one.key))} = {_one_line(hcl(one.after))}" for one in many] + ["#   }"]
    return lines


HEAD = ("account", "region", "resource", "name", "arn", "key", "before", "after", "note")


def csv_rows(changes: Iterable[TagEdit]) -> list[tuple[str, ...]]:
    """A header and a row for each tag; whoever writes them makes them safe for spreadsheets."""
    rows = [
        (
            one.target.account,
            one.target.region,
            one.resource,
            one.name,
            one.target.arn,
            one.key,
            one.before,
            one.after,
            one.target.problem,
        )
        for one in changes
    ]
    return [HEAD, *rows]
