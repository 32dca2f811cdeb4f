"""How the shipped models were made: one loop, and what each kind of model brings to it."""
