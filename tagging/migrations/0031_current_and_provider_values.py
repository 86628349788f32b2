"""The value a suggestion would replace, and the value a dry run read at the provider, under their own names."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("finops_site", "0004_rename_letter_to_outgoing_email"), ("tagging", "0030_splits_and_statements")]

    operations = [
        migrations.RenameField(model_name="suggestion", old_name="said", new_name="current_value"),
        migrations.RenameField(model_name="tagchange", old_name="found", new_name="provider_value"),
        # Wording alone.
        migrations.AlterField(
            "changeset",
            "review",
            models.CharField(blank=True, max_length=1000, verbose_name="the reviewer's comment"),
        ),
        migrations.AlterField(
            "compliancemonth",
            "made_from",
            models.CharField(help_text="md5 of the publications and the policy it was computed from", max_length=32),
        ),
        migrations.AlterField(
            "suggestion",
            "alternatives",
            models.JSONField(default=list, help_text="[{value, confidence}]: other values with evidence"),
        ),
        migrations.AlterField(
            "suggestion",
            "confidence",
            models.DecimalField(
                decimal_places=4,
                help_text="lower bound of the share of similar resources that agree, 0 to 1",
                max_digits=5,
            ),
        ),
        migrations.AlterField(
            "suggestiondecision",
            "patterns",
            models.JSONField(default=list, help_text="[[kind, group]]: the evidence it was based on"),
        ),
        migrations.AlterField(
            "tagchange",
            "provider_value",
            models.CharField(
                blank=True,
                help_text="the value that the dry run read there",
                max_length=1024,
                verbose_name="at the provider",
            ),
        ),
        migrations.AlterField(
            "tagdigest",
            "resources",
            models.PositiveIntegerField(help_text="how many it lists"),
        ),
        migrations.AlterField(
            "virtualtag",
            "evidence",
            models.JSONField(default=list, help_text="[{kind, words, agree, total}]: why, as of then"),
        ),
        migrations.AlterField(
            "virtualtag",
            "team",
            models.ForeignKey(
                blank=True,
                help_text="the resource's owner; of a claim: the team that claims it",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="finops_site.team",
            ),
        ),
        migrations.AlterField(
            "virtualtagbatch",
            "applied_at",
            models.DateTimeField(blank=True, help_text="when our figures included it; null: not yet", null=True),
        ),
    ]
