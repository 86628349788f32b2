"""The API's addresses of budgets, mounted under the site's."""

from rest_framework.routers import SimpleRouter

from budgets.api import views

router = SimpleRouter()
router.register("budgets", views.BudgetViewSet, "budget")
router.register("alerts", views.AlertViewSet, "alert")
router.register("anomalies", views.AnomalyViewSet, "anomaly")

urlpatterns = [*router.urls]
