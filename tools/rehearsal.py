"""The dress rehearsal: tools/rehearsal.py [FOLDER] (default: a temporary one that is deleted when all is well)."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from cmm_nb.use.rehearsal import rehearse

if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    stage = Path(given or tempfile.mkdtemp(prefix="rehearsal "))
    start = time.time()
    outcome = rehearse(stage)
    print(f"\npage: {stage / 'runs' / 'report' / 'report.html'}; {(time.time() - start) / 60:.1f} minutes")
    print(outcome)
    if outcome.ok and not given:
        shutil.rmtree(stage)
    sys.exit(not outcome.ok)
