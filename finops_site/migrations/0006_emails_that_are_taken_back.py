"""An outgoing email can be taken back before it is sent, and knows for whom it was written."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("finops_site", "0005_schedule_of_emails")]

    operations = [
        migrations.AlterField(
            model_name="outgoingemail",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("waiting", "waiting"),
                    ("sent", "sent"),
                    ("refused", "refused"),
                    ("unknown", "sent, or not"),
                    ("cancelled", "not needed any more"),
                ],
                default="waiting",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="outgoingemail",
            name="reader",
            field=models.ForeignKey(
                blank=True,
                help_text="who had this address when it was written: asked again before it is sent",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
