"""The API's addresses of bills and costs, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from costs.api import views
from costs.api.invoices import InvoiceViewSet

router = SimpleRouter()
router.register("deliveries", views.DeliveryViewSet, "delivery")
router.register("sources", views.SourceViewSet, "source")
router.register("cost-lines", views.CostLineViewSet, "cost-line")
router.register("focus-exports", views.FocusExportViewSet, "focus-export")
router.register("invoices", InvoiceViewSet, "invoice")
router.register("teams", views.TeamViewSet, "team")

urlpatterns = [
    path("spend/", views.SpendView.as_view(), name="spend"),
    path("cluster-shares/", views.ClusterSharesView.as_view(), name="cluster-shares"),
    *router.urls,
]
