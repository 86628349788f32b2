"""Files that are too large to wait for: a job makes them, one at a time, for whoever asked and still may see it."""

from datetime import timedelta

import openpyxl
import pytest
from django.utils import timezone

from costs.models import AccountGroup
from finops_site.exports import jobs, page_files
from finops_site.files.product import product_files
from finops_site.lib.file_rows import rows_written
from finops_site.models import AuditEntry, Export, Membership, Notification, OutgoingEmail, Team
from finops_site.tasks import remove_old_exports, resume_exports, write_export
from tests.people import signed_in, token_of

pytestmark = pytest.mark.django_db

# The four teams of the demo: more rows than anybody waits for here.
TEAMS = "/people/teams/"
CSV = f"{TEAMS}?_export=csv"
HERS = "/costs/account-groups/?_export=csv"
State = Export.State


@pytest.fixture(autouse=True)
def few_rows(settings, tmp_path):
    settings.FINOPS_EXPORT_ROWS, settings.FINOPS_VAR = 2, tmp_path


@pytest.fixture(autouse=True)
def groups(few_rows):
    """Of accounts: what fay has many of."""
    AccountGroup.objects.bulk_create(AccountGroup(name=name) for name in "abc")


@pytest.fixture(autouse=True)
def queue(monkeypatch):
    """The jobs that were queued, in order."""
    queued = []
    monkeypatch.setattr(write_export, "delay_on_commit", queued.append)
    monkeypatch.setattr(write_export, "delay_or_wait", queued.append)
    return queued


def ask_for(person, address=CSV):
    """What she gets who clicks on a file: the job, and the page it leads to."""
    answer = signed_in(person).get(address)
    assert answer.status_code == 302, answer.status_code
    job = Export.objects.order_by("-pk").first()
    assert answer["Location"] == f"/exports/{job.pk}/"
    return job


def made(person, address=CSV):
    job = ask_for(person, address)
    write_export(job.pk)
    job.refresh_from_db()
    assert job.state == State.READY, job.problem
    return job


def body(answer):
    return b"".join(answer.streaming_content).decode("utf-8-sig")


def test_a_large_file_is_a_job_and_the_same_bytes_as_the_one_that_is_waited_for(ada, settings, queue):
    job = ask_for(ada)
    assert queue == [job.pk]
    browser = signed_in(ada)
    page = browser.get(f"/exports/{job.pk}/").content.decode()
    assert "In line" in page
    assert "Cancel" in page
    write_export(job.pk)
    job.refresh_from_db()
    count = Team.objects.count()
    assert (job.state, job.rows, job.rows_expected, job.percent) == (State.READY, count, count + 1, 100)
    answer = browser.get(f"/exports/{job.pk}/file/")
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert answer["Content-Type"].startswith("text/csv")
    settings.FINOPS_EXPORT_ROWS = 1000
    assert body(answer) == body(browser.get(CSV))
    assert "Download" in browser.get(f"/exports/{job.pk}/").content.decode()
    assert job.file_name in browser.get("/exports/").content.decode()


def test_a_workbook_and_a_file_of_unknown_length_are_jobs_too(ada, fay, monkeypatch):
    job = made(ada, f"{TEAMS}?_export=xlsx")
    workbook = product_files().file_here(jobs.place_of(job))
    assert openpyxl.load_workbook(workbook.open("rb")).active.max_row == Team.objects.count() + 1
    few = signed_in(fay).get("/costs/?_export=csv")
    assert few.status_code == 200, "an answer without rows is streamed as ever"


def test_who_asks_for_the_same_again_gets_the_same_job_and_others_wait_in_line(ada, fay, queue):
    first = ask_for(ada)
    assert ask_for(ada, f"{TEAMS}?_export=csv") == first
    second, hers = ask_for(ada, f"{TEAMS}?_export=xlsx"), ask_for(fay, HERS)
    assert queue == [first.pk, second.pk, hers.pk]
    Export.objects.filter(pk=first.pk).update(state=State.WRITING, heard_at=timezone.now(), attempt=1)
    for waiting in (second, hers):
        write_export(waiting.pk)
        waiting.refresh_from_db()
        assert waiting.state == State.WAITING
    assert "1 file is made before it." in signed_in(ada).get(f"/exports/{second.pk}/").content.decode()
    assert first.is_open
    jobs.cancel(first, timezone.now())
    assert queue[-1] == second.pk, "the next in line begins"


