"""Configures logging: one event a line, as JSON or for people."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from analytics.printable import escaped
from analytics.settings import LogsSettings


def configure(settings: LogsSettings, *, stream: TextIO | None = None) -> None:
    """Make structlog, as well as the standard library's loggers, write to *stream* (stderr).

    For the composition root only: it changes the state of the whole process.
    """
    out = _BestEffortStream(stream or sys.stderr)
    as_json = settings.format == "json" or (settings.format == "auto" and not out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Neither way shows a frame's variables: they may hold a visitor's address.
    last: list[Processor] = (
        [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ]
        if as_json
        else [
            _harmless,
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", out)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # These say ten times a second that a server is away; we say it ourselves, once.
    for driver in ("aiokafka", "cassandra", "pyignite"):
        logging.getLogger(driver).setLevel(logging.CRITICAL)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs every request


def _harmless(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape the characters by which text of strangers could control a terminal."""
    return {
        name: escaped(value, keep="\n") if isinstance(value, str) else value
        for name, value in event.items()
    }


class _BestEffortStream:
    """A stream that loses a line rather than raise: a full disk under the log, or a stream that
    was closed, is no reason for what is logged to fail too. On a terminal only we may set colours:
    a traceback holds what strangers sent."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._kept = "\n\t\x1b" if out.isatty() else "\n\t"

    def write(self, text: str) -> None:
        """Write, if there is room."""
        with suppress(OSError, ValueError):
            self._out.write(escaped(text, keep=self._kept))

    def flush(self) -> None:
        """Hand on what was written, if there is room."""
        with suppress(OSError, ValueError):
            self._out.flush()

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._out.isatty()
