"""JSON that people read and write."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget


class Pretty(json.JSONEncoder):
    def __init__(self, **options: Any) -> None:  # Any: options of JSONEncoder
        super().__init__(**{**options, "indent": 2, "ensure_ascii": False})


class JsonField(forms.JSONField):
    """JSON as people write it; an empty field stands for `empty`."""

    def __init__(
        self, *, empty: Any = None, rows: int = 6, **options: Any
    ) -> None:  # Any: JSON, options of forms.JSONField
        widget = UnfoldAdminTextareaWidget({"rows": rows, "class": "ma-json", "spellcheck": "false"})
        super().__init__(required=False, widget=widget, encoder=Pretty, **options)
        self.empty = empty

    def prepare_value(self, value: Any) -> Any:  # Any: JSON, or text as it was typed
        if isinstance(value, str):
            return value
        return "" if value == self.empty else super().prepare_value(value)

    def to_python(self, value: Any) -> Any:  # Any: JSON
        found = super().to_python(value)
        return self.empty if found is None else found
