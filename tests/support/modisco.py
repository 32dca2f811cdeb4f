"""A stand-in for TF-MoDISco, which takes half a minute."""

from types import SimpleNamespace


def fake_patterns(counts):
    """What TF-MoDISco returns, of one-hot sequences that hold ACGTACGT in the middle."""

    def run(one_hot, hypothetical_contribs, **settings):
        assert one_hot.shape == hypothetical_contribs.shape
        assert one_hot.shape[2] == 4
        contributions = (one_hot * hypothetical_contribs).mean(0)
        return [
            [
                SimpleNamespace(
                    contrib_scores=sign * contributions,
                    sequence=one_hot.mean(0),
                    seqlets=[None] * count,
                )
                for count in found
            ]
            or None
            for sign, found in zip((1, -1), counts)
        ]

    return run
