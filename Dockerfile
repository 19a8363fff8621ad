# The gateway as one static binary in an empty image. Both of Docker's builders
# take this file; with TARGETARCH set (amd64, arm64) it cross-compiles, without
# emulation. Where other registries or module proxies are to be asked:
#   docker build --build-arg BUILD_IMAGE=… --build-arg GOPROXY=… .
ARG BUILD_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=scratch

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
# What the go command is told; not given, its own defaults hold.
ARG GOPROXY
ARG GONOSUMDB
# A layer of its own: the modules are downloaded again only when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY poller poller
COPY gateway gateway
ARG TARGETARCH
ARG VERSION
RUN CGO_ENABLED=0 GOOS=linux GOARCH="${TARGETARCH}" \
    go build -trimpath -ldflags "-s -w -X main.stamped=${VERSION}" -o /echogate ./gateway

FROM ${BASE_IMAGE}
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="echogate" \
      org.opencontainers.image.description="A WebSocket echo gateway: every message comes back as it was sent." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /echogate /echogate
# Any number will do that is not root: nothing is read or written.
USER 65532:65532
# The gateway's own default is the loopback, which nobody can reach in here.
# What may be asked from elsewhere is health, readiness and metrics alone.
ENV ECHOGATE_ADMIN=:9999
EXPOSE 9998 9999
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s --retries=3 \
    CMD ["/echogate", "healthcheck"]
ENTRYPOINT ["/echogate"]
