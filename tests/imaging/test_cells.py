from __future__ import annotations

import numpy as np
import pytest

from imaging.cells import cut, weight

CELL = 16


@pytest.mark.parametrize("extent", [CELL, 2 * CELL, 5 * CELL])
def test_the_weights_of_all_cells_add_up_to_one(extent: int) -> None:
    axis, total = cut(extent, CELL), np.zeros(extent)
    for index, origin in enumerate(axis.origins):
        total[origin : origin + CELL] += weight(CELL, index == 0, index == len(axis.cuts))
    np.testing.assert_allclose(total, 1, rtol=1e-15)
