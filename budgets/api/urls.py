"""The API's addresses of budgets, mounted under the site's."""

from rest_framework.routers import SimpleRouter

from budgets.api import control_views, views

router = SimpleRouter()
router.register("budgets", views.BudgetViewSet, "budget")
router.register("alerts", views.AlertViewSet, "alert")
router.register("anomalies", views.AnomalyViewSet, "anomaly")
router.register("controls", control_views.ControlViewSet, "control")
router.register("control-changes", control_views.ControlChangeViewSet, "control-change")
router.register("anomaly-sensitivities", views.SensitivityViewSet, "sensitivity")

urlpatterns = [*router.urls]
