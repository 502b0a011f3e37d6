import django.db.models.deletion
from django.db import migrations, models


def requeued_from(model):
    return models.ForeignKey(
        blank=True,
        editable=False,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name="requeued_as",
        to=model,
    )


def requeued_at():
    return models.DateTimeField(
        blank=True, editable=False, help_text="When a job that does the same was submitted.", null=True
    )


class Migration(migrations.Migration):
    dependencies = [("jobs", "0005_client_limits")]
    operations = [
        migrations.AddField("bulkaction", "requeued_from", requeued_from("jobs.bulkaction")),
        migrations.AddField("bulkaction", "requeued_at", requeued_at()),
    ]
