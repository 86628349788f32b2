"""Kim, whom nobody invited, signs in by her company's provider and finds her team's costs."""

from finops_site.models import GroupMapping, Team, User
from finops_site.people.roles import role_of
from finops_site.sign_in import group_grants
from tests.browser.conftest import DESKTOP, is_complaint
from tests.finops_site.sign_in.conftest import provider  # noqa: F401 (pytest finds it here)
from tests.people import PASSWORD, person


def test_kim_signs_in_with_example_and_has_her_role_and_her_team(provider, chromium, live_server, transactional_db):  # noqa: F811
    person("ada")
    payments = Team.objects.get(name="Payments")
    group_grants.save_mapping(GroupMapping(group="cloud", role="engineering", team=payments))
    provider.claims["groups"] = ["cloud"]
    context = chromium.new_context(base_url=live_server.url, viewport=DESKTOP)
    page, complaints = context.new_page(), []
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    page.goto("/people/")
    page.get_by_role("link", name="Sign in with Example").click()
    page.wait_for_url(lambda url: "/accounts/" not in url)
    # An engineer may not open the page that she asked for first, and is told so.
    assert page.url == f"{live_server.url}/people/"
    page.goto("/")
    assert "Engineering" in page.locator(".user-button").inner_text()
    kim = User.objects.get(email="kim@example.com")
    assert (role_of(kim), [str(team) for team in kim.teams.all()]) == ("engineering", ["Payments"])
    context.close()
    assert [text for text in complaints if "403" not in text] == []


def test_lea_signs_in_with_a_passkey_and_no_password(visit):
    page = visit("lea")
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    page.goto("/accounts/2fa/webauthn/add/")
    # Who adds one proves once more that it is she.
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.locator("input[name=passwordless]").check()
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url(lambda url: "/add/" not in url)
    page.context.clear_cookies()
    page.goto("/accounts/login/?next=/settings/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(lambda url: url.endswith("/settings/"))
    assert "Lea" in page.locator(".user-button").inner_text()
