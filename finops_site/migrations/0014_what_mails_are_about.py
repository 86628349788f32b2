from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("finops_site", "0013_named_tokens")]
    operations = [
        migrations.AddField(
            model_name="outgoingemail",
            name="about",
            field=models.CharField(
                blank=True, help_text="the page it is about: who may not open it any more gets no mail", max_length=1000
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="outgoingemail",
            name="teams_seen",
            field=models.JSONField(
                blank=True, help_text="the teams its reader saw when it was written; empty for the company", null=True
            ),
        ),
    ]
