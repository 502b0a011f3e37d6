"""A supervisor in a process of its own, for the tests: it waits for any child there is, pytest's included.

`runner.py children SPEC` runs the children of a JSON text; `runner.py oven ROOT [options]` runs Oven's own
command line over the (fake) project in ROOT.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from supervisor import cli, services
from supervisor.child import Backoff, Child
from supervisor.core import Stopped, Supervisor, Waits
from supervisor.output import Console


def run_children(text: str) -> int:
    spec = json.loads(text)
    supervisor = Supervisor(
        Console(Path(spec["logs"])), backoff=Backoff(**spec["backoff"]), waits=Waits(**spec["waits"])
    )
    supervisor.open()
    try:
        if loader := spec.get("loader"):
            supervisor.load(Child("loader", (sys.executable, *loader), cwd=Path.cwd()), 30.0)
        for child in spec["children"]:
            supervisor.add(Child(**{**child, "argv": tuple(child["argv"])}))
        supervisor.console.plain(b"all started")
        supervisor.run()
    except Stopped:
        supervisor.console.plain(b"stopping")
    finally:
        supervisor.stop()
    return 0


def run_oven(root: str, options: list[str]) -> int:
    services.ROOT = Path(root)
    return cli.main(options)


if __name__ == "__main__":
    _, mode, what, *rest = sys.argv
    sys.exit(run_children(what) if mode == "children" else run_oven(what, rest))
