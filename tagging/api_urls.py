"""The API's addresses of tagging, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tagging.api import journal, shared_cost, tag_policy
from tagging.chargeback import api as chargeback_api
from tagging.ownership.api import OwnershipRuleViewSet
from tagging.policy import api as policy_api
from tagging.remediation import api as remediation_api
from tagging.unit_costs.api import BusinessMetrics, UnitCostsView

router = SimpleRouter()
router.register("ownership-rules", OwnershipRuleViewSet, basename="ownership-rule")
router.register("tag-resources", policy_api.TagResourceViewSet, "tag-resource")
router.register("tag-suggestions", remediation_api.SuggestionViewSet, basename="tag-suggestion")
router.register("tag-rules", tag_policy.RequirementViewSet, "tag-rule")
router.register("tag-exceptions", tag_policy.TagExceptionViewSet, "tag-exception")
router.register("tag-change-sets", tag_policy.TagChangeSetViewSet, "tag-change-set")
router.register("pools", shared_cost.PoolViewSet, "pool")
router.register("splits", shared_cost.SplitViewSet, "split")
router.register("disputes", shared_cost.DisputeViewSet, "dispute")
router.register("adjustments", shared_cost.AdjustmentViewSet, "adjustment")
router.register("virtual-tags", remediation_api.VirtualTagViewSet, basename="virtual-tag")

urlpatterns = [
    path("chargeback/", chargeback_api.ChargebackMonths.as_view(), name="chargeback-list"),
    path("chargeback/<str:month>/", chargeback_api.ChargebackMonth.as_view(), name="chargeback-month"),
    path("chargeback/<str:month>/teams/<int:team>/", chargeback_api.ChargebackTeam.as_view(), name="chargeback-team"),
    path("chargeback/<str:month>/aside/", chargeback_api.SetMonthAside.as_view(), name="chargeback-aside"),
    path("chargeback/<str:month>/take-back/", chargeback_api.TakeMonthBack.as_view(), name="chargeback-take-back"),
    path("chargeback/<str:month>/journal/", journal.JournalOfMonth.as_view(), name="chargeback-journal"),
    path("journal-layouts/", journal.JournalLayouts.as_view(), name="journal-layouts"),
    path("tag-compliance/", policy_api.ComplianceView.as_view(), name="tag-compliance"),
    path("business-metrics/", BusinessMetrics.as_view(), name="business-metrics"),
    path("unit-costs/", UnitCostsView.as_view(), name="unit-costs"),
    *router.urls,
]
