"""Addresses of the pages of tagging."""

from django.urls import path, re_path

from tagging.views import compliance, exceptions, policy, prevention

app_name = "tagging"

urlpatterns = [
    path("tagging/", compliance.Overview.as_view(), name="overview"),
    path("tagging/resources/", compliance.ResourcesPage.as_view(), name="resources"),
    re_path(r"^tagging/resources/(?P<key>[0-9a-f]{32})/$", compliance.ResourcePage.as_view(), name="resource"),
    re_path(
        r"^tagging/resources/(?P<key>[0-9a-f]{32})/exception/$",
        exceptions.AskForException.as_view(),
        name="exception_add",
    ),
    path("tagging/policy/", policy.PolicyPage.as_view(), name="policy"),
    path("tagging/policy/add/", policy.RequirementPage.as_view(), name="requirement_add"),
    path("tagging/policy/<int:pk>/", policy.RequirementPage.as_view(), name="requirement"),
    path("tagging/policy/<int:pk>/remove/", policy.RemoveRequirement.as_view(), name="requirement_remove"),
    path("tagging/policy/prevention/", prevention.PreventionPage.as_view(), name="prevention"),
    path("tagging/policy/prevention/<slug:kind>/", prevention.PreventionFile.as_view(), name="prevention_file"),
    path("tagging/exceptions/", exceptions.ExceptionsPage.as_view(), name="exceptions"),
    path("tagging/exceptions/<int:pk>/", exceptions.ExceptionPage.as_view(), name="exception"),
]
