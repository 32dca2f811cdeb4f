"""Attribution methods, and what the parts of an ExplaiNN contribute."""
