# From trained weights to artifacts. Two images come out of this file:
#   --target exporter    the tool: `docker run -v artifacts:/var/lib/unseam/artifacts unseam-exporter`
#   --target artifacts   the artifacts themselves, exported while the image is built: one tag is one set of networks
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python3 -m venv /opt/unseam && /opt/unseam/bin/pip install 'setuptools>=77'
# Wheels that lie in docker/wheels are taken before the index's: a CPU build of torch saves gigabytes of CUDA.
COPY docker/wheels wheels
COPY pyproject.toml ./
RUN touch README.md && /opt/unseam/bin/pip install --no-build-isolation --find-links wheels '.[cpu,export]'

FROM dependencies AS code
COPY README.md ./
COPY imaging imaging
COPY unseam unseam
COPY export export
COPY models models
COPY service service
RUN /opt/unseam/bin/pip install --no-build-isolation --no-deps --target /opt/code .

FROM ${BASE} AS exporter
# The file named telemetry tells OpenVINO, as the variable below does ONNX Runtime, to report nothing to its makers.
RUN groupadd --gid 10001 unseam \
    && useradd --uid 10001 --gid unseam --no-create-home --home-dir /var/lib/unseam --shell /usr/sbin/nologin unseam \
    && install --directory --owner=unseam --group=unseam \
        /var/lib/unseam /var/lib/unseam/artifacts /var/lib/unseam/intel \
    && printf 0 > /var/lib/unseam/intel/openvino_telemetry
COPY --from=dependencies /opt/unseam /opt/unseam
COPY --from=code /opt/code /opt/code
ENV PATH=/opt/unseam/bin:$PATH \
    PYTHONPATH=/opt/code \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    UNSEAM_ARTIFACTS=/var/lib/unseam/artifacts \
    ORT_DISABLE_TELEMETRY=1
USER unseam
WORKDIR /var/lib/unseam
ENTRYPOINT ["unseam", "export"]
CMD ["--missing"]

FROM exporter AS exported
# As the workers have it: by these it knows which tiles they will want.
ARG UNSEAM_BACKEND=
ARG UNSEAM_ONE_PASS=
ARG EXPORT_OPTIONS=
RUN unseam export --all $EXPORT_OPTIONS

FROM ${BASE} AS artifacts
COPY --from=exported --chown=10001:10001 /var/lib/unseam/artifacts /artifacts
USER 10001:10001
# Into the volume that the pod's other containers read.
CMD ["cp", "--recursive", "/artifacts/.", "/var/lib/unseam/artifacts/"]
