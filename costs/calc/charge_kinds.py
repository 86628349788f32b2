"""What charges are called by their kind: FOCUS charge categories, and parts of them. Pure: no Django."""

USAGE, PURCHASE, TAX, CREDIT, ADJUSTMENT = "Usage", "Purchase", "Tax", "Credit", "Adjustment"
# The charge categories of FOCUS: each can be chosen, whether a bill has it or not.
CATEGORIES = (USAGE, PURCHASE, TAX, CREDIT, ADJUSTMENT)
# Kinds within them, of which `costs/query/charge_kinds.py` says how a line is told to be one.
SUPPORT, MARKETPLACE, COMMITMENT = "Support", "Marketplace", "Commitment purchase"
