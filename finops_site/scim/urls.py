"""The addresses of SCIM, as its standard names them."""

from django.urls import path, register_converter

from finops_site.scim import views


class RowId:
    """A number of a row: one that no table holds is not found."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return f"{value}"


register_converter(RowId, "row_id")
app_name = "scim"
urlpatterns = [
    path("Users", views.Users.as_view(), name="users"),
    path("Users/<row_id:pk>", views.OneUser.as_view(), name="user"),
    path("Groups", views.Groups.as_view(), name="groups"),
    path("Groups/<row_id:pk>", views.OneGroup.as_view(), name="group"),
    path("ServiceProviderConfig", views.ServiceProviderConfig.as_view(), name="config"),
    path("ResourceTypes", views.ResourceTypes.as_view(), name="resource_types"),
    path("Schemas", views.Schemas.as_view(), name="schemas"),
]
