# A replica, or the Spark job: the same package, started by another command.
FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN pip install --no-cache-dir '/src[cluster]' && rm -r /src
RUN useradd --create-home --home-dir /var/lib/analytics analytics
USER analytics
WORKDIR /var/lib/analytics
ENTRYPOINT ["analytics"]
CMD ["serve", "--config", "/etc/analytics.toml"]
