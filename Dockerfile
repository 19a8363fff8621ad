# The gateway as one static binary in an empty image. Both of Docker's builders
# take this file; with TARGETARCH set it cross-compiles without emulation.
ARG BUILD_IMAGE=golang:1.26-bookworm

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
# A layer of its own: the modules are downloaded again only when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY poller poller
COPY gateway gateway
ARG TARGETARCH=
ARG VERSION=
RUN CGO_ENABLED=0 GOOS=linux GOARCH="${TARGETARCH}" \
    go build -trimpath -ldflags "-s -w -X main.stamped=${VERSION}" -o /echogate ./gateway

FROM scratch
COPY --from=build /echogate /echogate
# Any number will do that is not root: nothing is read or written.
USER 65532:65532
EXPOSE 9998
STOPSIGNAL SIGTERM
ENTRYPOINT ["/echogate"]
