"""`python -m service` is `magiclink`."""

from service.commands.main import main

main(prog_name="magiclink")
