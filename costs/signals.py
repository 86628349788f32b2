"""The signal of the house, and its echo."""

from django.dispatch import Signal

# Sent while a delivery is loaded: its charges stand, its cost lines are about to be copied. Receivers get `lines`, a
# costs.lines.Lines, and may call lines.tag(virtual tags) and then lines.own(rules): what is said now is written once
# with the line.
delivery_loaded = Signal()

# Sent after the commit that changed what counts: a bill became current, was withdrawn, or its owners were named anew.
# Receivers get `rows`, the DeliveryMonths that count now or did, and compute again what they derive from the books.
# It is a signal of its own because `delivery_loaded` comes too early for that: nobody sees those lines yet, and they
# may never count. A receiver must be quick (hand the work to Celery); one that fails is logged and harms nobody.
cost_data_changed = Signal()
