"""Addresses of the pages of reservations."""

from django.urls import path

from reservations.views import commitments, overview, rates, recommendations

app_name = "reservations"

urlpatterns = [
    path("reservations/", overview.Overview.as_view(), name="overview"),
    path("reservations/expiries/", overview.Expiries.as_view(), name="expiries"),
    path("reservations/owned/", commitments.CommitmentsPage.as_view(), name="commitments"),
    path("reservations/owned/load/", commitments.LoadCommitments.as_view(), name="commitments_load"),
    path("reservations/owned/<int:pk>/", commitments.CommitmentPage.as_view(), name="commitment"),
    path("reservations/prices/", rates.PricesPage.as_view(), name="prices"),
    path("reservations/prices/load/", rates.LoadPrices.as_view(), name="prices_load"),
    path("reservations/recommend/", recommendations.Recommend.as_view(), name="recommend"),
    path("reservations/recommendations/", recommendations.RecommendationsPage.as_view(), name="recommendations"),
    path(
        "reservations/recommendations/<int:pk>/",
        recommendations.RecommendationPage.as_view(),
        name="recommendation",
    ),
    path(
        "reservations/recommendations/<int:pk>/progress/",
        recommendations.RecommendationProgress.as_view(),
        name="recommendation_progress",
    ),
    path(
        "reservations/recommendations/<int:pk>/<int:position>/",
        recommendations.RecommendedItem.as_view(),
        name="recommended_item",
    ),
]
