"""What belongs to the whole installation: its system checks and its Celery application."""

from django.apps import AppConfig

from north import celery, checks

__all__ = ["celery", "checks"]  # importing them registers the checks, and makes ours the Celery application of every process


class Config(AppConfig):
    name = "north"
    label = "north"
