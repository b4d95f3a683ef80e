"""``metaloss config``."""

from __future__ import annotations

import typer

from metaloss.cli.engine import load_engine
from metaloss.cli.options import CFG_OPTIONS, SEED, config_names


def config(
    config: str = typer.Argument(
        autocompletion=config_names,
        metavar="CONFIG",
        help="A config file, or the name of a shipped config (see `metaloss list`).",
    ),
    seed: int | None = SEED,
    cfg_options: list[str] = CFG_OPTIONS,
) -> None:
    """Print a whole config with its bases and overrides in it, as a file that can be trained.

    `metaloss config tdfusion/segformer_msrs > mine.py` begins a config of one's own.
    """
    engine = load_engine("config")
    typer.echo(engine.load_config(config, engine.parse_options(cfg_options), seed=seed).pretty_text, nl=False)
