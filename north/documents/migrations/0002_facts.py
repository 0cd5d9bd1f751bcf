from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Coalesce


def fill(apps, schema_editor):
    """What rows can say of documents that were read before; the raised count makes the workers tell the index."""
    documents = apps.get_model("documents", "Document").objects.all()
    when = Coalesce("modified_at", "created_at")
    documents.update(changed_at=when, written_at=when, access=F("access") + 1)
    filed = documents.filter(source__connector="folder", external_id__contains="/").only("pk", "external_id")
    some = []
    for document in filed.iterator(chunk_size=1000):
        document.kept_in = document.external_id.rpartition("/")[0]
        some.append(document)
        if len(some) == 1000:
            documents.bulk_update(some, ["kept_in"])
            some = []
    documents.bulk_update(some, ["kept_in"])


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_initial")]

    operations = [
        migrations.AddField("document", "author", models.CharField(blank=True, max_length=200)),
        migrations.AddField("document", "changed_at", models.DateTimeField(null=True)),
        migrations.AddField("document", "kept_in", models.CharField(blank=True, max_length=1024)),
        migrations.AddField("document", "language", models.CharField(blank=True, max_length=8)),
        migrations.AddField("document", "written_at", models.DateTimeField(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
