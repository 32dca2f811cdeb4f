import json
import math

import pytest
import torch
from safetensors import safe_open
from torch import nn

from modelzoo.training.batches import Minibatches
from modelzoo.training.checkpoints import Checkpoint
from modelzoo.training.fit import History, fit, seeded
from modelzoo.training.schedules import one_cycle


class Scripted:
    """Validates by script: the epoch's score, whatever the model."""

    def __init__(self, *scores):
        self.scores = list(scores)

    def __call__(self, model):
        assert not model.training
        return self.scores.pop(0)


def build(seed=0):
    with seeded(seed):
        return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1))


def batches(epoch):
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(epoch))
    return Minibatches(x, (x[:, :1] > 0).float(), 8, (1, epoch))


def accuracy(model):
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(99))
    return ((model(x) > 0) == (x[:, :1] > 0)).float().mean().item()


def run(model, validate=accuracy, optimizer=torch.optim.AdamW, **arguments):
    defaults = {"epochs": 6, "patience": 6, "seed": 3, "progress": False}
    return fit(
        model,
        batches,
        validate,
        optimizer=optimizer(model.parameters(), lr=0.05),
        **defaults | arguments,
    )


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_it_learns():
    model = build()
    history = run(model, epochs=20, patience=20)
    assert history.best_score > 0.95 and history.best_score == pytest.approx(accuracy(model))
    assert not model.training


def test_it_stops_when_patience_is_spent_and_returns_the_best_weights():
    model, short = build(), build()
    history = run(model, Scripted(0.5, 0.7, 0.6, 0.7, 0.8), patience=2, epochs=5)
    assert history.scores == [0.5, 0.7, 0.6, 0.7]  # an equal score is no improvement
    assert (history.best_epoch, history.best_score) == (1, 0.7)
    run(short, Scripted(0.5, 0.7), epochs=2)
    assert same(model, short)


def test_one_seed_is_one_result_and_another_is_another():
    one, two, other = build(), build(), build()
    for model, seed in ((one, 3), (two, 3), (other, 4)):
        torch.rand(7)  # what was drawn elsewhere is no matter
        run(model, seed=seed)
    assert same(one, two) and not same(one, other)


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(build())
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("killed_after", [1, 3, 5])
@pytest.mark.parametrize("momentum", [False, True], ids=["adamw", "sgd"])
def test_a_killed_run_resumes_to_the_same_bytes(tmp_path, killed_after, momentum):
    def optimizer(parameters, lr):
        if not momentum:
            return torch.optim.AdamW(parameters, lr=lr)
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=True)

    def kill(history):
        if len(history.scores) == killed_after:
            raise KeyboardInterrupt

    arguments = {"optimizer": optimizer, "schedule": one_cycle}
    whole = build()
    expected = run(whole, **arguments)
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", {})
    with pytest.raises(KeyboardInterrupt):
        run(build(), checkpoint=checkpoint, after_epoch=kill, **arguments)
    resumed = build(seed=77)  # its weights come from the checkpoint
    history = run(resumed, checkpoint=checkpoint, **arguments)
    assert history == expected and same(resumed, whole)


def test_a_finished_run_is_taken_from_its_checkpoint(tmp_path):
    checkpoint, first, second = Checkpoint(tmp_path / "c", {}), build(), build(seed=8)
    run(first, checkpoint=checkpoint)
    run(second, Scripted(), checkpoint=checkpoint)
    assert same(first, second)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "c"
    run(build(), checkpoint=Checkpoint(path, {"task": "GATA3", "seed": 1}))
    with pytest.raises(ValueError, match=r"c belongs to another run, which differs in: task;"):
        run(build(), checkpoint=Checkpoint(path, {"task": "FOXM1", "seed": 1}))


def test_equal_runs_leave_checkpoints_of_equal_bytes(tmp_path):
    paths = [tmp_path / str(number) for number in range(8)]  # by chance, orders would agree once
    for path in paths:
        run(build(), epochs=1, checkpoint=Checkpoint(path, {"task": "é"}))
    assert len({path.read_bytes() for path in paths}) == 1


def test_a_checkpoint_holds_tensors_and_text_alone(tmp_path):
    path = tmp_path / "c"
    history = run(build(), checkpoint=Checkpoint(path, {}))
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["scores"]) == history.scores
        assert {key.partition(".")[0] for key in file.keys()} == {"model", "best", "optimizer"}  # noqa: SIM118
    assert list(tmp_path.iterdir()) == [path]


