"""WebSockets of the control plane."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from datasets.profiling import progress
from datasets.publishing import GROUP


class CatalogConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels ships no stubs
    """Tells a page of the staff that a dataset changed, so that it can show the new state, and how far profiles are."""

    async def connect(self) -> None:
        user = self.scope["user"]
        if not (user.is_authenticated and user.is_active and user.is_staff):
            await self.close(code=4403)
            return
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.channel_layer.group_add(progress.GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)
        await self.channel_layer.group_discard(progress.GROUP, self.channel_name)

    async def profiling_progress(self, event: dict[str, Any]) -> None:  # Any: a channels message
        await self.send_json({"type": "progress", **event["progress"]})

    async def catalog_changed(self, event: dict[str, Any]) -> None:  # Any: a channels message
        await self.send_json({"type": "changed"})
