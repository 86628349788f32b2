"""The API's addresses of usage."""

from rest_framework.routers import SimpleRouter

from usage.api import estimates, findings

router = SimpleRouter()
router.register("usage-findings", findings.FindingViewSet, "usage-finding")
router.register("usage-quiet-rules", findings.QuietRuleViewSet, "usage-quiet-rule")
router.register("estimates", estimates.EstimateViewSet, "estimate")

urlpatterns: list = [*router.urls]
