from django.apps import AppConfig


class LogsAnalyticsConfig(AppConfig):
    name = "logs_analytics"
    verbose_name = "logs and analytics"
