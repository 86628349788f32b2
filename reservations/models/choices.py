"""What people choose from in the fields of commitments, their rates and their purchases, in the reader's language."""

from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.terms import KINDS, PAYMENTS

KIND_CHOICES = [(kind, _lazy(label)) for kind, label in KINDS.items()]
PAYMENT_CHOICES = [(payment, _lazy(label)) for payment, label in PAYMENTS.items()]
