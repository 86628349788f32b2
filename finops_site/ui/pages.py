"""What all pages share: who may open them, whose rows they show, filters, paging and CSV.

A page is a class that names its parts. It must name its permission: leaving it out stops the site from starting, and
``permission_required = None`` says in so many words that any signed-in person may come in.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.mixins import AccessMixin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import QuerySet
from django.forms import BaseForm, ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.generic import DetailView, FormView, TemplateView
from django.views.generic.base import TemplateResponseMixin
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from finops_site.lib.addresses import VIEW, BadFilter, check_names, check_once, what_to_use
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import number_text
from finops_site.models import SavedView, User
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui import typed_text, unique_violations
from finops_site.ui.downloads import csv_download, refused_file, xlsx_download
from finops_site.ui.filters import active_filters, filter_names, form_problems, many_names, without
from finops_site.ui.keyset import PAGING_PARAMETERS, BadCursor, KeysetPage, cursor_after, keyset_page
from finops_site.ui.navigation import navigation
from finops_site.ui.one_export import check_size
from finops_site.ui.spreadsheets import TooManyRows
from finops_site.ui.table_export import export_rows
from finops_site.ui.tables import BaseTable, PageData, Record
from finops_site.ui.view_figures import MOST_COUNTED, ViewFigures

# No list of rows is longer; the numbers of rows beyond are none that a database knows.
FURTHEST_PAGE = 9_999_999


class NoSuchPage(Http404):
    """A long list is shorter than the page that was asked for; the message is for whoever asked."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button to somewhere, for those who hold `permission` (everybody when it is empty)."""

    label: str
    url_name: str
    icon: str = ""
    permission: str = ""
    primary: bool = False
    args: tuple[Any, ...] = ()

    @property
    def url(self) -> str:
        return address(self.url_name, *self.args)


@dataclass(frozen=True, slots=True)
class Empty:
    """What a page says when it has nothing to show yet: what belongs here and what to do next."""

    title: str = _lazy("Nothing here yet")
    text: str = ""
    icon: str = "inbox"
    action: Action | None = None

    def for_user(self, user: Person) -> dict[str, Any]:
        action = self.action if self.action and _may(user, self.action.permission) else None
        return {
            "title": self.title,
            "text": self.text,
            "icon": self.icon,
            "action_label": action.label if action else "",
            "action_url": action.url if action else "",
        }


def address(name: str, *args: Any) -> str:
    """The address of a URL name; what is an address already stays as it is."""
    return name if name.startswith("/") else reverse(name, args=args)


def _may(user: Person, permission: str | Sequence[str] | None) -> bool:
    names = [permission] if isinstance(permission, str) else list(permission or ())
    return all(user.has_perm(name) for name in names if name)


