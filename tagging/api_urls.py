"""The API's addresses of tagging, mounted under the site's."""

from rest_framework.routers import SimpleRouter

from tagging.api import OwnershipRuleViewSet

router = SimpleRouter()
router.register("ownership-rules", OwnershipRuleViewSet, basename="ownership-rule")

urlpatterns = [*router.urls]
