"""The search for an expert's hyper-parameters: Optuna, on validation AUC alone (equation 11).

A trial trains for a few epochs on a part of the peaks, in half precision, and is pruned early where
others did better. So little data favours small models: the best trial of either depth is trained
again on all of the peaks, and the better of the two is what was found.
"""

from __future__ import annotations

import csv
import functools
import io
import math
import warnings
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from modelzoo.datasets.peaks import Peaks, Source
from modelzoo.errors import working
from modelzoo.files import write_atomically
from modelzoo.training.checkpoints import refuse_other
from modelzoo.training.expert import ExpertParams, Recipe, fit_expert, untrained
from modelzoo.training.fit import History, seeded
from modelzoo.training.run_folder import data_digest

_COLUMNS = (
    "pooling",
    "dropout",
    "learning_rate",
    "weight_decay",
    "batch_size",
    "filters",
    "widths",
)


def search(
    source: Source,
    trials: int = 40,
    *,
    out: str | Path,
    seed: int = 0,
    storage: str | Path | None = None,
    trial_epochs: int = 5,
    trial_peaks: int = 4_000,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> Recipe:
    """Return the best recipe of `trials` trials; write it and the study as text.

    Args:
        source: A data set, or a file of peaks, as for `modelzoo.training.expert.train_expert`.
        trials: How many to have in all, those already in `storage` counted.
        out: Folder for `deepbind-<task>.csv`, a row a trial, and `deepbind-<task>.toml`, the best
            recipe.
        seed: Decides the sampler, the weights and the shuffles.
        storage: Optuna journal file. A search that was stopped resumes.
        trial_epochs: The epochs of a trial.
        trial_peaks: The peaks that a trial trains on.
        device: Where the experts are trained.
        progress: Show a bar of the trials.

    Raises:
        ValueError: An argument does not fit, or `storage` is damaged or of another search.
    """
    if trials < 1:
        raise ValueError(f"trials: expected at least 1, got {trials}")
    if Path(out).exists() and not Path(out).is_dir():
        raise ValueError(f"out: expected a folder, got the file {out}")
    suggest = functools.partial(_suggest, epochs=trial_epochs)
    with seeded(seed):
        pass  # refuses a wrong one
    peaks = Peaks([source])
    (task,) = peaks.tasks
    fewer = peaks.fewer(trial_peaks, seed)
    fewer.epoch = functools.cache(fewer.epoch)  # type: ignore[method-assign]  # same in all trials
    study = _study(task, storage)
    _claim(
        study,
        Path(storage or ""),
        {"data": data_digest(peaks, seed), "seed": seed}
        | {"trial_epochs": trial_epochs, "trial_peaks": trial_peaks},
    )

    def objective(trial: optuna.Trial) -> float:
        def report(history: History) -> None:
            score = history.scores[-1]
            if score is None or math.isnan(score):
                raise optuna.TrialPruned
            trial.report(score, len(history.scores) - 1)
            if trial.should_prune():
                raise optuna.TrialPruned

        return _score(suggest(trial), task, fewer, seed, device, report)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    done = sum(t.state.is_finished() for t in study.trials)
    study.sampler = _sampler(seed + done)  # a resumed search must not draw the same trials again
    with working():
        study.optimize(objective, n_trials=max(trials - done, 0), show_progress_bar=progress)
        if not _finalists(study):
            raise ValueError(f"none of {trials} trials was trained to the end")
        for trial in _finalists(study):
            if _final(trial) not in study.user_attrs:
                score = _score(_recipe(trial.params), task, peaks, seed, device)
                study.set_user_attr(_final(trial), score)
    best = _recipe(max(_finalists(study), key=lambda t: study.user_attrs[_final(t)]).params)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"deepbind-{task.lower()}.csv", _table(study).encode())
    write_atomically(folder / f"deepbind-{task.lower()}.toml", best.to_toml().encode())
    return best