def test_two_people_are_served_beside_each_other_where_the_site_has_room_and_one_person_never(ada, fay, settings):
    settings.FINOPS_EXPORTS_AT_ONCE = 3
    first, second, hers = ask_for(ada), ask_for(ada, f"{TEAMS}?_export=xlsx"), ask_for(fay, HERS)
    Export.objects.filter(pk=first.pk).update(state=State.WRITING, heard_at=timezone.now(), attempt=1)
    write_export(second.pk)
    write_export(hers.pk)
    assert [Export.objects.get(pk=job.pk).state for job in (second, hers)] == [State.WAITING, State.READY]


def test_nobody_queues_more_than_ten(ada, queue):
    for number in range(jobs.MOST_OPEN):
        Export.objects.create(person=ada, address=f"/{number}", address_hash=str(number))
    answer = signed_in(ada).get(CSV, follow=True)
    assert answer.redirect_chain == [("/exports/", 302)]
    assert "10 of your files wait" in answer.content.decode()
    assert queue == []


def test_only_who_asked_gets_it_and_only_while_she_may_see_as_much(ada, fay):
    job = made(ada)
    assert signed_in(fay).get(f"/exports/{job.pk}/").status_code == 404
    assert signed_in(fay).get(f"/exports/{job.pk}/file/").status_code == 404
    assert signed_in(ada).get(f"/exports/{job.pk}/file/").status_code == 200
    Membership.objects.create(user=ada, team=Team.objects.first())
    refused = signed_in(ada).get(f"/exports/{job.pk}/file/", follow=True)
    assert "What you may see has changed" in refused.content.decode()
    assert "Download" not in refused.content.decode()
    api = signed_in(ada).get(f"/api/v1/exports/{job.pk}/file/")
    assert (api.status_code, "has changed" in api.json()["detail"]) == (403, True)
    Membership.objects.filter(user=ada).delete()
    ada.groups.clear()
    assert signed_in(ada).get(f"/exports/{job.pk}/file/").status_code == 302


def test_what_she_may_not_open_any_more_when_its_turn_comes_is_not_made(ada):
    job = ask_for(ada)
    ada.groups.clear()
    write_export(job.pk)
    job.refresh_from_db()
    assert (job.state, "not yours to open" in job.problem) == (State.FAILED, True)
    other = Export.objects.create(person=ada, address=CSV, address_hash="x")
    ada.is_active = False
    ada.save()
    write_export(other.pk)
    other.refresh_from_db()
    assert "switched off" in other.problem


def test_a_job_that_is_cancelled_while_it_is_written_leaves_nothing(ada, monkeypatch):
    job = ask_for(ada)

    def cancelled_meanwhile(user, address):
        jobs.cancel(job, timezone.now())
        rows_written(1)
        return page_files.PageFile("x.csv", "text/csv", iter([b"x"]))

    monkeypatch.setattr(jobs, "SAVED_EVERY_SECONDS", 0)
    monkeypatch.setattr(jobs, "open_file", cancelled_meanwhile)
    write_export(job.pk)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert product_files().list(jobs.FOLDER) == {}
    assert "Cancelled" in signed_in(ada).get(f"/exports/{job.pk}/").content.decode()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "no room to write it"),
        (MemoryError(), "an administrator sees why"),
        (ZeroDivisionError(), "an administrator sees why"),
    ],
)
def test_whatever_goes_wrong_is_said_and_nothing_is_written_for_ever(ada, monkeypatch, error, words, queue):
    job, behind = ask_for(ada), ask_for(ada, f"{TEAMS}?_export=xlsx")

    def broken(user, address):
        raise error

    monkeypatch.setattr(jobs, "open_file", broken)
    write_export(job.pk)
    job.refresh_from_db()
    assert (job.state, words in job.problem) == (State.FAILED, True)
    assert queue[-1] == behind.pk, "the next one begins"


