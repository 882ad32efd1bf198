"""`python -m tests.sabotage [WORD ...]`: all mutations, or those whose name has one of the words in it."""

import sys
import tempfile
import time
from pathlib import Path

from tests.sabotage.campaign import ROOT, CampaignFailed, campaign, changes, copy_tree, fingerprints
from tests.sabotage.mutations import MUTATIONS
from tests.sabotage.training_mutations import TRAINING_MUTATIONS

EVERY = (*MUTATIONS, *TRAINING_MUTATIONS)


def say(text: str) -> None:
    """Show progress at once, also through a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(words: list[str]) -> int:
    """Run the campaign; return 0 where every mutation was killed and the work tree is as it was."""
    chosen = [m for m in EVERY if not words or any(word.lower() in m.name.lower() for word in words)]
    if not chosen:
        say(f"no mutation is named like {' or '.join(words)}; there are:")
        say("\n".join(f"  {mutation.name}" for mutation in EVERY))
        return 2
    before, start, killed, survivors = fingerprints(ROOT), time.monotonic(), 0, []
    with tempfile.TemporaryDirectory(prefix="quakeslide-sabotage-") as folder:
        copy = Path(folder) / "tree"
        copy.mkdir()
        copy_tree(ROOT, copy)
        say(f"{len(chosen)} mutations, one at a time, in a copy; first all their tests without any ...")
        try:
            for number, (mutation, is_killed, ran, seconds) in enumerate(campaign(chosen, copy), 1):
                fate = f"killed by {ran.failed[0].rsplit('::', 1)[-1]}" if is_killed else "SURVIVED"
                say(f"{number:3}/{len(chosen)}  {seconds:4.0f} s  {mutation.name}: {fate}")
                killed += is_killed
                survivors += [] if is_killed else [mutation]
        except CampaignFailed as failure:
            say(f"the campaign failed: {failure}")
            return 1
    for mutation in survivors:
        say(f"survived: {mutation.name} ({mutation.file}); {', '.join(mutation.tests)} did not notice")
    changed = changes(before, fingerprints(ROOT))
    if changed:
        names = ", ".join(changed[:8]) + (f" and {len(changed) - 8} more" if len(changed) > 8 else "")
        say(f"the work tree is not as it was when the campaign began; did somebody edit it? {names}")
    say(f"{time.monotonic() - start:.0f} s")
    say(f"{killed} of {len(chosen)} mutations killed")
    return 0 if killed == len(chosen) and not changed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
