# A replica, the stream job, discovery beside HAProxy: the same package, started by another command.
# Build it from the root of the repository.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends maven
COPY . /src
RUN python -m venv /opt/analytics && /opt/analytics/bin/pip install --no-cache-dir '/src[cluster]'
# What Spark needs to read Kafka; the image that runs has no Maven.
ENV ANALYTICS_CLUSTER__JARS=/opt/analytics/jars
RUN /opt/analytics/bin/analytics cluster fetch spark

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/analytics /opt/analytics
ENV PATH=/opt/analytics/bin:$PATH ANALYTICS_CLUSTER__JARS=/opt/analytics/jars
RUN useradd --uid 10001 --create-home --home-dir /var/lib/analytics analytics
USER analytics
WORKDIR /var/lib/analytics
ENTRYPOINT ["analytics"]
CMD ["serve", "--config", "/etc/analytics.toml"]