def test_a_file_whose_worker_was_killed_is_made_by_another_and_given_up_after_three(ada, queue):
    job = ask_for(ada)
    now = timezone.now()
    queue.clear()
    Export.objects.filter(pk=job.pk).update(state=State.WRITING, heard_at=now, attempt=1)
    assert resume_exports() == 0, "it is alive"
    Export.objects.filter(pk=job.pk).update(heard_at=now - timedelta(minutes=2))
    assert (resume_exports(), queue) == (1, [job.pk])
    write_export(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.READY, 2)
    Export.objects.filter(pk=job.pk).update(state=State.WRITING, heard_at=now - timedelta(minutes=2), attempt=3)
    write_export(job.pk)
    job.refresh_from_db()
    assert (job.state, "ended 3 times" in job.problem) == (State.FAILED, True)


def test_one_whose_worker_died_stands_in_nobodys_way(ada):
    dead, job = ask_for(ada), ask_for(ada, f"{TEAMS}?_export=xlsx")
    long_ago = timezone.now() - timedelta(minutes=2)
    Export.objects.filter(pk=dead.pk).update(state=State.WRITING, heard_at=long_ago, attempt=1)
    write_export(job.pk)
    assert [Export.objects.get(pk=one.pk).state for one in (dead, job)] == [State.WAITING, State.READY]


def test_the_worker_that_was_taken_over_changes_nothing(ada, monkeypatch):
    job = ask_for(ada)
    real = jobs.open_file

    def slow(user, address):
        Export.objects.filter(pk=job.pk).update(attempt=2)
        return real(user, address)

    monkeypatch.setattr(jobs, "open_file", slow)
    write_export(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.file_name) == (State.WRITING, 2, "")


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_the_worker_that_was_taken_over_leaves_the_file_of_the_other_alone(ends, ada, monkeypatch):
    job = ask_for(ada)
    real = jobs.open_file

    def slow(user, address):
        Export.objects.filter(pk=job.pk).update(heard_at=timezone.now() - timedelta(minutes=2))
        monkeypatch.setattr(jobs, "open_file", real)
        write_export(job.pk)
        if ends == "badly":
            raise OSError
        return real(user, address)

    monkeypatch.setattr(jobs, "open_file", slow)
    write_export(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.READY, 2)
    assert list(product_files().list(jobs.FOLDER)) == [jobs.place_of(job)]
    assert signed_in(ada).get(f"/exports/{job.pk}/file/").status_code == 200


def test_a_task_that_the_broker_lost_is_found_by_the_sweep(ada, queue):
    job = ask_for(ada)
    queue.clear()
    resume_exports()
    assert queue == [job.pk]


def test_a_mail_says_that_it_is_ready_where_she_waited_for_long(ada):
    quick, slow = ask_for(ada), ask_for(ada, f"{TEAMS}?_export=xlsx")
    Export.objects.filter(pk=slow.pk).update(asked_at=timezone.now() - timedelta(minutes=2))
    write_export(quick.pk)
    write_export(slow.pk)
    mail = OutgoingEmail.objects.get(kind="export-ready")
    assert (mail.to, mail.subject) == (ada.email, "Your file is ready: Teams and their people")
    assert f"/exports/{slow.pk}/" in bytes(mail.content).decode()
    assert Notification.objects.get(user=ada, kind="export-ready").url == f"/exports/{slow.pk}/"


def test_the_log_has_that_it_was_asked_for_and_that_it_was_fetched(ada):
    job = made(ada)
    signed_in(ada).get(f"/exports/{job.pk}/file/")
    by_ada = AuditEntry.objects.filter(actor=ada.pk)
    assert by_ada.get(action="export").name == CSV
    assert by_ada.get(action="download", through=f"/exports/{job.pk}/file/").name == job.file_name


