"""The API's addresses of budgets, mounted under the site's."""

from rest_framework.routers import SimpleRouter

from budgets import api

router = SimpleRouter()
router.register("budgets", api.BudgetViewSet, "budget")
router.register("alerts", api.AlertViewSet, "alert")
router.register("anomalies", api.AnomalyViewSet, "anomaly")

urlpatterns = [*router.urls]
