from __future__ import annotations

import numpy as np

from benchmarks.sheets import CAPTION, GAP, Row, page

GREY = np.full((8, 12, 3), 0.5, np.float32)


def test_a_caption_has_the_inputs_figure_beside_that_of_the_answer() -> None:
    row = Row("denoise", GREY + np.float32(0.1), GREY + np.float32(0.01), GREY)
    assert row.caption == "denoise: 20.00 dB as it came, 40.00 dB restored"


def test_a_row_shows_input_answer_and_target_from_the_middle() -> None:
    target = GREY.copy()
    target[4, 6] = 1.0
    sheet = np.asarray(page([Row("x", GREY * 0, GREY, target)], width=4, height=2))
    cells = [sheet[GAP + CAPTION :][:2, left : left + 4] for left in (GAP, 2 * GAP + 4, 3 * GAP + 8)]
    assert [int(cell[0, 0, 0]) for cell in cells] == [0, 128, 128]
    assert cells[2][1, 2].tolist() == [255, 255, 255]


def test_a_smaller_input_is_shown_as_large_as_the_target() -> None:
    small = np.zeros((4, 6, 3), np.float32)
    sheet = np.asarray(page([Row("x", small, GREY, GREY)], width=12, height=8))
    assert not sheet[GAP + CAPTION : GAP + CAPTION + 8, GAP : GAP + 12].any()
