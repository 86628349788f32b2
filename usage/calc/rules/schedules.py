"""Schedules: what is not production and runs at night and at weekends. Pure.

Hours come from bills by the hour, or from a bill that charges every hour of its days. What runs all week is stopped
outside of twelve hours of five days, wherever these begin; what is stopped at night already is stopped at weekends.
"""

import json
import shlex
from collections.abc import Sequence

from costs.calc.providers import AWS, AZURE, GOOGLE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text, share_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, saved
from usage.calc.rules.fix_commands import FindingRow, command_fix, end_of_id
from usage.calc.rules.machine_sql import DATABASES, MACHINES

WEEK_HOURS = 168
WORK_HOURS = 60
ALWAYS = 0.95
WEEKEND_BEGINS = 120
# A weekend that makes less of the hours than this is a night that reaches into Saturday somewhere.
LEAST_WEEKEND = 0.15
ENOUGH_DAYS = 14

_idle_share = f"CASE WHEN is_always THEN {1 - WORK_HOURS / WEEK_HOURS} ELSE weekend_share END"
_schedule = finding_sql(
    f"""
    SELECT u.*, u.cost AS monthly_cost, {saved("u.open_cost", _idle_share)} AS saving,
        '{Confidence.LIKELY}' AS confidence,
        json_object('environment', u.environment, 'hours_a_week', hours_a_week, 'is_always', is_always) AS evidence,
        json_object('hours_a_week', CASE WHEN is_always THEN {WORK_HOURS} ELSE hours_a_week * (1 - weekend_share) END)
            AS target
    FROM judged_hours AS u
    WHERE is_always OR weekend_share >= {LEAST_WEEKEND}
    """,
    MACHINES,
    DATABASES,
    f"""runs AS (
        SELECT * FROM (
            SELECT {KEY}, currency, 'compute' AS part, type, cost, open_cost, hours, days FROM machines
            UNION ALL
            -- Caches, searches and databases of other providers cannot be stopped, or are stopped otherwise.
            SELECT {KEY}, currency, 'instance', type, cost, open_cost, hours, days FROM databases
            WHERE provider = {literal(AWS)} AND type LIKE 'db.%'
        ) JOIN (SELECT {KEY}, environment FROM resources WHERE is_production = false) USING ({KEY})
    )""",
    f"""weeks AS (
        SELECT {KEY}, sum(share) AS hours_a_week,
            sum(share) FILTER (hour >= {WEEKEND_BEGINS}) / nullif(sum(share), 0) AS weekend_share
        FROM week_hours SEMI JOIN runs USING ({KEY}) GROUP BY ALL
    )""",
    f"""judged_hours AS (
        SELECT r.*, coalesce(w.hours_a_week, least({WEEK_HOURS}, r.hours / r.days * 7)) AS hours_a_week,
            w.weekend_share,
            coalesce(w.hours_a_week >= {ALWAYS * WEEK_HOURS}, r.hours >= {ALWAYS} * 24 * r.days) AS is_always
        FROM runs AS r LEFT JOIN weeks AS w USING ({KEY})
        WHERE r.days >= {ENOUGH_DAYS}
    )""",
)


def _explain(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence["is_always"]:
        return _(
            "It is {environment} and runs day and night; twelve hours of five days would do, {share} of the week less."
        ).format(environment=evidence["environment"], share=share_text(1 - WORK_HOURS / WEEK_HOURS))
    return _("It is {environment}, is stopped at night, and runs at weekends: {hours} hours a week.").format(
        environment=evidence["environment"], hours=number_text(evidence["hours_a_week"])
    )


def schedule_documents(finding: FindingRow) -> list[dict[str, object]]:
    """Two schedules of EventBridge Scheduler, to stop in the evening of a working day and to start in the morning."""
    is_database = finding["part"] == "instance"
    name = end_of_id(str(finding["resource"]))
    service, names = ("rds", {"DbInstanceIdentifier": name}) if is_database else ("ec2", {"InstanceIds": [name]})
    thing = "DBInstance" if is_database else "Instances"
    return [
        {
            "Name": f"{verb}-{name}"[:64],
            "ScheduleExpression": f"cron(0 {hour} ? * MON-FRI *)",
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": f"arn:aws:scheduler:::aws-sdk:{service}:{verb}{thing}",
                "RoleArn": f"arn:aws:iam::{finding['account']}:role/office-hours",
                "Input": json.dumps(names),
            },
        }
        for verb, hour in (("stop", 19), ("start", 7))
    ]


def _fixes(finding: FindingRow) -> Sequence[Fix]:
    if finding["provider"] == AWS:
        return _aws_fixes(finding)
    title = _("Stop and start it by a schedule")
    commands = {
        AZURE: "az vm auto-shutdown --ids {id} --time 1800\n"
        "# It starts again by a runbook of Azure Automation: Start-AzVM, on working days at 6.",
        GOOGLE: "gcloud compute resource-policies create instance-schedule office-hours --project {account}"
        " --region {region} --vm-start-schedule '0 7 * * MON-FRI' --vm-stop-schedule '0 19 * * MON-FRI'"
        " --timezone Europe/Berlin\n"
        "gcloud compute instances add-resource-policies {name} --project {account} --resource-policies office-hours",
    }
    undo = {
        AZURE: "az vm auto-shutdown --ids {id} --off",
        GOOGLE: "gcloud compute instances remove-resource-policies {name} --project {account}"
        " --resource-policies office-hours",
    }
    return command_fix(title, finding, commands, undo)


def _aws_fixes(finding: FindingRow) -> list[Fix]:
    is_database = finding["part"] == "instance"
    tag = {
        AWS: "aws rds add-tags-to-resource --region {region} --resource-name {id}"
        " --tags Key=Schedule,Value=office-hours"
        if is_database
        else "aws ec2 create-tags --region {region} --resources {name} --tags Key=Schedule,Value=office-hours"
    }
    untag = {
        AWS: "aws rds remove-tags-from-resource --region {region} --resource-name {id} --tag-keys Schedule"
        if is_database
        else "aws ec2 delete-tags --region {region} --resources {name} --tags Key=Schedule"
    }
    documents = schedule_documents(finding)
    names = [shlex.quote(str(document["Name"])) for document in documents]
    undo = "\n".join(f"aws scheduler delete-schedule --name {name}" for name in names)
    stop = "stop-db-instance --db-instance-identifier" if is_database else "stop-instances --instance-ids"
    start = "start-db-instance --db-instance-identifier" if is_database else "start-instances --instance-ids"
    service, name = "rds" if is_database else "ec2", shlex.quote(end_of_id(str(finding["resource"])))
    region = shlex.quote(str(finding["region"]))
    cron = (
        f"0 19 * * 1-5 aws {service} {stop} {name} --region {region}\n"
        f"0 7 * * 1-5 aws {service} {start} {name} --region {region}"
    )
    return [
        *command_fix(_("The tag that AWS Instance Scheduler follows"), finding, tag, untag),
        Fix(
            _("Two schedules for EventBridge Scheduler (create-schedule --cli-input-json)"),
            "json",
            json.dumps(documents, indent=2),
            undo,
        ),
        Fix(_("Two lines for cron"), "bash", cron),
    ]


RULES = (
    Rule(
        name="schedule",
        title=_noop("Runs at night and is not production"),
        lever=Lever.SCHEDULE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_schedule,
        explain=_explain,
        fixes=_fixes,
        makes_certain=_noop("Whoever owns it confirms that nobody and nothing needs it at night and at weekends."),
        docs="https://docs.aws.amazon.com/solutions/latest/instance-scheduler-on-aws/solution-overview.html",
    ),
)
