#!/bin/bash
# A bootstrap action: EMR runs it on every node, before the applications start.
# On real EMR this is the place for "sudo dnf install" or "sudo python3 -m pip install".
set -e
echo "$1 from $(hostname), one of the nodes" | tee "$HOME/greeting.txt"
