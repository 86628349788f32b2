"""Receiving a bill: its files are kept as they came, and its deliveries wait to be loaded."""

import hashlib
import json
import logging
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.charges import files, zips
from costs.charges.bundles import Bundle, find_bundles, without_earlier_versions
from costs.formats.base import BadBill
from costs.ingest.workspace import full_disk_as_bad_bill, scratch_folder
from costs.models import Delivery, DeliveryFile, FetchedBill, Source
from costs.versions.decisions import same_bill, supersede_held
from finops_site.files.places import FilesUnreachable
from finops_site.files.product import product_files
from finops_site.lib.periods import Month
from finops_site.models import User
from finops_site.people.demo_rows import demo_company
from finops_site.translation import gettext_lazy as _lazy

logger = logging.getLogger(__name__)
BESIDE_DEMO = _lazy(
    "This site holds the demo company, and a bill of yours would join it. Remove the demo first, "
    "under Set up or with run.py manage remove_demo; or begin beside it: FINOPS_VAR=other "
    "PORT=8001 python3 run.py --no-demo."
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery and whether it is new; a bill that is here already is not received twice."""

    delivery: Delivery
    is_new: bool


class NotAllReceived(BadBill):
    """A part of a folder is not complete; what is complete is received, in `receipts`."""

    def __init__(self, receipts: list[Receipt], problems: Sequence[str]) -> None:
        self.receipts = receipts
        super().__init__(" ".join(problems))


def receive_bill(
    source_name: str,
    paths: Sequence[Path],
    *,
    user: User | None = None,
    month: Month | None = None,
    format: str = "auto",
    mode: str | None = None,
    bill_stopped: bool = False,
    currency: str | None = None,
    date_order: str | None = None,
    decimal_mark: str | None = None,
    is_accepted: bool = False,
    beside: Sequence[int] = (),
    is_demo: bool = False,
) -> list[Receipt]:
    """Keeps the files of a bill and returns its deliveries: those of each layout, and one for all loose files.

    With `is_accepted` they count however much they change the versions before them; they stand beside the deliveries
    `beside`, and replace nothing of those. Raises BadBill when a path holds no bill, or beside the demo company unless
    the bill `is_demo`, and NotAllReceived when what is complete in a folder is received and something else is not.
    """
    refuse_beside_demo(is_demo=is_demo)
    options = load_options(
        month=month,
        format=format,
        bill_stopped=bill_stopped,
        currency=currency,
        date_order=date_order,
        decimal_mark=decimal_mark,
    )
    # Bills without dates, such as lists of machines and of buckets: all of them are of the month that is stated.
    bundles, problems = find_bundles(paths, together=month is not None)
    if problems and not bundles:
        raise BadBill(" ".join(problems))
    name = source_name.strip()
    if not name:
        raise BadBill(_("A bill needs the name of the source it comes from."))
    if unknown := set(beside) - set(
        Delivery.objects.filter(source__name=name, pk__in=beside).values_list("pk", flat=True)
    ):
        raise BadBill(
            _("{name} has no delivery {names} that a bill could stand beside.").format(
                name=name, names=", ".join(map(str, sorted(unknown)))
            )
        )
    source, _ignored = Source.objects.get_or_create(name=name, defaults={"delivery_mode": mode or Source.Mode.REPLACE})
    if mode and source.delivery_mode != mode:
        source.delivery_mode = mode
        source.save(update_fields=["delivery_mode"])
    receipts = [
        receive_bundle(source, bundle, options, user, is_accepted=is_accepted, is_demo=is_demo) for bundle in bundles
    ]
    for receipt in receipts:
        if receipt.is_new:
            receipt.delivery.beside.add(*beside)
    if problems:
        raise NotAllReceived(receipts, problems)
    return receipts


def refuse_beside_demo(*, is_demo: bool = False) -> None:
    """Raises BadBill where a bill would join the demo company."""
    if not is_demo and demo_company():
        raise BadBill(BESIDE_DEMO)


def load_options(
    *,
    month: Month | None = None,
    format: str = "auto",
    bill_stopped: bool = False,
    currency: str | None = None,
    date_order: str | None = None,
    decimal_mark: str | None = None,
) -> dict[str, str | bool | None]:
    """What a person states about a bill that the bill does not state itself, as the delivery keeps it."""
    return {
        "month": str(month) if month else None,
        "format": format or "auto",
        "bill_stopped": bill_stopped,
        "currency": currency.upper() if currency else None,
        # Only where they are stated: the same files with the same options are the same delivery as they always were.
        **({"date_order": date_order} if date_order else {}),
        **({"decimal_mark": decimal_mark} if decimal_mark else {}),
    }


def receive_bundle(
    source: Source,
    bundle: Bundle,
    options: Mapping[str, str | bool | None],
    user: User | None = None,
    *,
    is_accepted: bool = False,
    is_demo: bool = False,
) -> Receipt:
    """Keeps the files of one delivery; raises BadBill for what cannot be a bill.

    `options` are those of the load, from `load_options`.
    """
    refuse_beside_demo(is_demo=is_demo)
    bundle = without_earlier_versions(bundle)
    if options.get("format", "auto") == "auto" and bundle.format:
        options = {**options, "format": bundle.format}
    elif options.get("format", "auto") == "auto" and bundle.export:
        # A month without commitments shows no view; what the export brought before does.
        views = set(source.streams.filter(export=bundle.export).values_list("view", flat=True))
        options = {**options, "format": "azure-amortized"} if views == {"amortized"} else options
    if options.get("format", "auto") == "auto" and bundle.view:
        options = {**options, "view": bundle.view}
    incoming = Path(settings.FINOPS_VAR) / "incoming" / uuid.uuid4().hex
    with full_disk_as_bad_bill(), scratch_folder(incoming):
        copies: list[DeliveryFile] = []
        for number, path in enumerate(bundle.files):
            if files.kind(path, path.name) == "zip":
                zips.bills_of(path, path.name)
            name = f"{number:03}-{path.name}"
            copy = incoming / name
            shutil.copyfile(path, copy)
            sha256, size = files.sha256(copy), copy.stat().st_size
            copies.append(DeliveryFile(name=path.name, path=f"delivered/{name}", sha256=sha256, bytes=size))
        receipt = _record_delivery(source, bundle, copies, incoming, options, user, is_accepted)
        if bundle.is_snapshot:
            known = {"mark": receipt.delivery.fingerprint, "delivery": receipt.delivery, "at": timezone.now()}
            FetchedBill.objects.update_or_create(source=source, name=_place_of(bundle), defaults=known)
        return receipt


def _record_delivery(
    source: Source,
    bundle: Bundle,
    copies: list[DeliveryFile],
    incoming: Path,
    options: Mapping[str, str | bool | None],
    user: User | None,
    is_accepted: bool,
) -> Receipt:
    """Writes the delivery and moves its files into its folder, both or neither."""
    # In a source that adds, a file of the same name is a newer version of the file.
    adds = source.delivery_mode == Source.Mode.APPEND
    names = bundle.name or ", ".join(sorted(file.name for file in copies))
    part = bundle.part or (names if adds else "")
    place = {"export": bundle.export[:500], "partition": bundle.partition[:200], "part": part[:1000]}
    marks = [*sorted(file.sha256 for file in copies), json.dumps(options, sort_keys=True)]
    if bundle.export or part:
        # Two exports may deliver the same file, an empty month above all, and files that add up may be alike.
        marks.append(json.dumps(place, sort_keys=True))
    fingerprint = hashlib.sha256("\n".join(marks).encode()).hexdigest()
    if bundle.is_snapshot and (earlier := _replaced_snapshot(source, bundle, fingerprint)):
        return Receipt(earlier, is_new=False)
    if bundle.is_snapshot and not (bundle.export or part) and (holder := _among_others(source, copies, options)):
        return Receipt(holder, is_new=False)
    try:
        with transaction.atomic():
            delivery = Delivery.objects.create(
                source=source,
                fingerprint=fingerprint,
                options={**options, "notes": list(bundle.notes)} if bundle.notes else options,
                received_by=user,
                expected_rows=bundle.rows,
                is_accepted=is_accepted,
                **place,
            )
            for file in copies:
                file.delivery = delivery
            DeliveryFile.objects.bulk_create(copies)
            _store_files(delivery, incoming)
    except FilesUnreachable as error:
        raise BadBill(str(error)) from error
    except IntegrityError:
        known = same_bill(source, fingerprint)
        # It came again after what was received meanwhile, so it is the newest.
        Delivery.objects.filter(pk=known.pk, status=Delivery.Status.RECEIVED).update(order_at=timezone.now())
        if known.status == Delivery.Status.CURRENT:
            # The provider took back what was held.
            supersede_held(known, came_again_at=timezone.now())
        return Receipt(known, is_new=False)
    return Receipt(delivery, is_new=True)


def _store_files(delivery: Delivery, incoming: Path) -> None:
    """Puts the files where the delivery has them; what is there from before goes aside. Raises FilesUnreachable."""
    place = product_files()
    if place.list(delivery.place):
        # From before the database was restored: neither ours to write into nor to delete.
        aside = f"{delivery.place}.left-{uuid.uuid4().hex[:8]}"
        logger.warning("%s is there already: moved to %s", delivery.place, aside)
        place.set_aside(delivery.place, aside)
    place.put_folder(incoming, f"{delivery.place}/delivered")


def _replaced_snapshot(source: Source, bundle: Bundle, fingerprint: str) -> Delivery | None:
    """The delivery of these files that a later one replaced, unless this place has held something else since."""
    if source.fetched.filter(name=_place_of(bundle)).exclude(mark=fingerprint).exists():
        return None
    return source.deliveries.filter(fingerprint=fingerprint, status=Delivery.Status.SUPERSEDED).first()


def _among_others(
    source: Source, copies: Sequence[DeliveryFile], options: Mapping[str, str | bool | None]
) -> Delivery | None:
    """The delivery that counts and holds these files among others: somebody delivered them together."""
    ours = {file.sha256 for file in copies}
    candidates = source.deliveries.filter(status=Delivery.Status.CURRENT, part="", files__sha256__in=ours).distinct()
    for delivery in candidates.order_by("-order_at"):
        stated = {name: value for name, value in delivery.options.items() if name != "notes"}
        files = set(delivery.files.values_list("sha256", flat=True))
        if ours < files and stated == dict(options):
            return delivery
    return None


def _place_of(bundle: Bundle) -> str:
    return str(bundle.files[0].resolve())[:1000]
