"""The API's addresses of tagging, mounted under the site's."""

from rest_framework.routers import SimpleRouter

router = SimpleRouter()

urlpatterns = [*router.urls]
