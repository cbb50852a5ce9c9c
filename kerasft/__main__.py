"""`python -m kerasft`."""

from kerasft.cli import main

if __name__ == "__main__":
    main(prog_name="kerasft")
