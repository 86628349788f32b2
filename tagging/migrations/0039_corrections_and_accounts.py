"""Corrections that a second person confirms, months that are set aside, tax within lines, and accounts of the journal.

How much of a line is tax is known of drafts, which are computed again, and of months closed from now on.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def compute_drafts_again(apps, schema_editor):
    apps.get_model("tagging", "ChargebackPeriod").objects.filter(state="draft").update(fingerprint="")


def only_states_of_before(apps, schema_editor):
    apps.get_model("tagging", "ChargebackPeriod").objects.filter(state="aside").update(state="draft")
    # The proposal goes with its columns, and the answer is that of the proposal.
    apps.get_model("tagging", "Dispute").objects.filter(state="proposed").update(state="open", answer="")


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0006_emails_that_are_taken_back"),
        ("tagging", "0038_metrics_of_products_and_the_company"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="dispute",
            name="one_open_dispute_per_line",
        ),
        migrations.AddField(
            model_name="chargebackperiod",
            name="set_aside_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="chargebackperiod",
            name="set_aside_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="proposed_amount",
            field=models.DecimalField(
                decimal_places=18, help_text="proposed correcting entry", max_digits=38, null=True
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="proposed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="dispute",
            name="proposed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="proposed_to",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="finops_site.team",
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="rejected_why",
            field=models.TextField(blank=True, help_text="why a second person did not confirm", max_length=4000),
        ),
        migrations.AddField(
            model_name="journalaccount",
            name="accrued",
            field=models.CharField(
                default="2980",
                help_text="Credited by the accruals of a month not closed.",
                max_length=50,
                verbose_name="accruals account",
            ),
        ),
        migrations.AddField(
            model_name="journalaccount",
            name="dynamics_account",
            field=models.CharField(
                default="{account}-{cost_center}",
                help_text="In the order of its ledger dimension format, like {account}---{cost_center}.",
                max_length=100,
                verbose_name="account in Dynamics 365",
            ),
        ),
        migrations.AddField(
            model_name="journalaccount",
            name="dynamics_journal",
            field=models.CharField(
                default="GenJrn",
                help_text="The column JOURNALNAME.",
                max_length=50,
                verbose_name="journal name in Dynamics 365",
            ),
        ),
        migrations.AddField(
            model_name="journalaccount",
            name="rounding",
            field=models.CharField(
                blank=True,
                help_text="For cents. Empty: the cost centres' account.",
                max_length=50,
                verbose_name="rounding account",
            ),
        ),
        migrations.AddField(
            model_name="journalaccount",
            name="services",
            field=models.JSONField(blank=True, default=dict, help_text="{service or pool: its account}"),
        ),
        migrations.AddField(
            model_name="journalaccount",
            name="tax",
            field=models.CharField(
                blank=True,
                help_text="Debited for tax. Empty: the cost centres' account.",
                max_length=50,
                verbose_name="tax account",
            ),
        ),
        migrations.AddField(
            model_name="statementline",
            name="tax",
            field=models.DecimalField(
                decimal_places=18,
                help_text="how much of the amount is tax; empty where it is not known",
                max_digits=38,
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="chargebackperiod",
            name="state",
            field=models.CharField(
                choices=[("draft", "Draft"), ("closed", "Closed"), ("aside", "Set aside")],
                default="draft",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="dispute",
            name="state",
            field=models.CharField(
                choices=[
                    ("open", "Open"),
                    ("proposed", "Waits for a second person"),
                    ("answered", "Answered"),
                    ("corrected", "Corrected"),
                ],
                default="open",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["open", "proposed"])),
                fields=("line",),
                name="one_unresolved_dispute_per_line",
                violation_error_message="This line is disputed already.",
            ),
        ),
        migrations.RunPython(compute_drafts_again, only_states_of_before),
    ]
