"""Addresses of the pages of reservations."""

from django.urls import path, re_path

from reservations.inventory import commitment_views, overview_views
from reservations.pricing import price_views
from reservations.purchases import buying_policy_views, purchase_views, standing_order_views
from reservations.recommendations import recommendation_views
from reservations.savings import savings_views

app_name = "reservations"

urlpatterns = [
    path("reservations/", overview_views.CommitmentsOverview.as_view(), name="overview"),
    path("reservations/expiries/", overview_views.ExpiryCalendar.as_view(), name="expiries"),
    path("reservations/savings/", savings_views.SavingsPage.as_view(), name="savings"),
    path("reservations/savings/<int:pk>/", savings_views.SavedPage.as_view(), name="saved"),
    path("reservations/owned/", commitment_views.CommitmentsPage.as_view(), name="commitments"),
    path("reservations/owned/load/", commitment_views.LoadCommitments.as_view(), name="commitments_load"),
    path("reservations/owned/<int:pk>/", commitment_views.CommitmentPage.as_view(), name="commitment"),
    path("reservations/prices/", price_views.PricesPage.as_view(), name="prices"),
    path("reservations/prices/load/", price_views.LoadPrices.as_view(), name="prices_load"),
    path("reservations/recommend/", recommendation_views.Recommend.as_view(), name="recommend"),
    path("reservations/recommendations/", recommendation_views.RecommendationsPage.as_view(), name="recommendations"),
    path(
        "reservations/recommendations/<int:pk>/",
        recommendation_views.RecommendationPage.as_view(),
        name="recommendation",
    ),
    path(
        "reservations/recommendations/<int:pk>/progress/",
        recommendation_views.RecommendationProgress.as_view(),
        name="recommendation_progress",
    ),
    path(
        "reservations/recommendations/<int:pk>/<int:position>/",
        recommendation_views.RecommendedItem.as_view(),
        name="recommended_item",
    ),
    path(
        "reservations/recommendations/<int:pk>/<int:position>/ask/",
        purchase_views.RequestPurchase.as_view(),
        name="purchase_ask",
    ),
    path("reservations/purchases/", purchase_views.PurchasesPage.as_view(), name="purchases"),
    path("reservations/purchases/<int:pk>/", purchase_views.PurchasePage.as_view(), name="purchase"),
    re_path(
        r"^reservations/purchases/(?P<pk>\d+)/purchase\.(?P<kind>sh|csv)$",
        purchase_views.PurchaseFile.as_view(),
        name="purchase_file",
    ),
    path("reservations/purchases/policy/", buying_policy_views.BuyingPolicyPage.as_view(), name="buying_policy"),
    path("reservations/purchases/policy/switch/", buying_policy_views.BuyingSwitch.as_view(), name="buying_switch"),
    path(
        "reservations/purchases/policy/limits/add/",
        buying_policy_views.ApproverLimitPage.as_view(),
        name="approver_limit_add",
    ),
    path(
        "reservations/purchases/policy/limits/<int:pk>/",
        buying_policy_views.ApproverLimitPage.as_view(),
        name="approver_limit",
    ),
    path(
        "reservations/purchases/standing-orders/",
        standing_order_views.StandingOrdersPage.as_view(),
        name="standing_orders",
    ),
    path(
        "reservations/purchases/standing-orders/add/",
        standing_order_views.StandingOrderPage.as_view(),
        name="standing_order_add",
    ),
    path(
        "reservations/purchases/standing-orders/<int:pk>/",
        standing_order_views.StandingOrderPage.as_view(),
        name="standing_order",
    ),
]
