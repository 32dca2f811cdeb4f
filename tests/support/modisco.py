"""A stand-in for TF-MoDISco, which takes half a minute."""

from types import SimpleNamespace


def fake_patterns(counts):
    """What TF-MoDISco returns, of one-hot sequences that hold ACGTACGT in the middle."""

    def run(one_hot, hypothetical_contribs, **settings):
        assert one_hot.shape == hypothetical_contribs.shape
        assert one_hot.shape[2] == 4
        contributions = (one_hot * hypothetical_contribs).mean(0)
        flat = one_hot.mean(0)
        parts = {"sequence": flat, "contrib_scores": flat, "hypothetical_contribs": flat}
        seqlet = SimpleNamespace(start=0, end=20, example_idx=0, is_revcomp=False, **parts)
        return [
            [
                SimpleNamespace(
                    contrib_scores=sign * contributions,
                    hypothetical_contribs=sign * contributions,
                    sequence=flat,
                    seqlets=[seqlet] * count,
                    subclusters=None,
                )
                for count in found
            ]
            or None
            for sign, found in zip((1, -1), counts)
        ]

    return run
