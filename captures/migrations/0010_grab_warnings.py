from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("captures", "0009_piece_names")]
    operations = [
        migrations.AddField(
            model_name="grab",
            name="warnings",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="What may be missing or wrong: objects with `code` and `message`.",
            ),
        ),
        migrations.AlterField(
            model_name='grab',
            name='ready',
            field=models.CharField(blank=True, choices=[('load', 'load'), ('signal', 'signal'), ('idle', 'idle'), ('limit', 'limit')], max_length=8),
        ),
    ]
