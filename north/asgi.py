"""The web process: Django, behind a limit on the size of what is sent to it."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "north.settings")
django = get_asgi_application()

from north.documents.uploads import limited  # noqa: E402  its errors are translated, which needs Django set up

application = limited(django)  # type: ignore[arg-type]