def test_files_go_after_a_week_and_with_who_leaves(ada, fay):
    old, new = made(ada), made(fay, HERS)
    Export.objects.filter(pk=old.pk).update(asked_at=timezone.now() - timedelta(days=8))
    product_files().work_folder(f"{jobs.FOLDER}/999999").mkdir()
    assert remove_old_exports() == 1
    assert product_files().folders(jobs.FOLDER) == {str(new.pk)}
    from finops_site.people.leaving import leave

    leave(fay)
    assert (Export.objects.count(), product_files().folders(jobs.FOLDER)) == (0, set())


def test_a_file_that_is_gone_is_said(ada):
    job = made(ada)
    product_files().remove(jobs.place_of(job))
    answer = signed_in(ada).get(f"/exports/{job.pk}/file/", follow=True).content.decode()
    assert "not kept any more" in answer
    assert "Make it again" in answer
    again = signed_in(ada).post(f"/exports/{job.pk}/again/")
    assert again["Location"] == f"/exports/{Export.objects.latest('pk').pk}/"
    assert Export.objects.count() == 2


def test_a_question_that_takes_as_long_as_a_page_may_becomes_a_job(fay, monkeypatch):
    from finops_site.lib.answer_time import TookTooLong

    def slow(*_ignored, **_options):
        raise TookTooLong

    monkeypatch.setattr("costs.web.views.explorer.csv_download", slow)
    answer = signed_in(fay).get("/costs/?_export=csv")
    assert (answer.status_code, Export.objects.get().address) == (302, "/costs/?_export=csv")
    assert signed_in(fay).get("/api/v1/budgets/?format=csv").status_code == 200, "the API has a door of its own"


def test_the_api_asks_follows_fetches_and_cancels(ada, fay):
    program = signed_in(ada)
    answer = program.post("/api/v1/exports/", {"address": CSV}, content_type="application/json")
    assert (answer.status_code, answer["Location"]) == (202, f"/api/v1/exports/{answer.json()['id']}/")
    assert answer.json() | {"state": "waiting", "file": None, "percent": None} == answer.json()
    write_export(answer.json()["id"])
    ready = program.get(answer["Location"]).json()
    assert (ready["state"], ready["percent"], ready["rows"]) == ("ready", 100, Team.objects.count())
    assert body(program.get(ready["file"])).startswith("Team")
    other = program.post("/api/v1/exports/", {"address": f"{TEAMS}?_export=xlsx"}, content_type="application/json")
    assert program.delete(other["Location"]).status_code == 204
    assert program.get(other["Location"]).json()["state"] == "cancelled"
    assert signed_in(fay).get(answer["Location"]).status_code == 404
    assert [row["id"] for row in signed_in(fay).get("/api/v1/exports/").json()["results"]] == []


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/?_export=csv",
        "//elsewhere.example/",
        "/exports/",
        "/api/v1/budgets/?format=csv",
        "/people/teams/?_export=exe",
        "/people/teams/?nonsense=1&_export=csv",
        "/no/such/page/?_export=csv",
    ],
)
def test_what_is_no_file_of_hers_is_refused_at_once(ada, lea, address):
    answer = signed_in(ada).post("/api/v1/exports/", {"address": address}, content_type="application/json")
    assert (answer.status_code, bool(answer.json())) == (400, True)
    hers = signed_in(lea).post("/api/v1/exports/", {"address": "/people/?_export=csv"}, content_type="application/json")
    assert (hers.status_code, "not yours to open" in hers.json()["detail"]) == (400, True)


def test_a_token_for_other_apps_gets_no_file_of_this_one(ada, client):
    key = token_of(ada, pillars=("finops_site",))
    address = {"address": "/costs/lines/?_export=csv"}
    answer = client.post("/api/v1/exports/", address, "application/json", headers={"Authorization": f"Token {key}"})
    assert (answer.status_code, "not for costs" in answer.json()["detail"]) == (403, True)
