#!/usr/bin/env python3
"""One line in, at most one line out: carrier <TAB> departure delay in minutes."""

import csv
import sys

for row in csv.reader(sys.stdin):
    delay, carrier = row[5], row[9]
    if delay not in ("", "NA", "dep_delay"):  # cancelled flights have none; the first line is the header
        print(carrier, delay, sep="\t")
