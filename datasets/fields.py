"""The model field for sealed text: django-cryptography's field with our cipher (MultiFernet, no pickle)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django_cryptography.fields import EncryptedMixin

from datasets.sealing import SealedText

if TYPE_CHECKING:
    TextField = models.Field[SealedText, SealedText]
else:  # Django's fields take type arguments only in their stubs
    TextField = models.TextField


class SealedTextField(EncryptedMixin, TextField):
    """Holds a `SealedText`; reading a row never decrypts, so a wrong key breaks no list and no page."""

    if TYPE_CHECKING:  # what django-stubs reads for assignments
        _pyi_private_set_type: SealedText
        _pyi_private_get_type: SealedText

    base_class = models.TextField
    wasinstance = False

    def _dump(self, value: SealedText) -> bytes:
        return value.ciphertext.encode()

    def _load(self, value: bytes) -> SealedText:
        return SealedText(value.decode())

    def to_python(self, value: Any) -> SealedText | None:  # Any: Django's field protocol
        if value is None or isinstance(value, SealedText):
            return value
        raise TypeError("Seal text with datasets.sealing.seal before it is stored.")

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj).ciphertext)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:  # Any: Django's field protocol
        name, _, args, kwargs = models.Field.deconstruct(self)
        return name, "datasets.fields.SealedTextField", list(args), dict(kwargs)

    def clone(self) -> SealedTextField:
        return models.Field.clone(self)
