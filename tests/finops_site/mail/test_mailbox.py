"""On a laptop mail lands in a folder, and a page shows it to whom it was written."""

import base64

import pytest
from django.urls import reverse

from finops_site.mail import mailbox
from finops_site.mail.emails import make_message

# Whose language it is in, the builder asks.
pytestmark = pytest.mark.django_db

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)
CONTEXT = {"rows": [{"source": {"name": "<b>Northwind</b>"}, "words": "Last delivery 31 h ago."}], "url": "/sources/"}


@pytest.fixture
def to_lea(settings, tmp_path):
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    message = make_message(
        "source-late", "lea@demo.example", CONTEXT, images={"chart": PNG}, unsubscribe_url="https://x.example/stop"
    )
    mailbox.FolderBackend().send_messages([message])
    return next(mailbox.folder().glob("*.eml")).stem


def test_lea_reads_her_mail_as_a_mail_program_shows_it(to_lea, lea, client_of):
    page = client_of(lea).get(reverse("dev_mail_message", args=[to_lea])).content.decode()
    assert "Bill overdue" in page
    assert "Last delivery 31 h ago." in page
    assert "https://x.example/stop" in page
    html = client_of(lea).get(reverse("dev_mail_html", args=[to_lea]))
    assert "&lt;b&gt;Northwind" in html.content.decode()
    assert html["X-Frame-Options"] == "SAMEORIGIN"
    assert "sandbox" in html["Content-Security-Policy"]
    assert "script-src 'none'" in html["Content-Security-Policy"]


def test_a_picture_comes_out_of_the_mail_itself(to_lea, lea):
    message = mailbox.mail(to_lea, lea)
    message.parsed.get_body(("html",)).set_content("<img src='cid:chart'><img src='cid:other'>", subtype="html")
    picture = base64.b64encode(PNG).decode()
    assert message.html.strip() == f"<img src='data:image/png;base64,{picture}'><img src=''>"


def test_nobody_reads_anothers_mail_but_an_administrator(to_lea, ola, ada, client_of):
    assert "Bill overdue" not in client_of(ola).get(reverse("dev_mail")).content.decode()
    assert "Bill overdue" in client_of(ada).get(reverse("dev_mail")).content.decode()


@pytest.mark.django_db
def test_an_empty_mailbox_says_what_will_come(settings, tmp_path, lea, client_of):
    settings.EMAIL_FILE_PATH = str(tmp_path / "none")
    assert "No mail yet" in client_of(lea).get(reverse("dev_mail")).content.decode()


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "20260101T000000000000-deadbeef"])
def test_a_name_that_is_no_mail_is_not_found(name, lea, client_of):
    assert client_of(lea).get(f"/dev/mail/{name}/").status_code == 404
