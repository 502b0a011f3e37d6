"""The six pictures that the stores ask for today."""

from django.db import migrations

PRESETS = [
    ("phone-portrait", "Phone Portrait", 1080, 1920, "phone"),
    ("phone-landscape", "Phone Landscape", 1920, 1080, "phone"),
    ("tablet7-portrait", '7" Tablet Portrait', 1200, 1920, "tablet7"),
    ("tablet7-landscape", '7" Tablet Landscape', 1920, 1200, "tablet7"),
    ("tablet10-portrait", '10" Tablet Portrait', 1600, 2560, "tablet10"),
    ("tablet10-landscape", '10" Tablet Landscape', 2560, 1600, "tablet10"),
]


def add(apps, schema_editor):
    presets = apps.get_model("captures", "ScreenshotPreset").objects
    for position, (name, label, width, height, category) in enumerate(PRESETS, 1):
        values = {"label": label, "width": width, "height": height, "category": category, "position": 10 * position}
        presets.get_or_create(name=name, defaults=values)


class Migration(migrations.Migration):
    dependencies = [("captures", "0006_icons")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
