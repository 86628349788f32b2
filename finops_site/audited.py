"""Which tables of the site, and of the packages it stands on, the audit log follows; the others with the reason."""

from finops_site.pillars import AuditRule

AUDITED = {
    "User": AuditRule(left_out=("last_login", "hides_setup", "sessions_ended", "second_step_asked_on"), name="email"),
    # Of the tables between two models the row is that of the first.
    "User_groups": AuditRule(identity="user"),
    "User_user_permissions": AuditRule(identity="user"),
    "auth.Group": AuditRule(),
    "auth.Group_permissions": AuditRule(identity="group"),
    "Team": AuditRule(),
    "Membership": AuditRule(),
    "Company": AuditRule(),
    "DemoCompany": AuditRule(
        left_out=("rows", "ids_before", "making_step", "removal_step", "removal_percent", "problem"),
    ),
    "Backup": AuditRule(name="path"),
    "RestoreDrill": AuditRule(),
    "SavedView": AuditRule(),
    "Dashboard": AuditRule(),
    "DashboardItem": AuditRule(),
    "ViewMail": AuditRule(left_out=("queued_for",)),
    "NotificationPreference": AuditRule(name="kind"),
    "ApiToken": AuditRule(secret=("key_hash",), left_out=("last_used_at",)),
    "account.EmailAddress": AuditRule(),
    "OwnRole": AuditRule(name="description"),
    "GroupMapping": AuditRule(name="group"),
    "GroupGrant": AuditRule(),
    "ScimGroup": AuditRule(name="display_name"),
    "ScimGroup_members": AuditRule(identity="scimgroup"),
    "ScimPerson": AuditRule(name="user_name"),
    "ScimToken": AuditRule(secret=("key_hash",), left_out=("last_used_at",)),
    "socialaccount.SocialAccount": AuditRule(secret=("extra_data",), left_out=("last_login",), name="uid"),
    "socialaccount.SocialApp": AuditRule(secret=("secret", "key", "settings")),
    "socialaccount.SocialToken": AuditRule(secret=("token", "token_secret")),
    # That one begins is a sign-in, an entry of its own; that somebody ended it is one here.
    "usersessions.UserSession": AuditRule(
        left_out=("last_seen_at", "data", "user_agent"), secret=("session_key",), made_by_machines=True
    ),
    "mfa.Authenticator": AuditRule(secret=("data",), left_out=("last_used_at",), name="type"),
    "axes.AccessAttempt": AuditRule(
        left_out=(
            *("user_agent", "http_accept", "path_info", "attempt_time", "get_data", "post_data"),
            "failures_since_start",
        ),
        name="username",
        made_by_machines=True,
    ),
    "django_celery_beat.PeriodicTask": AuditRule(left_out=("last_run_at", "total_run_count", "date_changed")),
    "django_celery_beat.CrontabSchedule": AuditRule(),
    "django_celery_beat.IntervalSchedule": AuditRule(),
    "django_celery_beat.SolarSchedule": AuditRule(),
    "django_celery_beat.ClockedSchedule": AuditRule(),
}
_SIGN_INS = "sign-ins, failed ones and sign-outs are entries of their own"
_MESSAGES = "a message that went out is kept as it is, with its outcome"
NOT_AUDITED = {
    "AuditEntry": "the log itself: the database lets nobody change it",
    "AuditStream": "how far the log was sent on: a place in a file",
    "OutgoingEmail": _MESSAGES,
    "Notification": _MESSAGES,
    "Export": "that a file was asked for, and fetched, are entries of their own",
    "NightlyRun": "what a night found, written by the night alone",
    "ViewPin": "what somebody has on her own home page",
    "admin.LogEntry": "the admin's own history of what is audited here as well",
    "auth.Permission": "made of the code by each migrate",
    "contenttypes.ContentType": "made of the code by each migrate",
    "sessions.Session": _SIGN_INS,
    "axes.AccessFailureLog": _SIGN_INS,
    "axes.AccessAttemptExpiration": _SIGN_INS,
    "axes.AccessLog": _SIGN_INS,
    "account.EmailConfirmation": "a link of one use to confirm an address; the address is audited",
    "django_celery_beat.PeriodicTasks": "a mark that the schedules have changed",
}
