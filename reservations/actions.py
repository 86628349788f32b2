"""Buttons that several pages of commitments offer."""

from finops_site.ui.pages import Action

RECOMMEND = Action("Work out what to buy", "reservations:recommend", "bulb", "reservations.add_plan", primary=True)
LOAD_COMMITMENTS = Action("Load commitments", "reservations:commitments_load", "upload", "reservations.add_commitment")
RECOMMENDATIONS = Action("Recommendations", "reservations:recommendations", "bulb", "reservations.view_plan")
UPLOAD_BILL = Action("Upload a bill", "costs:delivery_upload", "upload", "costs.add_delivery")
