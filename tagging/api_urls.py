"""The API's addresses of tagging, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tagging import chargeback_api
from tagging.api import OwnershipRuleViewSet

router = SimpleRouter()
router.register("ownership-rules", OwnershipRuleViewSet, basename="ownership-rule")

urlpatterns = [
    *router.urls,
    path("chargeback/", chargeback_api.ChargebackMonths.as_view(), name="chargeback-list"),
    path("chargeback/<str:month>/", chargeback_api.ChargebackMonth.as_view(), name="chargeback-month"),
    path("chargeback/<str:month>/teams/<int:team>/", chargeback_api.ChargebackTeam.as_view(), name="chargeback-team"),
]
