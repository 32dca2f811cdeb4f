"""The study of the zoo's factors: which expert knows what, and whether adding experts helps."""
