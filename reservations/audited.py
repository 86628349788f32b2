"""Which tables of commitments and purchases the audit log follows; the others with the reason."""

from finops_site.pillars import AuditRule

AUDITED = {
    "Commitment": AuditRule(left_out=("last_seen",), name="commitment_id"),
    # A price list has some hundred thousand.
    "Rate": AuditRule(name="service", summed_up=True),
    "BuyingPolicy": AuditRule(),
    "ApproverLimit": AuditRule(),
    "StandingOrder": AuditRule(),
    # What a worker notes while it buys is no decision of anybody.
    "PurchaseRequest": AuditRule(left_out=("heartbeat_at", "request_snapshot", "baseline"), name="service"),
    "PurchaseEvent": AuditRule(name="verb"),
}
NOT_AUDITED = {
    "Utilisation": "computed of bills, which are kept",
    "Coverage": "computed of bills, which are kept",
    "Notice": "a message that went out is kept as it is",
    "Plan": "advice computed of bills; what somebody asks to buy of it is audited",
    "PlanItem": "advice computed of bills; what somebody asks to buy of it is audited",
    "LedgerMonth": "computed of bills each night, and checked against them",
}
