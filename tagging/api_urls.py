"""The API's addresses of tagging, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tagging import fixing_api
from tagging.api import OwnershipRuleViewSet

router = SimpleRouter()
router.register("ownership-rules", OwnershipRuleViewSet, basename="ownership-rule")

router = SimpleRouter()
router.register("tag-suggestions", fixing_api.SuggestionViewSet, basename="tag-suggestion")
router.register("virtual-tags", fixing_api.VirtualTagViewSet, basename="virtual-tag")

urlpatterns = [
    path("business-metrics/", fixing_api.BusinessMetrics.as_view(), name="business-metrics"),
    *router.urls,
]
