"""The patterns that a Git repository asked for itself become those that every source has."""

from django.db import migrations
from django.utils import timezone


def join(apps, schema_editor):
    """Where both questions were answered, no one list says what both did: the source waits until somebody has looked at it."""
    for source in apps.get_model("documents", "Source").objects.filter(connector="git"):
        only, without = source.config.pop("only", []), source.config.pop("without", [])
        if only and source.include and only != source.include:
            source.paused_at = source.paused_at or timezone.now()
        source.include = source.include or only
        source.exclude = [*source.exclude, *(one for one in without if one not in source.exclude)]
        source.save(update_fields=["config", "include", "exclude", "paused_at"])


class Migration(migrations.Migration):
    dependencies = [("documents", "0010_channels")]
    operations = [migrations.RunPython(join, migrations.RunPython.noop)]