def _score(
    recipe: Recipe,
    task: str,
    data: Peaks,
    seed: int,
    device: torch.device | str,
    report: Any = None,
) -> float:
    """Return the validation AUC of an expert that is trained by a recipe."""
    model = untrained(task, recipe.config, seed=seed).to(device)
    options = {"seed": seed, "after_epoch": report, "progress": False}
    return fit_expert(model, data, recipe.params, **options).best_score


def _study(task: str, storage: str | Path | None) -> optuna.Study:
    backend = None
    try:
        if storage is not None:
            Path(storage).parent.mkdir(parents=True, exist_ok=True)
            backend = JournalStorage(JournalFileBackend(str(storage)))
        return optuna.create_study(
            study_name=task,
            direction="maximize",
            pruner=optuna.pruners.PercentilePruner(33.0, n_startup_trials=4, n_warmup_steps=1),
            storage=backend,
            load_if_exists=True,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"storage: expected an Optuna journal, got the damaged file {storage} ({error!r})"
        ) from error


def _claim(study: optuna.Study, storage: Path, identity: dict[str, Any]) -> None:
    """Note what a search is of; refuse the journal of another."""
    if study.trials or "identity" in study.user_attrs:
        refuse_other(storage, study.user_attrs.get("identity", {}), identity)
    study.set_user_attr("identity", identity)


def _finalists(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the best trial of each depth that was tried to the end."""
    done = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    best = {t.params["depth"]: t for t in sorted(done, key=lambda t: t.values[0])}
    return [best[depth] for depth in sorted(best)]


def _final(trial: optuna.trial.FrozenTrial) -> str:
    """Return the study's name for the AUC of a trial's parameters on all of the peaks."""
    return f"trial {trial.number} on all peaks"


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        # "group", which lets one model span the parameters of either depth, warns of being new
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def _suggest(trial: optuna.Trial, **fixed: Any) -> Recipe:
    if trial.suggest_int("depth", 1, 2) == 1:
        trial.suggest_categorical("filters", [64, 128])
        trial.suggest_int("width", 11, 21, step=2)
    else:
        trial.suggest_categorical("filters_1", [32, 48, 64])
        trial.suggest_int("width_1", 9, 17, step=2)
        trial.suggest_categorical("filters_2", [32, 64, 96])
        trial.suggest_int("width_2", 3, 7, step=2)
    trial.suggest_categorical("pooling", ["max", "max+mean"])
    trial.suggest_float("dropout", 0.0, 0.3)
    trial.suggest_float("learning_rate", 4e-3, 2e-2, log=True)
    trial.suggest_float("weight_decay", 1e-4, 1e-1, log=True)
    trial.suggest_categorical("batch_size", [128, 256])
    return _recipe(trial.params, **fixed)


def _recipe(found: dict[str, Any], **fixed: Any) -> Recipe:
    """Return the recipe that a trial's suggestions stand for."""
    layers = ("",) if found["depth"] == 1 else ("_1", "_2")
    config = {
        "filters": [found[f"filters{layer}"] for layer in layers],
        "widths": [found[f"width{layer}"] for layer in layers],
    } | {name: found[name] for name in ("pooling", "dropout")}
    values = {name: found[name] for name in ("learning_rate", "weight_decay", "batch_size")}
    return Recipe(ExpertParams(**values, precision="bfloat16", **fixed), config)


def _table(study: optuna.Study) -> str:
    """Return the study as CSV: a row a trial, with its state, AUC, epochs and parameters."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "validation_auc", "epochs", "all_peaks_auc", *_COLUMNS])
    for trial in study.trials:
        seen = trial.intermediate_values.values()
        if not seen:
            continue
        recipe = _recipe(trial.params)
        every = {**recipe.config, **vars(recipe.params)}
        values = ["+".join(map(str, v)) if isinstance(v := every[n], list) else v for n in _COLUMNS]
        final = study.user_attrs.get(_final(trial), "")
        scores = [f"{max(seen):.4f}", len(seen), f"{final:.4f}" if final else ""]
        writer.writerow([trial.number, trial.state.name, *scores, *values])
    return text.getvalue()
