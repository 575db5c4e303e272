# One image, every command: `docker run … perpstore serve`, `setup`, `import`, …
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/perpstore
ENV PATH=/opt/perpstore/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY alembic alembic
COPY app app
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 perpstore && install --directory --owner=perpstore --group=perpstore /data
COPY --from=build /opt/perpstore /opt/perpstore
ENV PATH=/opt/perpstore/bin:$PATH PYTHONUNBUFFERED=1 \
    PERPSTORE_HOST=0.0.0.0 PERPSTORE_PORT=8000 PERPSTORE_DATA_DIR=/data
USER perpstore
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PERPSTORE_PORT\"]}/health/ready', timeout=4)"]
ENTRYPOINT ["perpstore"]
CMD ["serve"]
