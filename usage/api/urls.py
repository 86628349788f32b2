"""The API's addresses of usage."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from usage.api import carbon, changes, connections, estimates, findings, imports

router = SimpleRouter()
router.register("usage-findings", findings.FindingViewSet, "usage-finding")
router.register("usage-quiet-rules", findings.QuietRuleViewSet, "usage-quiet-rule")
router.register("usage-imports", imports.FactImportViewSet, "usage-import")
router.register("usage-changes", changes.FixSetViewSet, "usage-change")
router.register("usage-connections", connections.ConnectionViewSet, "usage-connection")
router.register("estimates", estimates.EstimateViewSet, "estimate")

urlpatterns: list = [*router.urls, path("usage-carbon/", carbon.CarbonView.as_view(), name="usage-carbon")]
