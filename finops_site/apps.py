"""The ground floor as a Django app, and as the first of the pillars: it declares its own the way they do."""

from celery.schedules import crontab
from django.apps import apps
from django.conf import settings
from django.db.backends.signals import connection_created
from django.db.models.signals import class_prepared, post_migrate
from django.utils import translation

from finops_site.audited import AUDITED, NOT_AUDITED
from finops_site.field_names import translate_names
from finops_site.lib import language
from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, FINANCE
from finops_site.pillars import Ability, PillarConfig, beat_schedule, enum_names
from finops_site.translation import gettext_lazy as _lazy

# Before any model is read: each has its names from the beginning.
class_prepared.connect(translate_names, dispatch_uid="finops_site.field_names")


class FinopsSiteConfig(PillarConfig):
    name = "finops_site"
    verbose_name = _lazy("People")
    audited = AUDITED
    not_audited = NOT_AUDITED
    permissions = {
        EVERYBODY: {"finops_site.view_team"},
        ADMINISTRATOR: {
            "finops_site.open_admin",
            "finops_site.follow_setup",
            "finops_site.change_company",
            "finops_site.delete_democompany",
            "finops_site.add_user",
            "finops_site.change_user",
            "finops_site.view_user",
            "finops_site.add_team",
            "finops_site.change_team",
            "finops_site.add_membership",
            "finops_site.change_membership",
            "finops_site.delete_membership",
            "finops_site.view_membership",
            *(f"finops_site.{verb}_groupmapping" for verb in ("view", "add", "change", "delete")),
            *(f"finops_site.{verb}_ownrole" for verb in ("view", "add", "change", "delete")),
            *("finops_site.view_apitoken", "finops_site.delete_apitoken"),
            *("finops_site.add_scimtoken", "finops_site.delete_scimtoken"),
            "socialaccount.view_socialaccount",
            "socialaccount.delete_socialaccount",
            "finops_site.view_outgoingemail",
            "finops_site.view_nightlyrun",
            *("finops_site.share_savedview", "finops_site.view_savedview", "finops_site.view_dashboard"),
            "finops_site.view_auditentry",
            "axes.view_accessattempt",
            "axes.delete_accessattempt",
            "django_celery_beat.view_periodictask",
            "django_celery_beat.change_periodictask",
            "django_celery_beat.view_crontabschedule",
            "django_celery_beat.add_crontabschedule",
            "django_celery_beat.view_intervalschedule",
        },
        FINANCE: {
            "finops_site.open_admin",
            "finops_site.follow_setup",
            "finops_site.change_company",
            # With a rule for a team that is not there yet.
            "finops_site.add_team",
            "finops_site.view_membership",
            "finops_site.share_savedview",
            "finops_site.view_auditentry",
        },
        ENGINEERING: {"finops_site.open_admin"},
    }

    abilities = (
        Ability("admin", _lazy("Open the admin"), ("finops_site.open_admin",)),
        Ability(
            "set-up",
            _lazy("Follow the checklist, name the company, add teams with a rule"),
            ("finops_site.change_company", "finops_site.follow_setup", "finops_site.add_team"),
        ),
        Ability(
            "share-views", _lazy("Share views and dashboards with the whole company"), ("finops_site.share_savedview",)
        ),
        Ability("audit-log", _lazy("Read the audit log"), ("finops_site.view_auditentry",)),
        Ability("memberships", _lazy("See in the admin who is in which team"), ("finops_site.view_membership",)),
        Ability("see-people", _lazy("See who comes in, and the sign-ins in the audit log"), ("finops_site.view_user",)),
        Ability(
            "health",
            _lazy("See Health, and which mail went out"),
            ("finops_site.view_nightlyrun", "finops_site.view_outgoingemail"),
        ),
        Ability(
            "end-tokens",
            _lazy("End tokens of others, and let somebody try again whom wrong passwords locked out"),
            (
                *("finops_site.view_apitoken", "finops_site.delete_apitoken"),
                *("axes.view_accessattempt", "axes.delete_accessattempt"),
            ),
        ),
        Ability(
            "nightly-work",
            _lazy("Move the work of the night to other hours"),
            (
                *("django_celery_beat.view_periodictask", "django_celery_beat.change_periodictask"),
                *("django_celery_beat.view_crontabschedule", "django_celery_beat.add_crontabschedule"),
                "django_celery_beat.view_intervalschedule",
            ),
        ),
        Ability(
            "views-of-others",
            _lazy("See shared views and dashboards in the admin"),
            ("finops_site.view_savedview", "finops_site.view_dashboard"),
        ),
        Ability("remove-demo", _lazy("Remove the demo company"), ("finops_site.delete_democompany",)),
        # Who gives roles could give herself any: no role that somebody makes has these.
        Ability(
            "people",
            _lazy("Invite people, give them roles and teams, switch them off"),
            (
                *("finops_site.add_user", "finops_site.change_user", "finops_site.change_team"),
                *(f"finops_site.{verb}_membership" for verb in ("add", "change", "delete")),
            ),
            stays_built_in=True,
        ),
        Ability(
            "roles",
            _lazy("Make and change roles"),
            tuple(f"finops_site.{verb}_ownrole" for verb in ("view", "add", "change", "delete")),
            stays_built_in=True,
        ),
        Ability(
            "identity-providers",
            _lazy("Say what groups of an identity provider give, and set SCIM up"),
            (
                *(f"finops_site.{verb}_groupmapping" for verb in ("view", "add", "change", "delete")),
                *("finops_site.add_scimtoken", "finops_site.delete_scimtoken"),
                *("socialaccount.view_socialaccount", "socialaccount.delete_socialaccount"),
            ),
            stays_built_in=True,
        ),
    )

    # What ran while nobody was here yet.
    begins_with = {
        "finops_site.AuditEntry",
        "finops_site.AuditStream",
        "finops_site.NightlyRun",
        "finops_site.Backup",
        "finops_site.RestoreDrill",
    }
    schedule = {
        "send-emails-that-are-left-every-ten-minutes": {
            "task": "finops_site.tasks.send_outgoing_emails",
            "schedule": crontab(minute="*/10"),
        },
        "remove-the-demo-that-is-left-every-ten-minutes": {
            "task": "finops_site.tasks.remove_demo",
            "schedule": crontab(minute="9-59/10"),
        },
        "watch-queues-of-messages-every-ten-minutes": {
            "task": "finops_site.tasks.watch_queues",
            "schedule": crontab(minute="8-59/10"),
        },
        "seal-the-audit-log-every-minute": {
            "task": "finops_site.tasks.seal_audit_log",
            "schedule": crontab(),
        },
        "clear-old-emails-every-night": {
            "task": "finops_site.tasks.clear_old_emails",
            "schedule": crontab(hour=3, minute=40),
        },
        # After the bills and the checks of the night; a run that was missed is caught up by the next.
        "mail-saved-views-by-day": {
            "task": "finops_site.tasks.mail_saved_views",
            "schedule": crontab(hour="6-22", minute=35),
        },
        "remove-old-notifications-every-night": {
            "task": "finops_site.tasks.remove_old_notifications",
            "schedule": crontab(hour=3, minute=45),
        },
        "resume-exports-that-stopped-every-minute": {
            "task": "finops_site.tasks.resume_exports",
            "schedule": crontab(),
        },
        "remove-old-exports-every-night": {
            "task": "finops_site.tasks.remove_old_exports",
            "schedule": crontab(hour=3, minute=50),
        },
        "run-nightly-checks": {
            "task": "finops_site.tasks.run_nightly_checks",
            "schedule": crontab(hour=5, minute=10),
        },
        # Hourly, so that one which failed has another try; FINOPS_BACKUP_EVERY says when one is due.
        "back-up-when-it-is-due": {
            "task": "finops_site.tasks.back_up_if_due",
            "schedule": crontab(minute=20),
        },
        "try-newest-backup-every-month": {
            "task": "finops_site.tasks.try_newest_backup",
            "schedule": crontab(day_of_month=2, hour=4, minute=30),
        },
        # What failed, or died with its worker, has a second try before people come to work.
        "run-nightly-checks-that-are-left": {
            "task": "finops_site.tasks.run_nightly_checks",
            "schedule": crontab(hour=6, minute=10),
        },
    }

    def ready(self) -> None:
        language.connect(translation.gettext, translation.ngettext, translation.pgettext, translation.get_language)

        # Celery's app is made with Django's, so that tasks queued by any process go to our broker.
        from finops_site import checks  # noqa: F401
        from finops_site.audit import context, events, triggers
        from finops_site.celery import app as celery_app
        from finops_site.exports import jobs as export_jobs
        from finops_site.first_day import remove_demo
        from finops_site.first_day.site_steps import SITE_STEPS
        from finops_site.mail import unsent
        from finops_site.ops import audit_health, home_panels, task_log
        from finops_site.people import roles
        from finops_site.registry import (
            HealthCheck,
            MessageQueue,
            NavItem,
            NavSection,
            NavTab,
            NightlyCheck,
            NotificationKind,
            Panel,
            PendingDecisionSource,
            Possession,
            SearchSource,
            registry,
        )
        from finops_site.saved_views import home_panel, search
        from finops_site.sign_in import health as sign_in_health
        from finops_site.ui.search import find_pages

        task_log.connect()
        celery_app.conf.beat_schedule = beat_schedule()
        settings.SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"].update(enum_names())  # type: ignore[attr-defined]
        # Permissions are made app by app; after the last app with models they are all there.
        last = [config for config in apps.get_app_configs() if config.models_module][-1]
        post_migrate.connect(roles.sync_roles, sender=last, dispatch_uid="finops_site.sync_roles")
        post_migrate.connect(triggers.sync_triggers, sender=last, dispatch_uid="finops_site.sync_triggers")
        connection_created.connect(context.tell_every_statement, dispatch_uid="finops_site.audit.tell")
        events.connect()
        registry.add(
            NavSection("", 0),
            NavSection(_lazy("Spend"), 10),
            NavSection(_lazy("Improve"), 40),
            NavSection(_lazy("System"), 90),
            NavItem(_lazy("Reports"), "reports", "report-analytics", "costs.view_costline", 10, key="r"),
            MessageQueue("emails", _lazy("Emails"), unsent.state, unsent.unsent, unsent.retry, unsent.may_look, 10),
            PendingDecisionSource(
                "emails", unsent.stuck_for, unsent.stuck_decisions, "finops_site.view_outgoingemail", 5
            ),
            Panel("health", "panels/health.html", home_panels.health_panel, "finops_site.view_nightlyrun", 5),
            Panel("unsent", "panels/unsent.html", home_panels.unsent_panel, "finops_site.view_outgoingemail", 6),
            NotificationKind(
                "queue-ages", _lazy("Messages that wait for too long"), "finops_site.view_outgoingemail", 90
            ),
            NotificationKind("export-ready", _lazy("Files that are ready"), "", 80),
            Possession("exports", _lazy("files that are being made"), lambda person: 0, export_jobs.let_go),
            SearchSource("pages", _lazy("Pages"), "layout-dashboard", find_pages, "", 10),
            SearchSource("views", _lazy("Saved views"), "bookmark", search.find_views, "", 12),
            SearchSource("dashboards", _lazy("Dashboards"), "layout-dashboard", search.find_dashboards, "", 13),
            NavTab(_lazy("Saved views"), "saved_views", "home", "", 10),
            NavTab(_lazy("Dashboards"), "dashboards", "home", "", 11),
            Panel("pinned-views", "saved_views/pinned_panel.html", home_panel.pinned_panel, "", 5),
            *SITE_STEPS,
            remove_demo.PEOPLE,
            NavItem(_lazy("People"), "people", "users", "finops_site.view_user", 84, _lazy("System"), key="p"),
            NavTab(_lazy("Teams"), "people_teams", "people", "finops_site.change_team", 20),
            NavTab(_lazy("Roles"), "roles", "people", "finops_site.view_ownrole", 25),
            NavTab(_lazy("Groups of a sign-in"), "group_mappings", "people", "finops_site.view_groupmapping", 30),
            NavTab("SCIM", "scim_tokens", "people", "finops_site.add_scimtoken", 40),
            NavItem(
                _lazy("Set up"), "set_up", "clipboard-check", "finops_site.follow_setup", 85, _lazy("System"), key="s"
            ),
            NightlyCheck("audit-log", audit_health.check_nightly, 95, _lazy("audit log")),
            HealthCheck("sign-in", _lazy("Sign-in"), sign_in_health.statuses, 85),
            HealthCheck("audit-log", _lazy("Audit log"), audit_health.statuses, 90),
            NavTab(_lazy("Audit log"), "audit", "health", "finops_site.view_auditentry", 20),
            NavItem(
                _lazy("Health"),
                "health",
                "heart-rate-monitor",
                "finops_site.view_nightlyrun",
                90,
                _lazy("System"),
                key="e",
            ),
        )
