"""The search for an expert's hyper-parameters: Optuna, on validation AUC alone (equation 11).

A trial trains for a few epochs on a part of the peaks, in half precision, and is pruned early where
others did better. So little data favours small models: the best trial of either depth is trained
again on all of the peaks, and the better of the two is what was found.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from modelzoo.datasets.peaks import read_peaks, split_peaks, task_of
from modelzoo.files import write_atomically
from modelzoo.training.expert import ExpertParams, PeakBatches, Validation, fit_expert
from modelzoo.training.fit import History

TRIAL_EPOCHS = 5
TRIAL_PEAKS = 4_000


def search(
    source: str | Path,
    trials: int = 40,
    *,
    out: str | Path,
    seed: int = 0,
    storage: str | Path | None = None,
    progress: bool = True,
) -> ExpertParams:
    """Return the best parameters of ``trials`` trials; write them and the study as text.

    Args:
        source: A factor, or a file of peaks, as for
            :func:`modelzoo.training.expert.train_expert`.
        trials: How many to have in all, those already in ``storage`` counted.
        out: Folder for ``deepbind-<task>.csv``, a row a trial, and ``deepbind-<task>.toml``,
            the best parameters.
        seed: Decides the sampler, the weights and the shuffles.
        storage: Optuna journal file. A search that was stopped goes on where it ended.
        progress: Show a bar of the trials.
    """
    task = task_of(source)
    train, held_out = split_peaks(read_peaks(source))
    rows = np.sort(np.random.default_rng(seed).permutation(len(train))[:TRIAL_PEAKS])
    batches = PeakBatches(train[rows], seed, keep=True)
    validation = Validation(held_out)

    def objective(trial: optuna.Trial) -> float:
        params = _suggest(trial)

        def report(history: History) -> None:
            epoch = len(history.scores) - 1
            trial.report(history.scores[-1], epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        _, history = fit_expert(
            params,
            task,
            batches,
            validation,
            seed=seed,
            on_epoch=report,
            progress=False,
        )
        return history.best_score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(task, storage)
    done = sum(t.state.is_finished() for t in study.trials)
    study.sampler = _sampler(seed + done)  # a resumed search must not draw the same trials again
    study.optimize(objective, n_trials=max(trials - done, 0), show_progress_bar=progress)

    for trial in _finalists(study):
        if _final(trial) not in study.user_attrs:
            _, history = fit_expert(
                _params(trial.params),
                task,
                PeakBatches(train, seed),
                validation,
                seed=seed,
                progress=progress,
            )
            study.set_user_attr(_final(trial), history.best_score)
    best = _params(max(_finalists(study), key=lambda t: study.user_attrs[_final(t)]).params)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"deepbind-{task.lower()}.csv", _table(study).encode())
    write_atomically(folder / f"deepbind-{task.lower()}.toml", best.to_toml().encode())
    return best


def _study(task: str, storage: str | Path | None) -> optuna.Study:
    backend = None
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
        # "group", what lets one model span the parameters of either depth, warns of being new
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def _suggest(trial: optuna.Trial) -> ExpertParams:
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
    return _params(trial.params, epochs=TRIAL_EPOCHS)


def _params(found: dict[str, Any], **fixed: Any) -> ExpertParams:
    """Return the parameters that a trial's suggestions stand for."""
    layers: dict[str, Any]
    if found["depth"] == 1:
        layers = {"filters": (found["filters"],), "widths": (found["width"],)}
    else:
        layers = {
            "filters": (found["filters_1"], found["filters_2"]),
            "widths": (found["width_1"], found["width_2"]),
        }
    names = ("pooling", "dropout", "learning_rate", "weight_decay", "batch_size")
    values = {name: found[name] for name in names}
    return ExpertParams(**layers, **values, precision="bfloat16", **fixed)


def _table(study: optuna.Study) -> str:
    """Return the study as CSV: a row a trial, with its state, AUC, epochs and parameters."""
    names = [
        field.name
        for field in dataclasses.fields(ExpertParams)
        if field.name not in ("epochs", "precision")
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "validation_auc", "epochs", "all_peaks_auc", *names])
    for trial in study.trials:
        seen = trial.intermediate_values.values()
        if not seen:
            continue
        params = dataclasses.asdict(_params(trial.params))
        values = [
            "+".join(map(str, v)) if isinstance(v := params[name], tuple) else v for name in names
        ]
        final = study.user_attrs.get(_final(trial), "")
        scores = [f"{max(seen):.4f}", len(seen), f"{final:.4f}" if final else ""]
        writer.writerow([trial.number, trial.state.name, *scores, *values])
    return text.getvalue()
