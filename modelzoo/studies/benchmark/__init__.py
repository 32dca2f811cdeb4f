"""Attribution methods against truth: many models, on data whose rules are known."""
