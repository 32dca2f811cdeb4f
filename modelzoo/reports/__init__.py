"""What every report is made of: the page, tables and figures."""
