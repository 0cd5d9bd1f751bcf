from django.db import migrations
from django.db.models import F


def tell(apps, schema_editor):
    """The raised count makes the workers tell the index what documents are called."""
    apps.get_model("documents", "Document").objects.exclude(indexed_sha256="").update(access=F("access") + 1)


class Migration(migrations.Migration):
    dependencies = [("documents", "0014_pending_principals")]
    operations = [migrations.RunPython(tell, migrations.RunPython.noop, elidable=True)]
