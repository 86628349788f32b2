"""The API's addresses of tagging, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tagging.chargeback import api as chargeback_api
from tagging.ownership.api import OwnershipRuleViewSet
from tagging.policy import api as policy_api
from tagging.remediation import api as remediation_api
from tagging.unit_costs.api import BusinessMetrics

router = SimpleRouter()
router.register("ownership-rules", OwnershipRuleViewSet, basename="ownership-rule")
router.register("tag-resources", policy_api.TagResourceViewSet, "tag-resource")
router.register("tag-suggestions", remediation_api.SuggestionViewSet, basename="tag-suggestion")
router.register("virtual-tags", remediation_api.VirtualTagViewSet, basename="virtual-tag")

urlpatterns = [
    path("chargeback/", chargeback_api.ChargebackMonths.as_view(), name="chargeback-list"),
    path("chargeback/<str:month>/", chargeback_api.ChargebackMonth.as_view(), name="chargeback-month"),
    path("chargeback/<str:month>/teams/<int:team>/", chargeback_api.ChargebackTeam.as_view(), name="chargeback-team"),
    path("tag-compliance/", policy_api.ComplianceView.as_view(), name="tag-compliance"),
    path("business-metrics/", BusinessMetrics.as_view(), name="business-metrics"),
    *router.urls,
]
