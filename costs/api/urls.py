"""The API's addresses of bills and costs, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from costs.api import bill_views, views
from costs.api.account_groups import AccountGroupViewSet
from costs.api.changes import ChangesView
from costs.api.charges import ChargeViewSet
from costs.api.invoices import InvoiceViewSet

router = SimpleRouter()
router.register("deliveries", views.DeliveryViewSet, "delivery")
router.register("sources", bill_views.SourceViewSet, "source")
router.register("cost-lines", views.CostLineViewSet, "cost-line")
router.register("charges", ChargeViewSet, "charge")
router.register("focus-exports", views.FocusExportViewSet, "focus-export")
router.register("invoices", InvoiceViewSet, "invoice")
router.register("exchange-rates", bill_views.ExchangeRateViewSet, "exchange-rate")
router.register("corrections", bill_views.CorrectionViewSet, "correction")
router.register("account-groups", AccountGroupViewSet, "account-group")
router.register("teams", views.TeamViewSet, "team")

urlpatterns = [
    path("spend/", views.SpendView.as_view(), name="spend"),
    path("changes/", ChangesView.as_view(), name="changes"),
    path("overlaps/", bill_views.OverlapsView.as_view(), name="overlaps"),
    path("cluster-shares/", views.ClusterSharesView.as_view(), name="cluster-shares"),
    *router.urls,
]
