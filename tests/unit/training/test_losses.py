import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from nwb_neurid.training import ContrastiveLoss, VICRegLoss, losses


def drawn(seed, windows=2, units=6, dim=8):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, windows, units, dim, generator=generator, requires_grad=True)


def everywhere(views):
    return torch.ones(views.shape[:3], dtype=torch.bool)


@pytest.fixture
def contrastive():
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        return ContrastiveLoss(8)


def by_the_book(loss, views, seen):
    """The loss of one window, one unit after the other."""
    kept = [normalize(loss.projector(view[there]), dim=-1) for view, there in zip(views, seen, strict=True)]
    rows = [torch.cumsum(there, 0) - 1 for there in seen]
    total = torch.zeros(())
    for unit in torch.nonzero(seen.all(0))[:, 0]:
        for own, other in ((0, 1), (1, 0)):
            vector = kept[own][rows[own][unit]]
            across = [(vector @ kept[other][row]) / 0.2 for row in range(len(kept[other])) if row != rows[other][unit]]
            within = [vector @ kept[own][row] for row in range(len(kept[own])) if row != rows[own][unit]]
            columns = len(kept[0]) + len(kept[1])
            total = total + (torch.logsumexp(torch.stack(across + within), 0) - np.log(columns)) / 2
        total = total + (1 - kept[0][rows[0][unit]] @ kept[1][rows[1][unit]]) / 0.2
    return total


def test_contrastive_is_what_a_loop_over_units_gives(contrastive):
    views = drawn(0)
    seen = everywhere(views)
    seen[0, 0, 2] = seen[1, 1, 4] = seen[:, 0, 5] = False
    expected = sum(by_the_book(contrastive, views[:, window], seen[:, window]) for window in range(2))
    assert contrastive(views, seen).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("size", [1, 2 * 24, 2 * 2 * 6 * 5])
def test_contrastive_in_pieces_is_that_of_the_whole(contrastive, monkeypatch, size):
    views = drawn(0)
    seen = everywhere(views)
    seen[0, 0, 2] = seen[1, 1, 4] = seen[:, 0, 5] = False
    twins = torch.zeros(2, 6, 6, dtype=torch.bool)
    twins[0, 0, 1] = twins[0, 1, 0] = True
    whole = contrastive(views, seen, twins)
    expected = torch.autograd.grad(whole, views)[0]
    monkeypatch.setattr(losses, "MOST_SIMILARITIES", size)
    parts = contrastive(views, seen, twins)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts, views)[0], expected)


def test_padding_changes_nothing(contrastive):
    views = drawn(1)
    seen = everywhere(views)
    padded = torch.cat([views, 1e3 * drawn(2)], dim=2)
    wider = torch.cat([seen, torch.zeros_like(seen)], dim=2)
    for loss in (contrastive, VICRegLoss(8, expansion=0)):
        assert loss(padded, wider).item() == pytest.approx(loss(views, seen).item(), rel=1e-6)


def test_a_unit_alone_adds_nothing_and_its_slope_is_a_number(contrastive):
    views = drawn(3)
    seen = everywhere(views)
    seen[:, 0, 1:] = False
    loss = contrastive(views, seen)
    loss.backward()
    assert loss.item() == pytest.approx(contrastive(views[:, 1:], seen[:, 1:]).item())
    assert torch.isfinite(views.grad).all()
    assert not views.grad[:, 0].any()


def test_twins_are_no_negatives(contrastive):
    views = drawn(4, windows=1)
    twins = torch.zeros(1, 6, 6, dtype=torch.bool)
    twins[0, 0, 1] = twins[0, 1, 0] = True
    moved = views.detach().clone()
    moved[:, 0, 1] += torch.randn(8, generator=torch.Generator().manual_seed(5))
    only_first = everywhere(views)
    only_first[0, 0, 1:] = False  # the first view holds unit 0 alone: only its negatives are left
    only_first[1, 0, 2:] = False
    lone = contrastive(views, only_first, twins), contrastive(moved, only_first, twins)
    assert lone[0].item() == lone[1].item() == 0
    assert contrastive(views, only_first).item() != contrastive(moved, only_first).item()


def test_temperature_within_a_view_is_a_choice():
    views = drawn(6)
    paper = ContrastiveLoss(8, within_view_temperature=True)
    code = ContrastiveLoss(8)
    code.load_state_dict(paper.state_dict())
    assert (paper.within, code.within) == (0.2, 1.0)
    assert paper(views, everywhere(views)).item() > code(views, everywhere(views)).item()


@pytest.fixture(params=["spikes", "calcium"])
def official(request, shared_golden):
    with np.load(shared_golden / f"nuclr_{request.param}_values.npz") as file:
        values = {name: file[name] for name in file.files}
    return request.param, shared_golden, values


def laid_out(values):
    """Both windows on one axis of units: a matched unit has the row that it has in the first view."""
    first = np.r_[0, np.cumsum(values["sizes"])]
    views = torch.zeros(2, 2, 2 * int(values["sizes"].max()), values["embedding1"].shape[1])
    seen = torch.zeros(views.shape[:3], dtype=torch.bool)
    for window in range(2):
        matched = values[f"match{window}"]
        rows = {int(second): int(row) for row, second in matched.T}
        for unit in range(int(values["sizes"][window])):
            for view, row in ((0, unit), (1, rows.get(unit, unit + int(values["sizes"].max())))):
                views[view, window, row] = torch.from_numpy(values[f"embedding{view + 1}"][first[window] + unit])
                seen[view, window, row] = True
    return views, seen


def test_contrastive_is_the_official_one(official):
    from safetensors.torch import load_file

    kind, folder, values = official
    loss = ContrastiveLoss(32)
    loss.load_state_dict(load_file(folder / f"nuclr_{kind}_loss_weights.safetensors"))
    views, seen = laid_out(values)
    assert loss(views, seen).item() / seen.all(0).sum() == pytest.approx(float(values["loss"]), rel=1e-5)


def test_vicreg_is_the_official_one(official):
    _, _, values = official
    views, seen = laid_out(values)
    loss = VICRegLoss(32, expansion=0)
    terms = loss.terms(
        [view[there] for view, there in zip(views, seen, strict=True)], [seen.all(0)[there] for there in seen]
    )
    for name, term in zip(("inv", "var", "cov"), terms, strict=True):
        assert term.item() == pytest.approx(float(values[f"vicreg_{name}"]), rel=1e-4)
    assert loss(views, seen).item() / seen.all(0).sum() == pytest.approx(float(values["vicreg"]), rel=1e-4)
