"""The addresses of sign-in by a provider, under the names that allauth asks for; they lie below /accounts/."""

from django.urls import path

from finops_site.sign_in import oidc

urlpatterns = [
    path("oidc/<slug:provider_id>/login/", oidc.login, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", oidc.callback, name="openid_connect_callback"),
]
