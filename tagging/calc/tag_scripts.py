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
    """A tag to set, and where; `before` is the value in the bill."""

    target: Target
    resource: str
    name: str
    key: str
    before: str
    after: str


def _one_line(text: str) -> str:
    """Text for a comment: nothing in it ends the line."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:200]


def _calls(edits: Iterable[TagEdit]) -> dict[tuple[str, str], dict[tuple[tuple[str, str], ...], list[str]]]:
    """{(account, region): {tags: ARNs}}: resources that get the same tags go together."""
    tags: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for edit in edits:
        if edit.target.is_taggable:
            tags[edit.target.account, edit.target.region, edit.target.arn][edit.key] = edit.after
    calls: dict[tuple[str, str], dict[tuple[tuple[str, str], ...], list[str]]] = defaultdict(lambda: defaultdict(list))
    for (account, region, arn), pairs in sorted(tags.items()):
        calls[account, region][tuple(sorted(pairs.items()))].append(arn)
    return calls


def chunks(items: Sequence[str], size: int) -> list[list[str]]:
    return [list(items[first : first + size]) for first in range(0, len(items), size)]


def shell_script(edits: Sequence[TagEdit], title: str) -> str:
    """A shell script of ``aws resourcegroupstaggingapi tag-resources``; each account has its own profile to set."""
    lines = [
        "#!/bin/sh",
        f"# {_one_line(title)}",
        "# Run each part signed in to its account; it takes tag:TagResources and the service's own right to tag.",
        "set -eu",
    ]
    for (account, region), groups in sorted(_calls(edits).items()):
        lines += ["", f"# account {account}, region {region}"]
        for tags, arns in sorted(groups.items()):
            pairs = json.dumps(dict(tags), ensure_ascii=False, sort_keys=True)
            for part in chunks(arns, PER_CALL):
                words = ["aws", "resourcegroupstaggingapi", "tag-resources", "--region", region]
                words += ["--resource-arn-list", *part, "--tags", pairs]
                lines.append(shlex.join(words))
    return "\n".join([*lines, *_not_taggable(edits), ""])


def _not_taggable(edits: Iterable[TagEdit]) -> list[str]:
    problems = sorted({(edit.resource, edit.target.problem) for edit in edits if not edit.target.is_taggable})
    return ["", *(f"# not here: {_one_line(resource)}: {_one_line(problem)}" for resource, problem in problems)]


def hcl(text: str) -> str:
    """A Terraform string: quotes, backslashes, control signs and template marks are escaped."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def terraform_file(edits: Sequence[TagEdit], title: str) -> str:
    """Terraform: `aws_ec2_tag` for EC2, the map to paste for the rest; a provider alias for each place."""
    lines = [f"# {_one_line(title)}", "# Nothing here creates or destroys a resource; it sets tags alone."]
    places = sorted({(edit.target.account, edit.target.region) for edit in edits if _is_ec2(edit)})
    for account, region in places:
        alias = _alias(account, region)
        lines += ["", 'provider "aws" {', f"  alias  = {hcl(alias)}", f"  region = {hcl(region)}"]
        lines += [f"  allowed_account_ids = [{hcl(account)}]", "}"]
    ordered = sorted(edits, key=lambda edit: (edit.target.account, edit.target.region, edit.target.arn, edit.key))
    for number, edit in enumerate(filter(_is_ec2, ordered), 1):
        lines += ["", f'resource "aws_ec2_tag" "tag_{number}" {{']
        lines += [f"  provider    = aws.{_alias(edit.target.account, edit.target.region)}"]
        lines += [
            f"  resource_id = {hcl(edit.target.arn.rsplit('/', 1)[-1])}",
            f"  key         = {hcl(edit.key)}",
            f"  value       = {hcl(edit.after)}",
        ]
        lines += ["}"]
    lines += _to_paste([edit for edit in ordered if edit.target.is_taggable and not _is_ec2(edit)])
    return "\n".join([*lines, *_not_taggable(edits), ""])


def _is_ec2(edit: TagEdit) -> bool:
    return edit.target.is_taggable and edit.target.arn.split(":")[2] == "ec2"


def _alias(account: str, region: str) -> str:
    return f"a{account}_{region.replace('-', '_')}"


def _to_paste(edits: Sequence[TagEdit]) -> list[str]:
    by_arn: dict[str, list[TagEdit]] = defaultdict(list)
    for edit in edits:
        by_arn[edit.target.arn].append(edit)
    lines = []
    for arn, same_resource in by_arn.items():
        lines += ["", f"# {_one_line(arn)}", "#   tags = {"]
        lines += [f"#     {_one_line(hcl(edit.key))} = {_one_line(hcl(edit.after))}" for edit in same_resource]
        lines.append("#   }")
    return lines


def edits_as_csv(edits: Iterable[TagEdit]) -> list[tuple[str, ...]]:
    """A header and a row for each tag; whoever writes them makes them safe for spreadsheets."""
    rows = [
        (
            edit.target.account,
            edit.target.region,
            edit.resource,
            edit.name,
            edit.target.arn,
            edit.key,
            edit.before,
            edit.after,
            edit.target.problem,
        )
        for edit in edits
    ]
    return [("account", "region", "resource", "name", "arn", "key", "before", "after", "note"), *rows]
