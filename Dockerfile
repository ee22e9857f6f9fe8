# The sidecar's image. It has no shell, no package tool and no base image below it, and needs no writable disk.
#   docker build -t envoy-jwt-authz .
#
# Name the base with a digest for a build that can be repeated:
#   docker build --build-arg BASE=python:3.11-slim-bookworm@sha256:... -t envoy-jwt-authz .

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/authz

# Before the sources, so that a change of ours does not fetch the dependencies again. Only wheels: nothing is compiled
# here, and no package's own build script runs. Every file must have the hash that the lock names, those of the build
# backend as well, which runs code of its own.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN /opt/build/bin/pip install \
    --require-hashes --no-deps --only-binary :all: --requirement requirements/build.txt \
 && /opt/build/bin/pip --python /opt/authz/bin/python3 install \
    --require-hashes --no-deps --only-binary :all: --requirement requirements/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY deploy/envoy.yaml deploy/image_files.py deploy/
COPY authz authz
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/build/bin/pip --python /opt/authz/bin/python3 install --no-deps --no-index /wheels/*.whl \
 && mkdir /image && python3 deploy/image_files.py /opt/authz /image


FROM scratch
COPY --from=build /image /
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="envoy-jwt-authz" \
      org.opencontainers.image.description="Envoy ext_authz sidecar: verifies bearer JWTs, judges them per route" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"
# PYTHONSAFEPATH: nothing is ever imported from the working directory.
ENV PATH=/opt/authz/bin PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1
# By number: Kubernetes can tell that it is not root only from a number.
USER 65532:65532
WORKDIR /
# Docker and Podman run it, Kubernetes ignores it. It asks /livez: Docker Swarm restarts unhealthy containers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["authz", "health"]
ENTRYPOINT ["authz"]
CMD ["serve", "--envoy-config", "/etc/envoy/envoy.yaml"]