class Page(AccessMixin):
    """The door of every page: signed in, permitted, with a title, breadcrumbs and buttons."""

    request: HttpRequest
    permission_required: str | Sequence[str] | None
    title = ""
    subtitle = ""
    actions: Sequence[Action] = ()
    breadcrumbs: Sequence[tuple[str, str]] = ()
    # What of its address the page reads, and as what files it answers (``?_export=csv``): all else is refused.
    parameters: Sequence[str] = ()
    # Those of them that may have several values.
    many_parameters: Collection[str] = ()
    exports: Sequence[str] = ()
    # {parameter: its values}, where only some can be; `month` is any month.
    parameter_values: Mapping[str, Collection[str]] = {}
    # Whether it can be kept as a saved view, with its filters, order and grouping (finops_site/saved_views).
    can_be_saved = False

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        if not hasattr(cls, "permission_required"):
            raise ImproperlyConfigured(
                f"{cls.__qualname__} must name its permission_required; None lets in all signed in"
            )
        return super().as_view(**initkwargs)  # type: ignore[misc]

    @classmethod
    def opens_for(cls, user: Person) -> bool:
        """Whether a person holds what the page asks for, whatever it is about."""
        return _may(user, cls.permission_required)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.sign_in_first()
        if not _may(request.user, self.get_permission_required()):
            raise PermissionDenied
        try:
            self.check_address()
            self.check_text()
        except BadFilter as error:
            return self.refuse(error)
        response = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        # The same address answers with a page or with a part of it; a cache must not mix them up.
        patch_vary_headers(response, ["HX-Request"])
        return response

    def get_permission_required(self) -> str | Sequence[str] | None:
        """What this one request asks for, where that is not the same for every address of the page."""
        return self.permission_required

    def known_names(self) -> list[str]:
        """The names that may stand in the page's address."""
        return [*self.parameters, *(["_export"] if self.exports else []), *([VIEW] if self.can_be_saved else [])]

    def takes_name(self, name: str) -> bool:
        """Whether the page reads a name that nobody can list, as that of a tag."""
        return False

    def takes_many(self, name: str) -> bool:
        """Whether a name may stand in the address with several values; with others the last alone would be read."""
        return name in self.many_parameters

    def check_address(self) -> None:
        """Raises BadFilter for what nobody here reads: the answer would be about more than was asked."""
        if self.request.method not in ("GET", "HEAD"):
            return
        check_names(self.request.GET, self.known_names(), self.takes_name)
        check_once(self.request.GET.lists(), self.takes_many)
        export = self.request.GET.get("_export", "")
        if export and export not in self.exports:
            raise BadFilter(
                _("There is no file {export!r} of this page: use {names}.").format(
                    export=export[:80], names=", ".join(self.exports)
                )
            )
        for name, values in self.parameter_values.items():
            for value in filter(None, self.request.GET.getlist(name)):
                if value not in values:
                    raise BadFilter(
                        _("{value!r} is no {name} here: use {names}.").format(
                            value=value[:80], name=name, names=", ".join(values)
                        )
                    )
        if self.can_be_saved and self.request.GET.get(VIEW) and self.opened_view is None:
            raise BadFilter(_("There is no such saved view any more, or it is not shared with you."))
        if "month" in self.parameters and self.request.GET.get("month"):
            try:
                Month.parse(self.request.GET["month"])
            except ValueError as error:
                raise BadFilter(str(error)) from None

    def check_text(self) -> None:
        """Raises BadFilter for what is sent and no database stores; of forms, their fields say so themselves."""
        sent = self.request.POST.lists() if self.request.method == "POST" and not isinstance(self, FormView) else ()
        if any("\0" in value for _ignored, values in sent for value in values):
            raise BadFilter(_("What was sent has a character in it that is none of a text (NUL)."))

    def _is_known(self, name: str) -> bool:
        try:
            check_names([name], self.known_names(), self.takes_name)
        except BadFilter:
            return False
        return True

    def refuse(self, error: BadFilter) -> HttpResponse:
        """The reason, as a page with the way to what can be asked, or as a line of text where a file was wanted."""
        if "_export" in self.request.GET or not isinstance(self, TemplateResponseMixin):
            return refused_file([str(error)])
        given = self.request.GET.lists()
        wrong = [
            name
            for name, values in given
            if not self._is_known(name) or name == VIEW or (len(set(values)) > 1 and not self.takes_many(name))
        ]
        url = self.request.path + (without(self.request.GET, wrong) if wrong else "")
        context = {"title": self.title, "reason": str(error), "url": url}
        opened = self.opened_view if self.can_be_saved else None
        return render(self.request, "refused.html", {**context, "opened": opened}, status=400)

    @cached_property
    def opened_view(self) -> SavedView | None:
        """The saved view that the page was opened as, of those that she sees."""
        number = self.request.GET.get(VIEW, "")
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            return None
        return SavedView.objects.visible_to(self.person).select_related("owner").filter(pk=int(number)).first()

    def state(self) -> QueryDict:
        """What its address asks, with the usual values of what it leaves out where the page knows them."""
        return self.request.GET

    def view_query(self) -> str:
        """What of its address makes a saved view of it: filters, order and grouping, in one order, without paging."""
        left_out = {*PAGING_PARAMETERS, VIEW, "_export"}
        chosen = QueryDict(mutable=True)
        for name, values in sorted(self.state().lists()):
            # An empty value asks nothing, but where one of several may be empty.
            values = [value for value in values if value or self.takes_many(name)]
            if name not in left_out and values:
                chosen.setlist(name, list(dict.fromkeys(values)))
        return chosen.urlencode()

    def get_figures(self) -> ViewFigures:
        """What it shows in short, as a saved view; for pages that can be saved."""
        raise NotImplementedError

    @property
    def person(self) -> User:
        """Who looks: `dispatch` has made sure that somebody is signed in."""
        return signed_in_user(self.request)

    def sign_in_first(self) -> HttpResponseBase:
        response = self.handle_no_permission()
        return HttpResponseClientRedirect(response["Location"]) if self.request.htmx else response  # type: ignore[attr-defined]

    def get_title(self) -> str:
        return self.title

    def get_subtitle(self) -> str:
        return self.subtitle

    def get_breadcrumbs(self) -> Sequence[tuple[str, str]]:
        """(label, url name) pairs, from the top down to the page's parent; the sidebar's entry may be left out."""
        return self.breadcrumbs

    def get_actions(self) -> list[Action]:
        return [action for action in self.actions if _may(self.person, action.permission)]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        crumbs = [(label, address(name)) for label, name in self.get_breadcrumbs()]
        header = {
            "title": self.get_title(),
            "subtitle": self.get_subtitle(),
            "breadcrumbs": navigation(self.request).breadcrumbs(crumbs),
            "actions": self.get_actions(),
        }
        return super().get_context_data(**{**header, **kwargs})  # type: ignore[misc]

    def wants_fragment(self, target: str) -> bool:
        """Whether htmx asks for the part of the page with the id `target` only."""
        htmx = self.request.htmx  # type: ignore[attr-defined]
        return bool(htmx) and htmx.target == target and not htmx.history_restore_request


