"""`python -m vcgen`."""

from vcgen.cli import main

if __name__ == "__main__":
    main()
