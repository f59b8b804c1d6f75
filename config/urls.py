"""Every address of the web door, except /healthz and /readyz (config/middleware.py) and /mcp (config/asgi.py)."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from config.api import api
from datasets.consumers import CatalogConsumer

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", api.urls),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
]
websocket_urlpatterns = [path("ws/catalog/", CatalogConsumer.as_asgi())]
