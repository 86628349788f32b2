"""What allauth says on the pages of sign-in where its German says "du": our catalogs are asked first, and say "Sie".

Named here, so that make_catalogs keeps them; their translations stand in this site's catalogs like all others.
"""

from finops_site.lib.language import gettext_noop as _noop

OTHERWORDED = (
    _noop("You cannot remove your primary email address."),
    _noop("You cannot remove your primary email address (%(email)s)."),
    _noop("Please type your current password."),
    _noop("You cannot add more than %d email addresses."),
    _noop("Too many failed login attempts. Try again later."),
    _noop("Your primary email address must be verified."),
    _noop("Be patient, you are sending too many requests."),
    _noop("You must type the same password each time."),
    _noop("You must type the same email each time."),
    _noop("Your account has no password set up."),
    _noop("Your account has no verified email address."),
    _noop("Do you really want to remove the selected email address?"),
    _noop("Your email address is still pending verification."),
    _noop("You have confirmed %(email)s."),
    _noop("You are already logged in as %(user_display)s."),
    _noop("Verify Your Email Address"),
    _noop("You are about to generate a new set of recovery codes for your account."),
    _noop("You are about to deactivate authenticator app based authentication. Are you sure?"),
)
