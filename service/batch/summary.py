"""What became of the pictures of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Summary:
    """Counts and reports, filled in as the run goes on.

    Attributes:
        total: how many there were to do.
        skipped: those whose result was there already.
        ignored: files in the given folders that are no kind of picture that is taken.
        restored: a report of each, ready for JSON.
        failed: the paths of those that failed, each with why.
        megapixels: of the results.
        seconds: so far.
    """

    total: int
    skipped: int = 0
    ignored: int = 0
    restored: list[dict[str, Any]] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    megapixels: float = 0.0
    seconds: float = 0.0

    @property
    def not_done(self) -> int:
        """Pictures that the run did not come to."""
        return self.total - len(self.restored) - len(self.failed)

    def words(self) -> str:
        """One line for people: `48 restored, 1 failed, 1 skipped in 1:23 (0.58 megapixels a second)`."""
        counts = {
            "restored": len(self.restored),
            "failed": len(self.failed),
            "skipped": self.skipped,
            "not done (--resume goes on)": self.not_done,
            "other files ignored": self.ignored,
        }
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        minutes, seconds = divmod(round(self.seconds), 60)
        rate = f" ({self.megapixels / self.seconds:.2f} megapixels a second)" if self.restored else ""
        return f"{said or 'nothing to do'} in {minutes}:{seconds:02}{rate}"

    def json(self) -> dict[str, Any]:
        """The same for machines, with every picture's report."""
        return {
            "restored": self.restored,
            "failed": [{"input": str(path), "error": why} for path, why in self.failed],
            "skipped": self.skipped,
            "ignored": self.ignored,
            "seconds": round(self.seconds, 3),
        }
