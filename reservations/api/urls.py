"""The API's addresses of reservations, mounted under the site's."""

from rest_framework.routers import SimpleRouter

from reservations.api import views

router = SimpleRouter()
router.register("commitments", views.CommitmentViewSet, "commitment")
router.register("recommendations", views.RecommendationViewSet, "recommendation")
router.register("purchases", views.PurchaseViewSet, "purchase")
router.register("prices", views.PriceViewSet, "price")
router.register("standing-orders", views.StandingOrderViewSet, "standing-order")
router.register("savings", views.SavingViewSet, "saving")

urlpatterns = [*router.urls]
