"""The API's addresses of usage."""

from rest_framework.routers import SimpleRouter

from usage.api import estimates

router = SimpleRouter()
router.register("estimates", estimates.EstimateViewSet, "estimate")

urlpatterns: list = [*router.urls]
