from __future__ import annotations

from typing import Any

from config.management.base import GatewayCommand
from datasets.models import Dataset


class Command(GatewayCommand):
    help = "List the registered datasets with their states."

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        datasets = [_shown(dataset) for dataset in Dataset.objects.filter(deleted_at=None).order_by("name")]
        lines = [
            f"{d['name']:<24} {d['status']:<17} {d['connection']}  {d['status_reason']}".rstrip() for d in datasets
        ]
        empty = "No dataset yet. Register one: `manage.py register_dataset NAME DSN --wait --approve`."
        self.show({"datasets": datasets}, "\n".join(lines) or empty, as_json=options["json"])


def _shown(dataset: Dataset) -> dict[str, Any]:  # Any: a JSON object
    return {
        "name": dataset.name,
        "title": dataset.title,
        "status": dataset.status,
        "status_code": dataset.status_code,
        "status_reason": dataset.status_reason,
        "connection": f"{dataset.host}:{dataset.port}/{dataset.database} as {dataset.username}",
        "rows": dataset.estimated_row_count,
        "last_profiled_at": dataset.last_profiled_at.isoformat() if dataset.last_profiled_at else None,
        "unsafe_role_allowed_by": dataset.unsafe_role_allowed_by or None,
    }
