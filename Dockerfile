# One image, four commands: web (the default), worker, scheduler, release (see Procfile and compose.yaml).
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PORT=8000 WEB_CONCURRENCY=2

WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .

# Static files as production names them (with hashes) need production's settings; these values reach no server and
# stay in no layer.
RUN METADATA_DATABASE_URL=postgresql://none:none@none/none REDIS_URL=redis://none ALLOWED_HOSTS=none SECRET_KEY=none \
    ENCRYPTION_KEY="$(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
    python manage.py collectstatic --no-input

RUN useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app
USER app

EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]

# exec: the server gets the container's signals
CMD ["sh", "-c", "exec uvicorn config.asgi:application --host 0.0.0.0 --port $PORT --workers $WEB_CONCURRENCY --timeout-graceful-shutdown 30 --no-access-log"]
