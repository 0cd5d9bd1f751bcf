import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("threads", "0007_web_pages"),
    ]

    operations = [
        migrations.AlterField(
            model_name="webpage",
            name="run",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="web_pages", to="threads.run"),
        ),
        migrations.AddField(
            model_name="webpage",
            name="artifact",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="web_pages", to="threads.artifact"
            ),
        ),
        migrations.AddConstraint(
            model_name="webpage",
            constraint=models.CheckConstraint(
                condition=models.Q(("run", None), ("artifact", None), _connector="XOR"), name="one_owner_a_web_page"
            ),
        ),
    ]
