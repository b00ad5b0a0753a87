"""``python -m emrlab`` is the command line."""

from emrlab.cli import main

if __name__ == "__main__":
    main(prog_name="emrlab")
