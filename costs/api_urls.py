"""The API's addresses of bills and costs, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from costs import api

router = SimpleRouter()
router.register("deliveries", api.DeliveryViewSet, "delivery")
router.register("sources", api.SourceViewSet, "source")
router.register("cost-lines", api.CostLineViewSet, "cost-line")
router.register("focus-exports", api.FocusExportViewSet, "focus-export")
router.register("teams", api.TeamViewSet, "team")

urlpatterns = [path("spend/", api.SpendView.as_view(), name="spend"), *router.urls]
