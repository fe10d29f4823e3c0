# A worker: decodes, restores, encodes. For a GPU as it stands; for a CPU with
#   BASE=python:3.11.14-slim-bookworm EXTRAS=cpu
# EXTRAS=gpu,export adds torch, for the backend of that name; EXTRAS=gpu,triton our kernel for TensorRT's engines.
ARG BASE=nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04

FROM ${BASE} AS python
# CUDA's images come without Python, Python's own with it.
RUN python3 -c 'import ensurepip' 2>/dev/null || { \
        apt-get update && apt-get install --yes --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*; }

FROM python AS dependencies
ARG EXTRAS=gpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# wheel-stub: what TensorRT's packages are built with, which fetch the libraries from pypi.nvidia.com.
RUN python3 -m venv /opt/unseam && /opt/unseam/bin/pip install 'setuptools>=77' wheel-stub
# Dependencies change seldom and code often: each is a layer of its own, so that a change is rebuilt and sent in seconds.
# Wheels that lie in docker/wheels are taken before the index's.
COPY docker/wheels wheels
COPY pyproject.toml ./
RUN touch README.md && /opt/unseam/bin/pip install --no-build-isolation --find-links wheels ".[s3,${EXTRAS}]"

FROM dependencies AS code
COPY README.md ./
COPY imaging imaging
COPY unseam unseam
COPY export export
COPY models models
COPY service service
RUN /opt/unseam/bin/pip install --no-build-isolation --no-deps --target /opt/code .

FROM python
ARG EXTRAS=gpu
# torch compiles what it runs on a GPU, at the first start, with a C compiler and Python's headers.
RUN case "$EXTRAS" in *export*) apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev python3-dev \
    && rm -rf /var/lib/apt/lists/* ;; esac
# The file named telemetry tells OpenVINO, as the variable below does ONNX Runtime, to report nothing to its makers.
RUN groupadd --gid 10001 unseam \
    && useradd --uid 10001 --gid unseam --no-create-home --home-dir /var/lib/unseam --shell /usr/sbin/nologin unseam \
    && install --directory --owner=unseam --group=unseam /run/unseam \
        /var/lib/unseam /var/lib/unseam/artifacts /var/lib/unseam/blobs /var/lib/unseam/cache /var/lib/unseam/spool \
        /var/lib/unseam/intel \
    && printf 0 > /var/lib/unseam/intel/openvino_telemetry
COPY docker/entrypoint docker/worker-per-gpu /usr/local/bin/
COPY --from=dependencies /opt/unseam /opt/unseam
COPY --from=code /opt/code /opt/code
ENV PATH=/opt/unseam/bin:$PATH \
    PYTHONPATH=/opt/code \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    UNSEAM_HOST=0.0.0.0 \
    UNSEAM_ARTIFACTS=/var/lib/unseam/artifacts \
    UNSEAM_SPOOL=/var/lib/unseam/spool \
    TMPDIR=/var/lib/unseam/spool \
    XDG_CACHE_HOME=/var/lib/unseam/cache \
    TRITON_CACHE_DIR=/var/lib/unseam/cache/triton \
    TORCHINDUCTOR_CACHE_DIR=/var/lib/unseam/cache/inductor \
    ORT_DISABLE_TELEMETRY=1
USER unseam
WORKDIR /var/lib/unseam
EXPOSE 9108
# Healthy once all its networks are loaded: minutes, where TensorRT has to build engines first.
HEALTHCHECK --interval=5s --timeout=4s --start-period=600s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; assert b'unseam_model_info{' in r.urlopen('http://127.0.0.1:9108/metrics', timeout=3).read()"]
ENTRYPOINT ["entrypoint"]
CMD ["unseam", "worker"]
