"""Every address of the web door."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from config.views import healthz, readyz
from datasets.consumers import CatalogConsumer

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
]
websocket_urlpatterns = [path("ws/catalog/", CatalogConsumer.as_asgi())]
