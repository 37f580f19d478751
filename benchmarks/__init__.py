"""What vcgen costs, side by side with its peers, in one run: `python -m benchmarks --help`."""
