"""`analytics serve`."""

from __future__ import annotations

import click

from analytics.cli.options import common, settings


@click.command()
@click.option("--host", metavar="H", help="Address to listen on [127.0.0.1].")
@click.option("--port", metavar="P", help="Port to listen on; 0 takes a free one [8000].")
@click.option("--modules", metavar="LIST", help="What to answer for [ingest,dashboard,admin].")
@common
def serve(host: str | None, port: str | None, modules: str | None) -> None:
    """Start the server."""
    in_force = settings(serve__host=host, serve__port=port, serve__modules=modules)
    # Here, because it brings in the whole server.
    from analytics import server

    server.serve(in_force)
