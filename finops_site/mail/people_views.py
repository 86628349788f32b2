"""Pages of people and teams: who is here, inviting one or many, what somebody may see, and switching her off."""

from functools import cached_property
from typing import Any, cast

import django_tables2
from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View

from finops_site.lib.words import number_text
from finops_site.mail import invitations, pasted_people
from finops_site.mail.invitations import CannotChange, Invitation
from finops_site.models import Membership, Team, User
from finops_site.people.leaving import left_behind
from finops_site.people.roles import role_choices, role_name_of, role_of_groups, shown_role
from finops_site.people.team_deletion import CannotDelete, delete_team, what_stands_on
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, FormPage, ListPage, Page
from finops_site.ui.tables import BaseTable, DayColumn, StatusColumn

PEOPLE = ((_lazy("People"), "people"),)
STATES = {"active": (_lazy("Active"), "good", "circle-check"), "off": (_lazy("Switched off"), "calm", "ban")}


class PeopleTable(BaseTable):
    name = django_tables2.Column(_lazy("Person"), empty_values=())
    email = django_tables2.Column(_lazy("E-mail"))
    role = django_tables2.Column(_lazy("Role"), empty_values=(), orderable=False)
    teams = django_tables2.Column(_lazy("Teams"), empty_values=(), orderable=False)
    last_login = DayColumn(_lazy("Last here"))
    state = StatusColumn(_lazy("State"), states=STATES)

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("People")

    def render_name(self, record: User) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("person", args=[record.pk]), record)

    def value_name(self, record: User) -> str:
        return str(record)

    def render_role(self, record: User) -> str:
        return shown_role(role_of_groups(record.groups.all())) or _("none")

    def render_teams(self, record: User) -> str:
        parts = [
            _("{team} (lead)").format(team=one.team) if one.role == Membership.Role.LEAD else str(one.team)
            for one in record.memberships.all()
        ]
        return ", ".join(parts) or _("none")


class PeoplePage(ListPage):
    permission_required = "finops_site.view_user"
    title = _lazy("People")
    subtitle = _lazy("Who comes in, what her role lets her do, and whose cost she sees.")
    table_class = PeopleTable
    actions = (
        Action(_lazy("Paste a list"), "people_paste", "upload", "finops_site.add_user"),
        Action(_lazy("Invite"), "person_invite", "user-plus", "finops_site.add_user", primary=True),
    )

    def get_queryset(self) -> QuerySet[User]:
        state = Case(When(is_active=True, then=Value("active")), default=Value("off"))
        people = User.objects.annotate(state=state).order_by("email")
        return people.prefetch_related("groups__own_role", "memberships__team")


