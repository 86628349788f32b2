"""Groups of accounts: an account is in one group at most, so that the groups and the rest sum to the bill."""

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from costs.models import AccountGroup, Dimension, GroupedAccount


class BadGroup(ValueError):
    """Accounts that cannot be in a group; the message says why."""


def read_accounts(text: str) -> list[str]:
    """Accounts as people write them, one a line, by the id or the name that bills have.

    What no bill has stays as it is written. Raises BadGroup for a name that several accounts have.
    """
    written = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    known = Dimension.objects.filter(name="sub_account")
    ids = set(known.filter(value__in=written).values_list("value", flat=True))
    by_name: dict[str, list[str]] = {}
    for account, label in known.filter(label__in=written).values_list("value", "label"):
        by_name.setdefault(label, []).append(account)
    for name in written:
        if name not in ids and len(by_name.get(name, ())) > 1:
            raise BadGroup(
                _("{name!r} are several accounts: write the id, {names}.").format(
                    name=name, names=" or ".join(by_name[name])
                )
            )
    accounts = [name if name in ids else by_name.get(name, [name])[0] for name in written]
    if too_long := [account for account in accounts if len(account) > 200 or "\0" in account]:
        raise BadGroup(_("{value!r} is no account.").format(value=too_long[0][:40]))
    return list(dict.fromkeys(accounts))


def check_free(group: AccountGroup, accounts: Iterable[str]) -> None:
    """Raises BadGroup for an account that is in another group than this one."""
    elsewhere = GroupedAccount.objects.filter(account__in=list(accounts)).exclude(group=group.pk)
    if taken := elsewhere.select_related("group").first():
        raise BadGroup(
            _("{account} is in the group {group} already: take it out there first.").format(
                account=taken.account, group=taken.group
            )
        )


def save_group(group: AccountGroup, accounts: Iterable[str]) -> None:
    """The group with these accounts and no others. Raises BadGroup for one that is in another group."""
    wanted = list(accounts)
    with transaction.atomic():
        group.save()
        check_free(group, wanted)
        group.accounts.exclude(account__in=wanted).delete()
        there = set(group.accounts.values_list("account", flat=True))
        # One by one: the audit log hears nothing of rows that are made together.
        for account in wanted:
            if account not in there:
                GroupedAccount.objects.create(group=group, account=account)


def remove_group(group: AccountGroup) -> None:
    """Takes the group away: its accounts are in none then."""
    AccountGroup.objects.filter(pk=group.pk).delete()
