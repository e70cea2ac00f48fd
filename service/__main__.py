"""`python -m service` is `magiclink`."""

from service.cli import main

main(prog_name="magiclink")
