"""`ssmic asyncapi`: print an AsyncAPI document of the wire."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tui.log_level import LogLevel

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic asyncapi > asyncapi.json
  ssmic asyncapi --format yaml > asyncapi.yaml
"""


@app.command(epilog=_EXAMPLES, short_help="Print an AsyncAPI 3 document of all topics and payloads.")
def asyncapi(
    form: Annotated[Literal["json", "yaml"], typer.Option("--format", help="Format of the document.")] = "json",
    log_level: LogLevel = None,
) -> None:
    """Print an AsyncAPI 3 document of all topics and payloads, generated from the models that validate them."""
    import json
    import sys

    from scenarios import asyncapi_document
    from tui.logs import configure_logs

    configure_logs(log_level)
    document = asyncapi_document()
    if form == "yaml":
        import yaml

        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()
