"""What travels is small: files compressed under names that change with them, and answers of text compressed."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

TEXT = ("text/", "application/json", "application/problem+json", "application/vnd.oai.openapi", "image/svg+xml")


class CollectedFiles(CompressedManifestStaticFilesStorage):
    """Files that `collectstatic` compressed and gave a name that says what they hold, which browsers keep for years.

    Embedded, a file that was not collected keeps its own name and is served from where it lies: run.py collects what
    our own pages load, and tests collect nothing. A server collects everything, and a name that it lacks is an error.
    """

    def stored_name(self, name: str) -> str:
        is_collected = self.hash_key(self.clean_name(name)) in self.hashed_files
        return super().stored_name(name) if is_collected or not settings.EMBEDDED else name


class CompressText(GZipMiddleware):
    """Pages, CSV and JSON travel as gzip; files that are packed already (workbooks, PDFs, Parquet) as they are.

    A page that holds a secret beside what somebody else may put into it tells its secret by its compressed length
    (BREACH). Here the secret of a form is masked anew for every answer, the length is made random by up to 100 bytes
    (Django's way), and other sites cannot ask in a person's name: her cookie is `SameSite=Lax`. An API token or a
    recovery code is shown once, as the answer to a form.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.get("Content-Type", "").startswith(TEXT):
            return super().process_response(request, response)
        return response
