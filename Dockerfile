# The image of a node: one static program and an empty data directory, nothing
# else. Understood by BuildKit and by the legacy builder.
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
# No step of its own for the modules: the build fetches the few that kvnode
# needs, "go mod download" would fetch those of tests and tools as well.
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /image/kvnode ./cmd/kvnode \
	&& mkdir /image/data

FROM scratch
LABEL org.opencontainers.image.title="Sequitur" \
	org.opencontainers.image.description="A sharded, causally consistent key-value store" \
	org.opencontainers.image.licenses="MIT"
COPY --from=build /image/kvnode /kvnode
# Durable state goes here; the number is that of the user below.
COPY --from=build --chown=65532:65532 /image/data /data
ENV DATA_DIR=/data
USER 65532:65532
EXPOSE 8085
# Healthy means that the node answers, whether or not its store has formed.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/kvnode", "healthcheck"]
# The program is process 1: it gets SIGTERM itself and has no children to reap.
ENTRYPOINT ["/kvnode"]