class _PlaceFields(forms.Form):
    role = forms.ChoiceField(
        required=False,
        help_text=_lazy("Finance: money; engineering: its teams; executives read; administrators run the system."),
    )
    leads = forms.ModelMultipleChoiceField(Team.objects.all(), required=False, label=_lazy("Leads"))
    member_of = forms.ModelMultipleChoiceField(Team.objects.all(), required=False, label=_lazy("Member of"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["role"]).choices = role_choices(_("no role yet"))

    def teams(self) -> dict[Team, str]:
        """Her teams and her part in each; a lead is no member beside it."""
        members = dict.fromkeys(self.cleaned_data["member_of"], Membership.Role.MEMBER)
        return {**members, **dict.fromkeys(self.cleaned_data["leads"], Membership.Role.LEAD)}


class InviteForm(_PlaceFields):
    email = forms.EmailField(label="E-mail")
    name = forms.CharField(max_length=150, required=False)
    field_order = ("email", "name", "role", "leads", "member_of")


class PersonForm(_PlaceFields):
    name = forms.CharField(max_length=150, required=False)
    is_active = forms.BooleanField(
        label=_lazy("May sign in"),
        required=False,
        help_text=_lazy("Who leaves is switched off: her sessions, tokens and links end at once."),
    )
    send_link = forms.BooleanField(label=_lazy("Send her a link to choose a password"), required=False)
    field_order = ("name", "role", "leads", "member_of", "is_active", "send_link")


class _ChangePage(FormPage):
    breadcrumbs = PEOPLE
    cancel_url_name = "people"
    success_url = reverse_lazy("people")

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                return super().form_valid(form)
        except CannotChange as error:
            for problem in error.problems:
                form.add_error(None, problem)
            return self.form_invalid(form)


class InvitePage(_ChangePage):
    permission_required = "finops_site.add_user"
    form_class = InviteForm
    title = _lazy("Invite somebody")
    subtitle = _lazy("She gets a mail with a link by which she chooses her password.")
    submit_label = _lazy("Invite")

    def save(self, form: InviteForm) -> User:
        chosen, now = form.cleaned_data, timezone.now()
        person = invitations.invite(Invitation(chosen["email"], chosen["name"], chosen["role"]), now, form.teams())
        messages.success(self.request, _("{email} is invited.").format(email=person.email))
        return person


class PersonPage(_ChangePage):
    template_name = "person.html"
    permission_required = ("finops_site.change_user", "finops_site.change_membership")
    form_class = PersonForm

    @cached_property
    def edited(self) -> User:
        return get_object_or_404(User, pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # Of somebody who is here nobody else looks after anything.
        behind = [] if self.edited.is_active else left_behind(self.edited)
        return super().get_context_data(**{"edited": self.edited, "left_behind": behind, **kwargs})

    def get_title(self) -> str:
        return str(self.edited)

    def get_subtitle(self) -> str:
        return self.edited.email

    def get_initial(self) -> dict[str, Any]:
        person = self.edited
        parts = {
            part: [one.team_id for one in person.memberships.all() if one.role == part] for part in Membership.Role
        }
        return {
            "name": person.name,
            "role": role_name_of(person),
            "is_active": person.is_active,
            "leads": parts[Membership.Role.LEAD],
            "member_of": parts[Membership.Role.MEMBER],
        }

    def save(self, form: PersonForm) -> User:
        person, chosen = self.edited, form.cleaned_data
        invitations.change_person(
            person,
            by=self.person,
            name=chosen["name"],
            role=chosen["role"],
            is_active=chosen["is_active"],
            teams=form.teams(),
        )
        if chosen["send_link"] and person.is_active:
            invitations.send_invitation(person, timezone.now())
        messages.success(self.request, _("{person} is saved.").format(person=person))
        return person


class PasteForm(forms.Form):
    text = forms.CharField(
        label=_lazy("People"),
        required=False,
        widget=forms.Textarea({"rows": 10}),
        help_text=_lazy(
            "A line each, from a spreadsheet or a CSV: e-mail, name, role, team, lead or member, cost "
            "centre. A team that is not there yet is made."
        ),
    )
    file = forms.FileField(label=_lazy("Or a CSV file"), required=False)


class PastePage(_ChangePage):
    permission_required = ("finops_site.add_user", "finops_site.add_team")
    form_class = PasteForm
    title = _lazy("Invite many")
    subtitle = _lazy("All of them are invited, or, where a line is wrong, nobody.")
    submit_label = _lazy("Invite all")

    def save(self, form: PasteForm) -> list[User]:
        text, file = form.cleaned_data["text"], form.cleaned_data["file"]
        if file and text.strip():
            raise CannotChange(_("Paste a list or choose a file, not both: nobody was invited."))
        if file:
            try:
                text = file.read(5 << 20).decode("utf-8-sig")
            except UnicodeDecodeError:
                raise CannotChange(_("The file is not UTF-8 text.")) from None
        people = pasted_people.invite_all(text, timezone.now())
        messages.success(
            self.request,
            ngettext("{count} person is invited.", "{count} people are invited.", len(people)).format(
                count=number_text(len(people))
            ),
        )
        return people


class TeamsTable(BaseTable):
    name = django_tables2.Column(_lazy("Team"))
    parent = django_tables2.Column(_lazy("Below"))
    cost_center = django_tables2.Column(_lazy("Cost centre"))
    members = django_tables2.Column(_lazy("People"), empty_values=(), orderable=False)

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Teams")

    def render_name(self, record: Team) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("people_team", args=[record.pk]), record)

    def value_name(self, record: Team) -> str:
        return record.name

    def render_members(self, record: Team) -> str:
        return ", ".join(str(one.user) for one in record.memberships.all()) or _("nobody")


class TeamsPage(ListPage):
    permission_required = "finops_site.change_team"
    title = _lazy("Teams and their people")
    breadcrumbs = PEOPLE
    table_class = TeamsTable
    actions = (Action(_lazy("Add a team"), "people_team_add", "plus", "finops_site.add_team", primary=True),)

    def get_queryset(self) -> QuerySet[Team]:
        return Team.objects.select_related("parent").prefetch_related("memberships__user").order_by("name")


class TeamForm(forms.ModelForm):
    class Meta:
        model = Team
        fields = ["name", "cost_center", "parent", "email"]


class TeamPage(FormPage):
    template_name = "people_team.html"
    permission_required = ("finops_site.add_team", "finops_site.change_team")
    model = Team
    form_class = TeamForm
    breadcrumbs = (*PEOPLE, (_lazy("Teams"), "people_teams"))
    cancel_url_name = "people_teams"
    success_url = reverse_lazy("people_teams")
    success_message = _lazy("The team is saved.")

    def get_title(self) -> str:
        return Team.objects.get(pk=self.object.pk).name if self.object else _("Add a team")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {"instance": None, **super().get_form_kwargs()}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        held = ", ".join(what_stands_on(self.object)) if self.object else ""
        return super().get_context_data(**{"stands_on_it": held, **kwargs})


class DeleteTeam(Page, View):
    permission_required = TeamPage.permission_required

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        team = get_object_or_404(Team.objects.visible_to(self.person), pk=pk)
        try:
            delete_team(team)
        except CannotDelete as error:
            messages.error(request, str(error))
            return redirect("people_team", pk)
        messages.success(request, _("The team {team} is deleted.").format(team=team))
        return redirect("people_teams")
