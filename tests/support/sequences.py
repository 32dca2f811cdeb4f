"""Text of files of sequences."""

FASTA = ">one a comment\nACGTACGTACGTACGT\n>two\nacgtnnacgtacgtrya\nC\n"
BROKEN = FASTA + ">three\nACG!TACGT\n>four\n>five\nAAAAAAAAAAAA\n"