class _VisibleRows:
    """Rows of `model` (or `queryset`) that the person may see."""

    model: Any = None
    queryset: QuerySet | None = None

    def get_queryset(self) -> QuerySet:
        rows = self.model._default_manager.all() if self.queryset is None else self.queryset.all()
        return rows.visible_to(self.person)  # type: ignore[attr-defined, union-attr]


class ListPage(_VisibleRows, Page, TemplateView):
    """A filter bar, a table, its CSV or workbook (``?_export=csv``, ``=xlsx``), its paging; htmx asks for ``#list``.

    Set `model` (or override `get_queryset`), `table_class`, and as needed `filterset_class` and `empty`.
    `orderings` makes it a long list: pages are then reached by cursor and only those columns sort, the first one
    (with its sign) by default. Without it the list is counted and numbered.
    `fragment_template_name` draws what a change of filter replaces: the table, and a chart above it if you like.
    """

    template_name = "list.html"
    fragment_template_name = "includes/list.html"
    table_class: type[BaseTable]
    filterset_class: Any = None
    orderings: Sequence[str] = ()
    per_page = 50
    exports: Sequence[str] = ("csv", "xlsx")
    empty = Empty()
    export_name = ""
    can_be_saved = True

    def known_names(self) -> list[str]:
        own = filter_names(self.filterset_class) if self.filterset_class else ()
        # A cursor is that of a long list: one that is numbered would not read it.
        return [*own, *super().known_names(), *(PAGING_PARAMETERS if self.orderings else ["page"]), "sort"]

    def takes_many(self, name: str) -> bool:
        own = many_names(self.filterset_class) if self.filterset_class else ()
        return name in own or (name == "sort" and not self.orderings) or super().takes_many(name)

    def check_address(self) -> None:
        super().check_address()
        page, columns = self.request.GET.get("page", ""), self.sortable_columns()
        if page and not re.fullmatch("-?[0-9]{1,20}", page):
            raise BadFilter(_("page: {page!r} is no number of a page.").format(page=page[:80]))
        for sort in filter(None, self.request.GET.getlist("sort")):
            if sort.removeprefix("-") not in columns:
                use = what_to_use(sort.removeprefix("-"), columns) or _("it has one order.")
                raise BadFilter(_("{sort!r} is no column to sort this list by: {use}").format(sort=sort[:80], use=use))

    def sortable_columns(self) -> list[str]:
        """The columns that the list may be sorted by."""
        if self.orderings:
            return [name.removeprefix("-") for name in self.orderings]
        usual = self.table_class._meta.orderable
        columns = self.table_class.base_columns.items()
        return [name for name, column in columns if (usual if column.orderable is None else column.orderable)]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        export = {"csv": csv_download, "xlsx": xlsx_download}.get(request.GET.get("_export", ""))
        if export:
            if self.get_problems():
                return refused_file(self.get_problems())
            try:
                table = self.export_table()
                check_size(table.data.data)
                return export(export_rows(table), self.get_export_name(), self.get_notes())
            except TooManyRows as refused:
                return refused_file([str(refused)])
        return super().get(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        return ["includes/list_part.html" if self.wants_fragment("list") else self.template_name]

    @cached_property
    def filterset(self) -> Any:
        if self.filterset_class is None:
            return None
        return self.filterset_class(self.request.GET, queryset=self.get_queryset(), request=self.request)

    @cached_property
    def rows(self) -> Any:
        """What the filters leave; nothing where a filter cannot be read, rather than everything."""
        if self.filterset is None:
            return self.get_queryset()
        return self.filterset.qs if self.filterset.is_valid() else self.get_queryset().none()

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> HttpResponse:
        """A page whose filters cannot be read is refused; the part that htmx asks for is drawn, with the reason."""
        if context["problems"] and not self.wants_fragment("list"):
            response_kwargs.setdefault("status", 400)
        return super().render_to_response(context, **response_kwargs)

    def get_problems(self) -> list[str]:
        """Why the filters cannot be read, in sentences."""
        if self.filterset is None or self.filterset.is_valid():
            return []
        return form_problems(self.filterset.form)

    def get_unmatched(self) -> Sequence[str]:
        """Sentences about values of the filters that nothing has."""
        return ()

    def get_figures(self) -> ViewFigures:
        """How many rows the filters leave, or why they cannot be read."""
        if problems := self.get_problems():
            return ViewFigures(problems=problems)
        rows = self.rows
        count = rows.order_by()[: MOST_COUNTED + 1].count() if isinstance(rows, QuerySet) else len(rows)
        has_more = count > MOST_COUNTED
        return ViewFigures(count=min(count, MOST_COUNTED), has_more=has_more, notes=list(self.get_notes()))

    def get_totals(self) -> list[dict[str, Any]]:
        """The rows of sums under the table, one for each currency: ``total_rows(self.rows.totals())``."""
        return []

    @cached_property
    def known(self) -> Any:
        """What is known of the days of the rows, where they are about cost: `costs.query.known_until.KnownDays`.

        It stands above the table, and its notes in the CSV and the workbook.
        """
        return None

    def get_notes(self) -> Sequence[str]:
        """What the rows lack, in sentences, for files."""
        return [*self.get_unmatched(), *(self.known.notes if self.known else ())]

    def make_table(self, data: QuerySet | Sequence[Record] | PageData, **kwargs: Any) -> BaseTable:
        table = self.table_class(data, request=None, **kwargs)
        table.request = self.request
        return table

    def ordered_rows(self) -> Any:
        """All rows in the order the page shows them."""
        if self.orderings:
            return self.rows.order_by(*self._ordering())
        return self._numbered_table().data.data

    def export_table(self) -> BaseTable:
        """The table of its files: all rows, in the order of the page."""
        return self.make_table(self.ordered_rows())

    def get_table(self) -> BaseTable:
        table = self._keyset_table() if self.orderings else self._paged_table()
        table.totals = self.get_totals()
        return table

    def _keyset_table(self) -> BaseTable:
        page = self._keyset_page()
        table = self.make_table(PageData(page.rows))
        table.sorts_only_by(set(self.sortable_columns()))
        table.order_by = self._sort()
        table.keyset = page
        return table

    def _keyset_page(self) -> KeysetPage:
        cursors = {name: self.request.GET.get(name) for name in ("after", "before")}
        # ?page=1000, as people write it; the first page needs no cursor.
        page = int(self.request.GET.get("page") or 1)
        if page != 1:
            cursors = {"after": self.cursor_of_page(page) if 1 < page <= FURTHEST_PAGE else None}
            if not cursors["after"]:
                raise NoSuchPage(
                    _("The list is shorter: it has no page {page}. Begin at its first one, or filter it.").format(
                        page=number_text(page)
                    )
                )
        try:
            return keyset_page(self.rows, self._ordering(), size=self.per_page, **cursors)
        except BadCursor as error:
            raise Http404(str(error)) from error

    def cursor_of_page(self, number: int) -> str | None:
        """Where a numbered page of a long list begins; None where the list is shorter."""
        return cursor_after(self.rows, self._ordering(), (number - 1) * self.per_page)

    def _sort(self) -> str:
        """The column the list is sorted by, with its sign."""
        return self.request.GET.get("sort") or self.orderings[0]

    def _ordering(self) -> list[str]:
        sort = self._sort()
        return [sort, "-id" if sort.startswith("-") else "id"]

    def _numbered_table(self) -> BaseTable:
        table = self.make_table(self.rows)
        if sort := self.request.GET.getlist("sort"):
            table.order_by = sort
        return table

    def _paged_table(self) -> BaseTable:
        table = self._numbered_table()
        table.paginator = Paginator(table.rows, self.per_page)
        table.page = table.paginator.get_page(self.request.GET.get("page"))
        return table

    def get_export_name(self) -> str:
        return self.export_name or self.get_title().lower().replace(" ", "-") or "list"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        table = self.get_table()
        filtered = self.filterset is not None and bool(active_filters(self.filterset, self.request.GET))
        context = {
            "table": table,
            "filterset": self.filterset,
            "is_filtered": filtered,
            "problems": self.get_problems(),
            "unmatched": self.get_unmatched(),
            "is_empty": not len(table.paginated_rows),
            "empty": self.empty.for_user(self.person),
            "fragment_template": self.fragment_template_name,
            "known": self.known,
        }
        return super().get_context_data(**{**context, **kwargs})


class DetailPage(_VisibleRows, Page, DetailView):
    """One object; somebody else's is 404."""

    def get_title(self) -> str:
        return self.title or str(self.object)


class FollowedPage(DetailPage):
    """One object on which work may be under way: ``?progress=1`` asks how far it is, and draws it anew after that.

    Override `progress`: what includes/progress.html draws, None while nothing is under way.
    """

    parameters = ("progress",)

    def progress(self) -> dict[str, Any] | None:
        raise NotImplementedError

    @property
    def asks_progress(self) -> bool:
        return bool(self.request.htmx and self.request.GET.get("progress"))  # type: ignore[attr-defined]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().get(request, *args, **kwargs)
        ended = self.asks_progress and response.context_data["progress"] is None  # type: ignore[attr-defined]
        return HttpResponseClientRefresh() if ended else response

    def get_template_names(self) -> list[str]:
        return ["includes/progress.html"] if self.asks_progress else [self.template_name]  # type: ignore[list-item]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"progress": self.progress(), **kwargs})


class FormPage(Page, FormView):
    """A form that does one thing: override `save`. With `model` and a pk in the address it edits a visible object."""

    template_name = "form.html"
    model: Any = None
    submit_label = _lazy("Save")
    cancel_url_name = ""
    success_message = ""

    @cached_property
    def object(self) -> Any:
        if self.model is None or "pk" not in self.kwargs:
            return None
        row = self.model._default_manager.visible_to(self.person).filter(pk=self.kwargs["pk"]).first()
        if row is None:
            raise Http404
        return row

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            # Somebody else's object is not found even for those who may not edit their own.
            _ignored = self.object
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        instance = {} if self.object is None else {"instance": self.object}
        return {**super().get_form_kwargs(), **instance}

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        typed_text.fill(self.request, form)
        return form

    def save(self, form: BaseForm) -> Any:
        """Does what the form is for; the returned object is where the person is sent, if it has an address."""
        return cast(ModelForm, form).save()

    def form_valid(self, form: BaseForm) -> HttpResponse:
        try:
            self.saved = self.save(form)
        except IntegrityError as error:
            # Only the database knows what was saved a moment before, or what this person may not see.
            if not (reason := unique_violations.reason_of(error)):
                raise
            form.add_error(None, reason)
            return self.render_to_response(self.get_context_data(form=form), status=409)
        if self.success_message:
            messages.success(self.request, self.success_message)
        return super().form_valid(form)

    def get_success_url(self) -> str:
        if self.success_url:
            return str(self.success_url)
        return self.saved.get_absolute_url()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        cancel = address(self.cancel_url_name) if self.cancel_url_name else ""
        extra = {"submit_label": self.submit_label, "cancel_url": cancel, "object": self.object}
        return super().get_context_data(**{**extra, **kwargs})
