# The sidecar's image. It needs no shell, no package tool and no writable disk at run time.
#   docker build -t envoy-jwt-authz .

# Both stages stand on the same base: the virtual environment points at the base's own Python.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# The build backend runs code of its own, so it is pinned like everything else.
ARG HATCHLING=1.33.0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/authz

# Before the sources, so that a change of ours does not fetch the dependencies again. Only wheels: nothing is compiled
# here, and no package's own build script runs. Every file must have the hash that the lock names.
COPY requirements/runtime.txt requirements/
RUN /opt/build/bin/pip --python /opt/authz/bin/python3 install \
    --require-hashes --no-deps --only-binary :all: --requirement requirements/runtime.txt \
 && /opt/build/bin/pip install "hatchling==${HATCHLING}"

COPY pyproject.toml README.md LICENSE ./
COPY deploy/envoy.yaml deploy/
COPY authz authz
# Compiled here, because a read-only root leaves no place for it later. `unchecked-hash` spares a look at every source
# file at start, and does not rely on time stamps, which layers may change.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/build/bin/pip --python /opt/authz/bin/python3 install --no-deps --no-index /wheels/*.whl \
 && /opt/authz/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/authz/lib


FROM ${BASE}
LABEL org.opencontainers.image.title="envoy-jwt-authz" \
      org.opencontainers.image.description="Envoy ext_authz sidecar: verifies bearer JWTs, judges them per route" \
      org.opencontainers.image.licenses="Apache-2.0"
# The official images ship the standard library without its bytecode; with none, every start compiles it anew.
# /run/authz holds the socket. A volume that is created from it (Docker, Podman) takes over owner and mode, so that
# only the group gets in; Kubernetes does the same with fsGroup. The set-group-ID bit hands the group on to the socket.
RUN python3 -c 'import compileall, re, sysconfig; \
compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=2, workers=0, \
rx=re.compile(r"/(test|tests|idlelib|lib2to3|turtledemo|ensurepip|site-packages|dist-packages)/"))' \
 && install -d -o 65532 -g 65532 -m 2770 /run/authz
COPY --from=build /opt/authz /opt/authz
# PYTHONSAFEPATH: nothing is ever imported from the working directory.
ENV PATH=/opt/authz/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1
# By number: Kubernetes can tell that it is not root only from a number.
USER 65532:65532
WORKDIR /
ENTRYPOINT ["authz"]
CMD ["serve", "--envoy-config", "/etc/envoy/envoy.yaml"]
