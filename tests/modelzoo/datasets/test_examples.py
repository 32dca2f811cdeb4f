import numpy as np
import pytest
import torch

from modelzoo.datasets.examples import Simulated, examples, is_simulation
from modelzoo.datasets.peaks import Peaks
from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.datasets.tables import Table
from tests.support.peaks import fasta, planted
from tests.support.tables import labelled_rows, table


@pytest.fixture
def peaks(tmp_path):
    return fasta(tmp_path / "gata.fa", planted(60, "GATAAGAT"))


def test_files_of_peaks_are_peaks(peaks):
    assert isinstance(examples([peaks]), Peaks)


def test_one_table_is_all(tmp_path, peaks):
    path = table(tmp_path / "t.tsv", labelled_rows(60))
    assert isinstance(examples([path]), Table)
    with pytest.raises(ValueError, match="data: expected one table and nothing else, got 2"):
        examples([path, peaks])


def test_peaks_have_no_other_loss(peaks):
    with pytest.raises(ValueError, match="loss: peaks against shuffles are 'binary', got 'mse'"):
        examples([peaks], "mse")


def test_a_simulation_is_told_by_its_name_or_its_file():
    assert is_simulation("spi1") and is_simulation("mine.toml")
    assert not is_simulation("GATA3") and not is_simulation("mine.fa")


def test_simulated_epochs_are_new_sequences_and_those_held_out_stay():
    data = Simulated(Simulation.load("spi1"), size=20, held_out=10)
    assert data.tasks == ("spi1",) and data.length == 500
    codes, labels = data.held_out
    assert codes.shape == (10, 500) and labels.shape == (10, 1) and labels.sum() == 5
    first, again, other = data.epoch(0, 1), data.epoch(0, 1), data.epoch(1, 1)
    assert first[0].shape == (20, 500) and first[1].sum() == 10
    assert np.array_equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
