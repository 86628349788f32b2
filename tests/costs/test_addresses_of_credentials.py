"""No credential and no form sends us to an address that is neither the provider's own nor one the settings allow."""

from dataclasses import dataclass

import pytest

from costs.models import Credential
from costs.sources.aws import aws_client
from costs.sources.azure_blob import AzureContainer
from costs.sources.google_cloud import GoogleBucket, check_key
from costs.sources.storage import StorageProblem
from tests.people import signed_in

INSIDE = "http://127.0.0.1:8000/token"


@dataclass
class Place:
    region: str = ""
    endpoint: str = ""
    credential: Credential | None = None
    bucket: str = "bills"
    prefix: str = ""


def credential(**secret):
    made = Credential(name="google")
    made.seal(secret)
    return made


@pytest.mark.parametrize(
    "uri",
    [
        INSIDE,
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com.example.com/token",
        "https://oauth2.googleapis.com@127.0.0.1/token",
        "https://oauth2.googleapis.com:8443/token",
        "https://[bad",
    ],
)
def test_a_key_of_google_asks_nobody_but_google_for_a_token(uri):
    with pytest.raises(StorageProblem, match="FINOPS_STORAGE_ENDPOINTS"):
        GoogleBucket(Place(credential=credential(type="service_account", token_uri=uri)))


def test_a_key_of_google_names_no_other_cloud():
    with pytest.raises(StorageProblem, match=r"storage\.inside\.example"):
        check_key({"token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "inside.example"})


def test_the_settings_may_allow_another_address(settings):
    settings.FINOPS_STORAGE_ENDPOINTS = [INSIDE]
    check_key({"token_uri": INSIDE})
    check_key({"token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "googleapis.com"})


@pytest.mark.parametrize("open_place", [lambda place: aws_client("s3", place), AzureContainer, GoogleBucket])
def test_no_storage_is_asked_at_an_address_that_a_form_brought(open_place):
    with pytest.raises(StorageProblem, match="FINOPS_STORAGE_ENDPOINTS"):
        open_place(Place(region="bills", endpoint="http://169.254.169.254/"))


@pytest.mark.parametrize("region", ["127.0.0.1/", "eu.example.com", "eu-central-1@x", "x#", "a" * 80])
def test_a_region_is_no_address(region):
    with pytest.raises(StorageProblem, match="no region of AWS"):
        aws_client("s3", Place(region=region))


def test_an_azure_account_is_no_address():
    with pytest.raises(StorageProblem, match="storage account"):
        AzureContainer(Place(region="127.0.0.1:80/x?"))


@pytest.mark.django_db
def test_ada_is_told_when_she_pastes_such_a_key(ada):
    answer = signed_in(ada).post(
        "/admin/costs/credential/add/", {"name": "google", "secret": f'{{"token_uri": "{INSIDE}"}}'}
    )
    assert "is not an address that FINOPS_STORAGE_ENDPOINTS allows" in answer.content.decode()
    assert not Credential.objects.exists()
