"""The setting that says who is told of findings, at its default, so that it can be edited."""

from django.db import migrations, models

DEFAULT = {"emails": [], "webhook_url": "", "least_severity": "warning"}
KEYS = ("weighting_rules", "query_limits", "llm_config", "cache_ttl", "alerts")


def create_row(apps, schema_editor):
    apps.get_model("datasets", "SystemConfig").objects.get_or_create(key="alerts", defaults={"value": DEFAULT})


class Migration(migrations.Migration):
    dependencies = [("datasets", "0007_profile_contents")]
    operations = [
        migrations.AlterField(
            model_name="systemconfig",
            name="key",
            field=models.CharField(
                choices=[(key, key) for key in KEYS], max_length=40, primary_key=True, serialize=False
            ),
        ),
        migrations.RunPython(create_row, migrations.RunPython.noop),
    ]
