"""A service queues its own follow-up: after the commit, by the task's name, and without failing anybody's request."""

import logging

import pytest
from celery.exceptions import NotRegistered
from django.db import transaction
from kombu import Connection

from finops_site.celery import FollowUpTask, app, task

SEND = "finops_site.tasks.send_outgoing_emails"


@pytest.fixture
def queued(monkeypatch):
    """What was handed to the broker."""
    arguments = []
    monkeypatch.setattr(task(SEND), "delay", lambda *args: arguments.append(args))
    return arguments


@pytest.fixture
def no_broker(monkeypatch):
    """A broker that refuses the connection, really asked."""
    nobody = Connection("redis://127.0.0.1:1/0", transport_options={"socket_connect_timeout": 1})
    follow_up = task(SEND)
    delay = lambda *args: follow_up.apply_async(args, connection=nobody, retry=False)  # noqa: E731
    monkeypatch.setattr(follow_up, "delay", delay)


def test_a_task_is_named_as_a_view_is():
    assert isinstance(task(SEND), FollowUpTask)
    assert task(SEND) is app.tasks[SEND]
    with pytest.raises(NotRegistered):
        task("finops_site.tasks.no_such_task")


@pytest.mark.django_db(transaction=True)
def test_a_follow_up_is_queued_after_the_commit_and_not_before(queued):
    with transaction.atomic():
        task(SEND).delay_on_commit(7)
        assert queued == []
    assert queued == [(7,)]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_queues_nothing(queued):
    with transaction.atomic():
        task(SEND).delay_on_commit()
        transaction.set_rollback(True)
    assert queued == []


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_the_request_goes_on_and_the_log_says_what_waits(no_broker, caplog):
    after = []
    with caplog.at_level(logging.WARNING), transaction.atomic():
        task(SEND).delay_on_commit()
        transaction.on_commit(lambda: after.append("the next callback"))
    assert after == ["the next callback"]
    assert f"no broker: {SEND}() waits for the next sweep" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_whatever_fails_in_queueing_fails_neither_the_request_nor_the_other_callbacks(monkeypatch, caplog):
    def fails(*args):
        raise RuntimeError("the message cannot be written")

    monkeypatch.setattr(task(SEND), "delay", fails)
    after = []
    with transaction.atomic():
        task(SEND).delay_on_commit()
        transaction.on_commit(lambda: after.append("the next callback"))
    assert after == ["the next callback"]
    assert "the message cannot be written" in caplog.text
