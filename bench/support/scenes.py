"""Runs scenes on the test hosts of tests/e2e and prints their measurements as JSON."""
import json
import os
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for variable, program in (("PEERD", "peerd"), ("PEERCTL", "peerctl")):
    os.environ.setdefault(variable, str(ROOT / "build/release/bin" / program))
sys.path.insert(0, str(ROOT / "tests/e2e"))

import peer_lab  # noqa: E402
from support import measure  # noqa: E402


def run(name, scenes, only=(), sizes=None):
    """Runs each of `scenes`, or those named in `only`, in its own lab. `sizes`: keyword arguments by scene. Exits the program,
    with 1 if a scene failed."""
    figures, failed = {}, False
    for scene in scenes:
        if only and scene.__name__ not in only:
            continue
        print(scene.__name__, file=sys.stderr)
        lab = peer_lab.Lab(name)
        wrong = True
        try:
            load, stolen = round(os.getloadavg()[0], 1), measure.stolen_seconds()
            measured = scene(lab, **(sizes or {}).get(scene.__name__, {}))
            figures[scene.__name__] = dict(measured, load_before=load,
                                           stolen_cpu_s=round(measure.stolen_seconds() - stolen, 2))
            wrong = False
        except peer_lab.Skipped as reason:
            figures[scene.__name__] = {"skipped": str(reason)}
            wrong = False
        except Exception as error:
            traceback.print_exc()
            figures[scene.__name__] = {"failed": str(error)}
            failed = True
        finally:
            lab.close(wrong)
        print(json.dumps(figures[scene.__name__], indent=2), file=sys.stderr, flush=True)
    print(json.dumps(figures, indent=2))
    sys.exit(failed)
