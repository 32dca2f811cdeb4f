"""A recipe gives its optimizer and changes its rate as its paper says."""

import pytest
from torch import nn, optim

from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.recipes import Recipe, warmed_up
from modelzoo.training.fit import History

PUBLISHED = {
    "global-max": ("Adam", 1e-3, 100),
    "deepbind": ("SGD", 0.03, 64),
    "dilated": ("Adam", 4e-3, 128),
    "basset": ("RMSprop", 2e-3, 128),
    "deepstarr": ("Adam", 2e-3, 128),
    "danq": ("RMSprop", 1e-3, 100),
    "explainn": ("Adam", 3e-3, 100),
}


def stepped(recipe, scores):
    """The rates before each epoch of a training with these validation scores."""
    layer = nn.Linear(1, 1)
    optimizer = recipe.of(layer)
    after, history, rates = recipe.after_epoch(optimizer), History(), []
    for score in scores:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        history.scores.append(score)
        after(history)
    return rates


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_model_is_trained_as_its_paper_says(model):
    recipe = MODELS[model].recipe
    assert (recipe.optimizer, recipe.rate, recipe.batch) == PUBLISHED[model]


@pytest.mark.parametrize("model", MODELS)
def test_every_recipe_names_its_paper_and_gives_its_optimizer(model):
    recipe = MODELS[model].recipe
    group = recipe.of(nn.Linear(2, 1)).param_groups[0]
    assert recipe.source[-4:].isdigit() and group["lr"] == recipe.rate
    assert {name: group[name] for name in recipe.options} == recipe.options


def test_on_a_plateau_the_rate_falls_to_a_fifth():
    recipe = Recipe("", "Adam", 1e-3, 10, decay="plateau")
    rates = stepped(recipe, [0.5, 0.6, *[0.6] * 6, 0.7])
    assert rates[:8] == [1e-3] * 8 and rates[8] == pytest.approx(2e-4)
    assert set(stepped(recipe, [0.5 + 0.01 * epoch for epoch in range(20)])) == {1e-3}


def test_by_steps_the_rate_is_halved_every_ten_epochs():
    rates = stepped(Recipe("", "Adam", 0.01, 10, decay="steps"), [0.5] * 21)
    assert rates == pytest.approx([0.01] * 10 + [0.005] * 10 + [0.0025])


def test_warming_up_takes_a_tenth_and_ends_at_nothing():
    assert Recipe("", "AdamW", 1, 1, decay="warm-up").schedule() is warmed_up
    assert [warmed_up(done) for done in (0, 0.05, 0.1, 0.55, 1)] == pytest.approx(
        [0, 0.5, 1, 0.5, 0]
    )
    assert Recipe("", "Adam", 1, 1).schedule() is None


def test_a_recipe_in_words_tells_its_numbers():
    recipe = Recipe("", "SGD", 0.01, 64, {"momentum": 0.98, "nesterov": True}, decay="steps")
    told = "SGD, rate 0.01, halved every 10 epochs; momentum 0.98; nesterov; batches of 64"
    assert recipe.in_words == told
    assert Recipe("", "Adam", 1e-3, 100).in_words == "Adam, rate 0.001; batches of 100"


def test_a_constant_rate_stays():
    assert isinstance(Recipe("", "SGD", 0.1, 1).of(nn.Linear(1, 1)), optim.SGD)
    assert stepped(Recipe("", "SGD", 0.1, 1), [0.5] * 12) == [0.1] * 12
