"""Addresses of the pages of tagging."""

from django.urls import path

from tagging.views import ownership

app_name = "tagging"

urlpatterns = [
    path("ownership/", ownership.OwnershipPage.as_view(), name="ownership"),
    path("ownership/add/", ownership.RulePage.as_view(), name="ownership_add"),
    path("ownership/import/", ownership.ImportRules.as_view(), name="ownership_import"),
    path("ownership/apply/", ownership.ApplyNow.as_view(), name="ownership_apply"),
    path("ownership/progress/", ownership.ApplyProgress.as_view(), name="ownership_progress"),
    path("ownership/unowned/", ownership.UnownedPage.as_view(), name="unowned"),
    path("ownership/unowned/fixer/", ownership.FixerPage.as_view(), name="unowned_fixer"),
    path("ownership/pools/", ownership.PoolsPage.as_view(), name="pools"),
    path("ownership/pools/add/", ownership.PoolPage.as_view(), name="pool_add"),
    path("ownership/pools/<int:pk>/", ownership.PoolPage.as_view(), name="pool"),
    path("ownership/<int:pk>/", ownership.RulePage.as_view(), name="ownership_rule"),
    path("ownership/<int:pk>/remove/", ownership.RemoveRule.as_view(), name="ownership_remove"),
    path("ownership/<int:pk>/move/", ownership.MoveRule.as_view(), name="ownership_move"),
]
