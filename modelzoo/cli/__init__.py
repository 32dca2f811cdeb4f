"""The `shiftsmooth` command."""
