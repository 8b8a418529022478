# What jobs train with, for pods and `docker run`: `make image-train` builds it; docs/images.md.
# The environment is that of images/train.lock, where `make env` finds it; the code comes with each run.

# images/images.yaml has it: `clusterlab images reference cuda`.
ARG BASE
FROM ${BASE} AS base
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# Ubuntu's archive keeps no old versions, so these are the day's; what computes comes from the lock and the pinned base.
# The compilers stay: Triton and torch.compile call them while jobs run.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap g++ gcc libc6-dev make python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

FROM base AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /build
COPY images/build.lock images/
RUN python3 -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir --no-compile --requirement images/build.lock
COPY images/install.sh images/train.lock images/
RUN --mount=type=cache,target=/root/.cache/uv \
    environment=/opt/clusterlab/train-$(sha256sum images/train.lock | cut -c1-12) \
    && UV=/opt/build/bin/uv UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
       images/install.sh images/train.lock "$environment" --compile-bytecode \
    && ln -s "$environment" /opt/clusterlab/train
ARG SOURCE_DATE_EPOCH
RUN mkdir -p /usr/share/sbom \
    && SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} /opt/build/bin/cyclonedx-py environment --output-reproducible \
       --spec-version 1.6 --output-file /usr/share/sbom/train.cdx.json /opt/clusterlab/train/bin/python

FROM base
COPY --from=build /opt/clusterlab /opt/clusterlab
COPY --from=build /usr/share/sbom /usr/share/sbom
RUN useradd --uid 10001 --user-group --create-home --shell /bin/bash course
ENV PATH=/opt/clusterlab/train/bin:${PATH} PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /home/course
CMD ["bash"]

ARG BASE
ARG CREATED
ARG LOCK_SHA256
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="clusterlab train" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.licenses="NOASSERTION" \
      clusterlab.lock="images/train.lock@sha256:${LOCK_SHA256}" \
      clusterlab.sbom="/usr/share/sbom/train.cdx.json"
