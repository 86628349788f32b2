"""The API's addresses of tagging, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tagging import chargeback_api, fixing_api, policy_api
from tagging.api import OwnershipRuleViewSet

router = SimpleRouter()
router.register("ownership-rules", OwnershipRuleViewSet, basename="ownership-rule")
router.register("tag-resources", policy_api.TagResourceViewSet, "tag-resource")
router.register("tag-suggestions", fixing_api.SuggestionViewSet, basename="tag-suggestion")
router.register("virtual-tags", fixing_api.VirtualTagViewSet, basename="virtual-tag")

urlpatterns = [
    path("chargeback/", chargeback_api.ChargebackMonths.as_view(), name="chargeback-list"),
    path("chargeback/<str:month>/", chargeback_api.ChargebackMonth.as_view(), name="chargeback-month"),
    path("chargeback/<str:month>/teams/<int:team>/", chargeback_api.ChargebackTeam.as_view(), name="chargeback-team"),
    path("tag-compliance/", policy_api.ComplianceView.as_view(), name="tag-compliance"),
    path("business-metrics/", fixing_api.BusinessMetrics.as_view(), name="business-metrics"),
    *router.urls,
]
