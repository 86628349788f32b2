"""The API's addresses of reservations, mounted under the site's."""

from rest_framework.routers import SimpleRouter

router = SimpleRouter()

urlpatterns = [*router.urls]
