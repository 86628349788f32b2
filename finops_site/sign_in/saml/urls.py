"""The addresses of sign-in by SAML, under the names that allauth asks for; they lie below /accounts/."""

from django.urls import path

from finops_site.sign_in.saml import views

urlpatterns = [
    path("saml/<slug:provider_id>/login/", views.login, name="saml_login"),
    path("saml/<slug:provider_id>/metadata/", views.metadata, name="saml_metadata"),
    path("saml/<slug:provider_id>/acs/", views.ReceiveAnswer.as_view(), name="saml_acs"),
    path("saml/<slug:provider_id>/acs/finish/", views.finish, name="saml_finish_acs"),
    path("saml/<slug:provider_id>/sls/", views.SignOut.as_view(), name="saml_sls"),
]
