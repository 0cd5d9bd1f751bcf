from importlib import import_module

from django.apps import AppConfig


class Config(AppConfig):
    name = "north.workspaces"

    def ready(self) -> None:
        """Connects what listens to sign-ins; it needs the models, so not before."""
        import_module("north.workspaces.sessions")
