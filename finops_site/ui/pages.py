"""What all pages share: who may open them, whose rows they show, filters, paging and CSV.

A page is a class that names its parts. It must name its permission: leaving it out stops the site from starting, and
``permission_required = None`` says in so many words that any signed-in person may come in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.mixins import AccessMixin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.forms import BaseForm, ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.generic import DetailView, FormView, TemplateView
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.people.signed_in import signed_in_user
from finops_site.ui.downloads import csv_download, xlsx_download
from finops_site.ui.filters import active_filters
from finops_site.ui.keyset import BadCursor, KeysetPage, cursor_after, keyset_page
from finops_site.ui.spreadsheets import TooManyRows
from finops_site.ui.table_export import export_rows
from finops_site.ui.tables import BaseTable, PageData, Record


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

    title: str = "Nothing here yet"
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

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        if not hasattr(cls, "permission_required"):
            raise ImproperlyConfigured(
                f"{cls.__qualname__} must name its permission_required; None lets in all signed in"
            )
        return super().as_view(**initkwargs)  # type: ignore[misc]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.sign_in_first()
        if not _may(request.user, self.permission_required):
            raise PermissionDenied
        response = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        # The same address answers with a page or with a part of it; a cache must not mix them up.
        patch_vary_headers(response, ["HX-Request"])
        return response

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
        """(label, url name) pairs, from the top down to the page's parent."""
        return self.breadcrumbs

    def get_actions(self) -> list[Action]:
        return [action for action in self.actions if _may(self.person, action.permission)]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        crumbs = [(label, address(name)) for label, name in self.get_breadcrumbs()]
        header = {
            "title": self.get_title(),
            "subtitle": self.get_subtitle(),
            "breadcrumbs": crumbs,
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
    empty = Empty()
    export_name = ""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        export = {"csv": csv_download, "xlsx": xlsx_download}.get(request.GET.get("_export", ""))
        if export:
            try:
                rows = export_rows(self.make_table(self.ordered_rows()))
                return export(rows, self.get_export_name(), self.get_notes())
            except TooManyRows as refused:
                return HttpResponse(str(refused), status=400, content_type="text/plain; charset=utf-8")
        return super().get(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        return [self.fragment_template_name if self.wants_fragment("list") else self.template_name]

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
        return self.known.notes if self.known else ()

    def make_table(self, data: QuerySet | Sequence[Record] | PageData, **kwargs: Any) -> BaseTable:
        table = self.table_class(data, request=None, **kwargs)
        table.request = self.request
        return table

    def ordered_rows(self) -> Any:
        """All rows in the order the page shows them."""
        if self.orderings:
            return self.rows.order_by(*self._ordering())
        return self._numbered_table().data.data

    def get_table(self) -> BaseTable:
        table = self._keyset_table() if self.orderings else self._paged_table()
        table.totals = self.get_totals()
        return table

    def _keyset_table(self) -> BaseTable:
        page = self._keyset_page()
        table = self.make_table(PageData(page.rows))
        table.sorts_only_by({name.lstrip("-") for name in self.orderings})
        table.order_by = self._sort()
        table.keyset = page
        return table

    def _keyset_page(self) -> KeysetPage:
        cursors = {name: self.request.GET.get(name) for name in ("after", "before")}
        # ?page=1000, as people write it; the first page needs no cursor.
        page = self.request.GET.get("page", "")
        if page.isdecimal() and len(page) < 8 and int(page) > 1:
            cursors = {"after": self.cursor_of_page(int(page))}
            if not cursors["after"]:
                raise Http404("the list has no such page")
        try:
            return keyset_page(self.rows, self._ordering(), size=self.per_page, **cursors)
        except BadCursor as error:
            raise Http404(str(error)) from error

    def cursor_of_page(self, number: int) -> str | None:
        """Where a numbered page of a long list begins; None where the list is shorter."""
        return cursor_after(self.rows, self._ordering(), (number - 1) * self.per_page)

    def _sort(self) -> str:
        """The column the list is sorted by, with its sign; what is not on offer is the default."""
        sort = self.request.GET.get("sort", "")
        return sort if sort.lstrip("-") in {name.lstrip("-") for name in self.orderings} else self.orderings[0]

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
    submit_label = "Save"
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
            _ = self.object
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        instance = {} if self.object is None else {"instance": self.object}
        return {**super().get_form_kwargs(), **instance}

    def save(self, form: BaseForm) -> Any:
        """Does what the form is for; the returned object is where the person is sent, if it has an address."""
        return cast(ModelForm, form).save()

    def form_valid(self, form: BaseForm) -> HttpResponse:
        self.saved = self.save(form)
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
