"""A select says in our words that nothing is chosen."""

from django import forms
from django.db.models import BLANK_CHOICE_DASH


class TicketForm(forms.Form):
    team = forms.ChoiceField(choices=[*BLANK_CHOICE_DASH, ("1", "Data")], required=False)
    kind = forms.ChoiceField(choices=[*BLANK_CHOICE_DASH, ("1", "Disk")])


def test_the_empty_choice_is_none_or_asks_to_choose():
    html = TicketForm().as_div()
    assert "---" not in html
    # What may be left out, and what must be chosen.
    assert html.count('<option value="" selected>none</option>') == 1
    assert html.count('<option value="" selected>Choose</option>') == 1
    assert '<option value="1">Data</option>' in html
