"""Writers and readers of the files that results leave in, one file per format."""
