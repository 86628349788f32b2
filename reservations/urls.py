"""Addresses of the pages of reservations."""

from django.urls import path, re_path

from reservations.views import buying_policy, commitments, orders, overview, purchases, rates, recommendations, savings

app_name = "reservations"

urlpatterns = [
    path("reservations/", overview.Overview.as_view(), name="overview"),
    path("reservations/expiries/", overview.Expiries.as_view(), name="expiries"),
    path("reservations/savings/", savings.SavingsPage.as_view(), name="savings"),
    path("reservations/savings/<int:pk>/", savings.SavedPage.as_view(), name="saved"),
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
    path(
        "reservations/recommendations/<int:pk>/<int:position>/ask/",
        purchases.AskPurchase.as_view(),
        name="purchase_ask",
    ),
    path("reservations/purchases/", purchases.PurchasesPage.as_view(), name="purchases"),
    path("reservations/purchases/<int:pk>/", purchases.PurchasePage.as_view(), name="purchase"),
    re_path(
        r"^reservations/purchases/(?P<pk>\d+)/purchase\.(?P<kind>sh|csv)$",
        purchases.PurchaseFile.as_view(),
        name="purchase_file",
    ),
    path("reservations/purchases/policy/", buying_policy.BuyingPolicyPage.as_view(), name="buying_policy"),
    path("reservations/purchases/policy/switch/", buying_policy.BuyingSwitch.as_view(), name="buying_switch"),
    path(
        "reservations/purchases/policy/limits/add/",
        buying_policy.ApproverLimitPage.as_view(),
        name="approver_limit_add",
    ),
    path(
        "reservations/purchases/policy/limits/<int:pk>/",
        buying_policy.ApproverLimitPage.as_view(),
        name="approver_limit",
    ),
    path("reservations/purchases/standing-orders/", orders.StandingOrdersPage.as_view(), name="standing_orders"),
    path("reservations/purchases/standing-orders/add/", orders.StandingOrderPage.as_view(), name="standing_order_add"),
    path("reservations/purchases/standing-orders/<int:pk>/", orders.StandingOrderPage.as_view(), name="standing_order"),
]
