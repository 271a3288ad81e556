import os

# A key of your own: mayfly deploy . --set env.SECRET_KEY=...
SECRET_KEY = os.environ.get("SECRET_KEY", "insecure: for trying out")
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "project.urls"
USE_TZ = True
