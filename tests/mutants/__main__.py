"""`python -m mutants NAME WORDS…`: the hub's command with one seeded fault in it."""

import sys

from hub.cli import main
from mutants import MUTANTS

MUTANTS[sys.argv[1]].put_in(setattr)
sys.exit(main(sys.argv[2:]))
