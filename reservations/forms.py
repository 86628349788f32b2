"""What several forms of commitments share."""

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext as _

from finops_site.managers import TeamQuerySet
from finops_site.models import Team
from finops_site.people.signed_in import signed_in_user


def visible_teams(request: HttpRequest | None) -> TeamQuerySet:
    """The teams that the filters of this request offer."""
    return Team.objects.none() if request is None else Team.objects.visible_to(signed_in_user(request))


def read_upload(uploaded: UploadedFile, most: int) -> str:
    """The text of an uploaded file of at most so many bytes."""
    if (uploaded.size or 0) > most:
        raise forms.ValidationError(_("That is too big for such a file."))
    try:
        return uploaded.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise forms.ValidationError(_("The file is not UTF-8 text.")) from None
