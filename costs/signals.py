"""The one signal of the house."""

from django.dispatch import Signal

# Sent while a delivery is loaded: its charges stand, its cost lines are about to be copied. Receivers get `lines`, a
# costs.publish.Lines, and may call lines.own(rules): owners named now are written once with the line.
delivery_loaded = Signal()
