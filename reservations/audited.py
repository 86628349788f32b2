"""Which tables of commitments and purchases the audit log follows; the others with the reason."""

from finops_site.pillars import Audited

AUDITED = {
    "Commitment": Audited(left_out=("last_seen",), name="commitment_id"),
    # A price list has some hundred thousand.
    "Rate": Audited(name="service", summed_up=True),
    "BuyingPolicy": Audited(),
    "ApproverLimit": Audited(),
    "StandingOrder": Audited(),
    # What a worker notes while it buys is no decision of anybody.
    "PurchaseRequest": Audited(left_out=("heartbeat_at", "request_snapshot", "baseline"), name="service"),
    "PurchaseEvent": Audited(name="verb"),
}
NOT_AUDITED = {
    "Utilisation": "computed of bills, which are kept",
    "Coverage": "computed of bills, which are kept",
    "Notice": "a message that went out is kept as it is",
    "Plan": "advice computed of bills; what somebody asks to buy of it is audited",
    "PlanItem": "advice computed of bills; what somebody asks to buy of it is audited",
    "LedgerMonth": "computed of bills each night, and checked against them",
}
