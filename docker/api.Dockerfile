# The API: answers HTTP and fills the queue. No torch, no CUDA, no inference runtime.
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python3 -m venv /opt/unseam && /opt/unseam/bin/pip install 'setuptools>=77'
# Dependencies change seldom and code often: each is a layer of its own, so that a change is rebuilt and sent in seconds.
COPY pyproject.toml ./
RUN touch README.md && /opt/unseam/bin/pip install --no-build-isolation '.[s3]'

FROM dependencies AS code
COPY README.md ./
COPY imaging imaging
COPY unseam unseam
COPY export export
COPY models/*.py models/
COPY service service
RUN /opt/unseam/bin/pip install --no-build-isolation --no-deps --target /opt/code .

FROM ${BASE}
RUN groupadd --gid 10001 unseam \
    && useradd --uid 10001 --gid unseam --no-create-home --home-dir /var/lib/unseam --shell /usr/sbin/nologin unseam \
    && install --directory --owner=unseam --group=unseam \
        /var/lib/unseam /var/lib/unseam/artifacts /var/lib/unseam/blobs /var/lib/unseam/spool
COPY docker/entrypoint /usr/local/bin/entrypoint
COPY --from=dependencies /opt/unseam /opt/unseam
COPY --from=code /opt/code /opt/code
ENV PATH=/opt/unseam/bin:$PATH \
    PYTHONPATH=/opt/code \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    UNSEAM_HOST=0.0.0.0 \
    UNSEAM_PORT=8000 \
    UNSEAM_ARTIFACTS=/var/lib/unseam/artifacts \
    UNSEAM_SPOOL=/var/lib/unseam/spool \
    TMPDIR=/var/lib/unseam/spool
USER unseam
WORKDIR /var/lib/unseam
EXPOSE 8000
# Alive, not ready: a container that waits for its queue is not to be restarted. The reverse proxy asks /readyz.
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["entrypoint"]
CMD ["unseam", "serve"]
