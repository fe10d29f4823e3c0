"""The folder of the public pictures, which every measurement on them asks for alike."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line's arguments, `data` among them: --data, else $UNSEAM_DATA, else ../shared/data.

    Ends the program with exit code 2 where there is no such folder.
    """
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("UNSEAM_DATA", "../shared/data")))
    arguments = parser.parse_args()
    if not (arguments.data / "val").is_dir():
        parser.error(f"there is no folder {arguments.data / 'val'}: name the data folder with --data or UNSEAM_DATA")
    return arguments
