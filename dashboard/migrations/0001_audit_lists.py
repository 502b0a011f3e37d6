"""Indexes for the audit's list, on the table of Django's own log."""

from django.db import migrations

INDEXES = {
    "oven_log_list": "action_time DESC, id DESC",
    "oven_log_user_list": "user_id, action_time DESC, id DESC",
    "oven_log_model_list": "content_type_id, action_time DESC, id DESC",
    "oven_log_flag_list": "action_flag, action_time DESC, id DESC",
    "oven_log_object": "object_id",
    "oven_log_repr": "object_repr",
}


class Migration(migrations.Migration):
    dependencies = [("admin", "0003_logentry_add_action_flag_choices")]
    operations = [
        migrations.RunSQL(
            f"CREATE INDEX {name} ON django_admin_log ({columns})", f"DROP INDEX {name}", elidable=False
        )
        for name, columns in INDEXES.items()
    ]
