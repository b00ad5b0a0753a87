#!/usr/bin/env python3
"""Hadoop has sorted the mappers' lines by carrier: mean the delays of each."""

import sys
from itertools import groupby

pairs = (line.rstrip("\n").split("\t") for line in sys.stdin)
for carrier, group in groupby(pairs, key=lambda pair: pair[0]):
    delays = [float(delay) for _, delay in group]
    print(carrier, f"{sum(delays) / len(delays):.2f}", sep="\t")
