"""Calls that change something at AWS: where and as whom, and whether one that failed was certainly not done.

A call raises one of two errors: `NotDone`, when AWS certainly did nothing, and `OutcomeUnknown`, when it may have.
Neither holds AWS's own text: it may name accounts and hold tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.utils.translation import gettext as _

from costs.models import Credential


class NotDone(Exception):
    """AWS did nothing, with the reason; or it could not be asked at all. `code`: what it answered, if it did."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


class NoSuchCall(NotDone):
    """The call was not even sent: AWS takes none with such values."""


class OutcomeUnknown(Exception):
    """No answer came, or none that shows whether it was done."""


@dataclass(frozen=True, slots=True)
class AwsAddress:
    """Where and as whom a client connects: a costs.sources.storage.CloudAddress."""

    region: str
    endpoint: str
    credential: Credential | None


@contextmanager
def call_errors() -> Iterator[None]:
    """Turns what botocore raises into NotDone or OutcomeUnknown."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "an error"))
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
            raise OutcomeUnknown(_("AWS answered {code}.").format(code=code)) from None
        raise NotDone(_("AWS answered {code}.").format(code=code), code) from None
    except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError, exceptions.NoCredentialsError) as error:
        raise NotDone(_("AWS could not be reached: {name}.").format(name=type(error).__name__)) from None
    except exceptions.ParamValidationError:
        raise NoSuchCall(_("AWS takes no such call.")) from None
    except exceptions.BotoCoreError as error:
        raise OutcomeUnknown(_("No answer came: {name}.").format(name=type(error).__name__)) from None
