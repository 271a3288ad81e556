"""Entry of the project. The database is made once, while the code is deployed, and opened by each instance."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

call_command("migrate", verbosity=0)
call_command("loaddata", "books", verbosity=0)
connections.close_all()  # forks must not share a connection
