"""The API's addresses of tagging, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tagging import policy_api

router = SimpleRouter()
router.register("tag-resources", policy_api.TagResourceViewSet, "tag-resource")

urlpatterns = [path("tag-compliance/", policy_api.ComplianceView.as_view(), name="tag-compliance"), *router.urls]
