"""Which tables of usage the audit log follows; the others with the reason."""

from finops_site.pillars import AuditRule

AUDITED = {
    "Finding": AuditRule(
        left_out=(
            # What each night computes anew.
            *("owner", "effort", "risk", "confidence", "currency", "monthly_cost", "saving", "counted_saving"),
            *("counted_after", "evidence", "target", "sources", "first_seen", "last_seen", "changed_at"),
        ),
        name="resource",
        made_by_machines=True,
    ),
    "Connection": AuditRule(left_out=("message", "parts", "started_at", "read_at", "state")),
    "FixAccess": AuditRule(name="account"),
    "FixSet": AuditRule(left_out=("heartbeat_at", "attempt")),
    "FixStep": AuditRule(name="target", made_by_machines=True),
    "QuietRule": AuditRule(name="rule"),
    "FactImport": AuditRule(left_out=("rejects",), name="kind"),
    "Tracker": AuditRule(),
    "Ticket": AuditRule(left_out=("attempts", "claimed_until", "send_after"), name="reference"),
    "Estimate": AuditRule(),
    "Scenario": AuditRule(),
    "EstimateLine": AuditRule(name="text"),
}
NOT_AUDITED = {
    "CarbonMonth": "computed of a file as it was imported, which is audited",
    "FindingEvent": "the history of a finding, kept as it is; people's answers are in the log of the finding",
    "Evaluation": "how far an evaluation is, and what it found",
    "SavingMonth": "computed of bills each month",
}
