"""The API's addresses of usage."""

from rest_framework.routers import SimpleRouter

from usage.worklist import api as worklist_api

router = SimpleRouter()
router.register("usage-findings", worklist_api.FindingViewSet, "usage-finding")
router.register("usage-quiet-rules", worklist_api.QuietRuleViewSet, "usage-quiet-rule")

urlpatterns: list = [*router.urls]
