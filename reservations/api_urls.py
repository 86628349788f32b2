"""The API's addresses of reservations, mounted under the site's."""

from rest_framework.routers import SimpleRouter

from reservations import api

router = SimpleRouter()
router.register("commitments", api.CommitmentViewSet, "commitment")
router.register("recommendations", api.RecommendationViewSet, "recommendation")
router.register("purchases", api.PurchaseViewSet, "purchase")
router.register("savings", api.SavingViewSet, "saving")

urlpatterns = [*router.urls]
