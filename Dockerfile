# Builds the binary and nothing else; runs it as nobody in particular, on a root that cannot be written to.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# The caches are kept between builds, so that only what changed is compiled again. They are no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --profile dist --locked --bin countersign && cp target/dist/countersign /countersign

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin countersign \
    && install --directory --owner=countersign --group=countersign --mode=0700 /data
COPY --from=build /countersign /usr/local/bin/countersign
USER 10001:10001
VOLUME /data
# SQLite sorts in the working directory what does not fit into memory.
WORKDIR /data
EXPOSE 8080
ENV COUNTERSIGN_LISTEN=0.0.0.0:8080 COUNTERSIGN_DATA_DIR=/data COUNTERSIGN_LOG_FORMAT=json COUNTERSIGN_DRAIN_DELAY=10
# It goes on for 10 seconds so that load balancers notice, and then gives requests 15: run it with --stop-timeout 30.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["countersign", "healthcheck"]
ENTRYPOINT ["countersign"]
CMD ["serve"]
