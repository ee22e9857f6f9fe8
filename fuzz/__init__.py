"""Coverage-guided fuzzing of everything that a stranger or an operator hands to the sidecar: `make fuzz SECONDS=60`.

Each harness is one file with one function `one_input`, which fails if an invariant does not hold. run.py runs them.
"""
