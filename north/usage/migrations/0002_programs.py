from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_usage")]

    operations = [
        migrations.AlterField(
            model_name="usage",
            name="kind",
            field=models.CharField(
                choices=[
                    ("run", "questions"),
                    ("search", "searches"),
                    ("index", "documents"),
                    ("chat", "chats of programs"),
                    ("embed", "embeddings of programs"),
                    ("rerank", "rerankings of programs"),
                ],
                max_length=10,
            ),
        ),
    ]
