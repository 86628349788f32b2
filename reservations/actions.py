"""Buttons that several pages of commitments offer."""

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action

RECOMMEND = Action(
    _lazy("Work out what to buy"), "reservations:recommend", "bulb", "reservations.add_plan", primary=True
)
LOAD_COMMITMENTS = Action(
    _lazy("Load commitments"), "reservations:commitments_load", "upload", "reservations.add_commitment"
)
RECOMMENDATIONS = Action(_lazy("Recommendations"), "reservations:recommendations", "bulb", "reservations.view_plan")
UPLOAD_BILL = Action(_lazy("Upload a bill"), "costs:delivery_upload", "upload", "costs.add_delivery")
