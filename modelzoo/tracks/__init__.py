"""Files that leave: attributions and predictions in the formats that other programs read."""
