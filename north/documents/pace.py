"""How fast a pass is."""

from __future__ import annotations

import time
from collections import deque

SAMPLES = 30


class Pace:
    """Things a second."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.samples: deque[tuple[float, int]] = deque([(self.began, 0)], maxlen=SAMPLES)

    def lately(self, seen: int) -> float:
        """Over the last samples, which is about half a minute where one is taken a second."""
        self.samples.append((time.monotonic(), seen))
        (then, before), (now, _seen) = self.samples[0], self.samples[-1]
        return round((seen - before) / max(now - then, 0.001), 3)

    def overall(self, seen: int) -> float:
        return round(seen / max(time.monotonic() - self.began, 0.001), 3)
