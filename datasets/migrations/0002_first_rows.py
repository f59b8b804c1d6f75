"""The one row of the catalog's version, and the settings at their defaults, so that they can be edited."""

from django.db import migrations

DEFAULTS = {
    "weighting_rules": {"merges": {"nccs": {"A": ["A", "A1"], "C/D/E": ["C", "D", "E"]}}, "apply": "always"},
    "query_limits": {"raw_rows": 5, "aggregated_rows": 1000, "parallel_queries": 30},
    "llm_config": {"model": "gpt-4o-mini", "temperature": 0.3, "max_tokens": 4000},
    "cache_ttl": {"level_0": 3600, "level_1": 1800, "level_2": 900, "level_3": 300},
}


def create_rows(apps, schema_editor):
    apps.get_model("datasets", "CatalogVersion").objects.get_or_create(id=1)
    for key, value in DEFAULTS.items():
        apps.get_model("datasets", "SystemConfig").objects.get_or_create(key=key, defaults={"value": value})


class Migration(migrations.Migration):
    dependencies = [("datasets", "0001_initial")]
    operations = [migrations.RunPython(create_rows, migrations.RunPython.noop)]
