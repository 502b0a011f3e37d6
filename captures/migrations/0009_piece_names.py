"""Every piece that was grabbed so far becomes a known name."""

from django.db import migrations


def fill(apps, schema_editor):
    names = apps.get_model("captures", "Grab").objects.order_by().values_list("piece", flat=True).distinct()
    known = apps.get_model("captures", "PieceName")
    batch = []
    for name in names.iterator(chunk_size=2000):
        batch.append(known(name=name))
        if len(batch) == 2000:
            known.objects.bulk_create(batch, ignore_conflicts=True)
            batch = []
    known.objects.bulk_create(batch, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("captures", "0008_lists")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
