from __future__ import annotations

import pytest
import torch

from training.losses import LOSSES, STEP, charbonnier_edge, colour_shift, log_l1


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_answer_has_a_smaller_loss(name: str) -> None:
    target = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    losses = [float(LOSSES[name](target + error, target)) for error in (0.0, 0.01, 0.1)]
    assert losses == sorted(losses)
    assert losses[0] <= 2e-3


def test_the_logarithm_weighs_pictures_by_their_own_error() -> None:
    target = torch.zeros(2, 3, 4, 4)
    restored = torch.stack([torch.full((3, 4, 4), 100 * STEP), torch.full((3, 4, 4), 10 * STEP)]).requires_grad_()
    (gradient,) = torch.autograd.grad(log_l1(restored, target), restored)
    hard, easy = gradient.flatten(1).sum(1)
    assert easy / hard == pytest.approx(101 / 11, rel=1e-5)


def test_the_edge_loss_sees_a_blurred_edge_that_the_mean_does_not() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., 4:] = 1
    flat, blurred = target + 0.125, target.clone()
    blurred[..., 3:5] = 0.5
    assert charbonnier_edge(blurred, target) > charbonnier_edge(flat, target)


def test_a_veil_shifts_colours_and_noise_does_not() -> None:
    degraded = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    chessboard = torch.ones(8, 8)
    chessboard[::2, ::2] = chessboard[1::2, 1::2] = -1
    assert float(colour_shift(degraded + 0.1 * chessboard, degraded)) == pytest.approx(0, abs=1e-6)
    veiled = degraded.clone()
    veiled[0, 1] += 3 * STEP
    veiled[1, 2] -= 3 * STEP
    assert float(colour_shift(veiled, degraded)) == pytest.approx(STEP, rel=1e-4)  # two of six channels