def test_the_schedule_is_followed_within_and_across_epochs():
    rates, model = [], build()
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
    optimizer.register_step_pre_hook(lambda o, a, k: rates.append(o.param_groups[0]["lr"]))
    fit(
        model,
        lambda epoch: [(torch.zeros(1, 3), torch.zeros(1, 1))] * 4,
        lambda model: 0.0,
        optimizer=optimizer,
        epochs=3,
        patience=3,
        schedule=lambda done: 1 - done,
        progress=False,
    )
    assert rates == pytest.approx([2 * (1 - step / 12) for step in range(12)])
    assert optimizer.param_groups[0]["lr"] == 2.0


@pytest.mark.parametrize("nothing", [math.nan, None])
def test_an_epoch_without_a_score_is_never_the_best(nothing):
    model, short = build(), build()
    history = run(model, Scripted(nothing, 0.7, nothing, 0.6), epochs=4)
    assert (history.best_epoch, history.best_score) == (1, 0.7)
    run(short, Scripted(nothing, 0.7), epochs=2)
    assert same(model, short)


def test_where_no_epoch_is_judged_the_last_weights_stay():
    model, whole = build(), build()
    history = run(model, Scripted(None, None), epochs=2)
    assert history.best_epoch is None
    run(whole, Scripted(0.1, 0.2), epochs=2)
    assert same(model, whole)
    with pytest.raises(RuntimeError, match="no epoch has a validation score"):
        assert history.best_score


def test_a_training_without_a_single_score_failed():
    with pytest.raises(RuntimeError, match=r"no score of 3 epochs is a number.*diverged"):
        run(build(), Scripted(*[math.nan] * 3), patience=3)


def test_the_model_may_be_changed_before_an_epoch_with_its_batches_at_hand():
    model, seen = build(), []

    def prepare(epoch, batches):
        seen.append((epoch, len(batches)))
        with torch.no_grad():
            model[0].weight.zero_()

    model[0].weight.requires_grad_(False)
    run(model, epochs=3, before_epoch=prepare)
    assert seen == [(0, 7), (1, 7), (2, 7)] and not model[0].weight.any()


@pytest.mark.parametrize("keep", [4, 100, 2000])
def test_a_damaged_checkpoint_is_named(tmp_path, keep):
    path = tmp_path / "c"
    run(build(), checkpoint=Checkpoint(path, {}))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="c: expected a checkpoint, got a damaged file"):
        run(build(), checkpoint=Checkpoint(path, {}))


def test_tensors_that_are_no_checkpoint_are_named(tmp_path):
    from safetensors.torch import save_file

    save_file({"model.0.weight": torch.zeros(3)}, tmp_path / "c")
    with pytest.raises(ValueError, match="c: expected a checkpoint, got another file; remove it"):
        run(build(), checkpoint=Checkpoint(tmp_path / "c", {}))


@pytest.mark.parametrize(
    ("metadata", "tensor"),
    [
        ({"identity": "{"}, "model.0.weight"),
        ({"identity": "[" * 10**5}, "model.0.weight"),
        ({"scores": "3"}, "model.0.weight"),
        ({}, "model.other"),
        ({}, "optimizer.x.step"),
    ],
)
def test_a_checkpoint_of_other_things_is_named(tmp_path, metadata, tensor):
    from safetensors.torch import load_file, save_file

    path = tmp_path / "c"
    run(build(), checkpoint=Checkpoint(path, {}))
    told = {"identity": "{}", "scores": "[0.5]", **metadata}
    save_file({**load_file(path), tensor: torch.zeros(4, 4, 3)}, path, told)
    with pytest.raises(ValueError, match="c: expected a checkpoint, got a damaged file"):
        run(build(), checkpoint=Checkpoint(path, {}))


def test_a_seed_is_not_negative():
    with pytest.raises(ValueError, match="seed: expected a whole number from 0, got -1"):
        run(build(), seed=-1)


def test_the_time_of_every_epoch_is_taken():
    history = run(build(), epochs=3)
    assert len(history.seconds) == 3 and all(s >= 0 for s in history.seconds)


def test_half_precision_trains_too():
    model = build()
    assert run(model, epochs=20, patience=20, precision=torch.bfloat16).best_score > 0.9
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_an_epoch_may_end_the_run():
    def end(history):
        raise StopIteration

    with pytest.raises(StopIteration):
        run(build(), after_epoch=end)


def test_history_counts_epochs_since_the_first_best():
    history = History([0.1, 0.3, 0.3, 0.2])
    assert history.best_epoch == 1
    assert history.exhausted(2) and not history.exhausted(3)
    assert not History().exhausted(1)
