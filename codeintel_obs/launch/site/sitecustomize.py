"""Found first on PYTHONPATH in a launched process: starts recording, then runs the sitecustomize that it shadows."""

import os
import sys


def _start() -> None:
    try:
        from codeintel_obs.launch.compose import start_recording
    except ModuleNotFoundError:
        return  # another Python, which does not have us
    except Exception as exc:  # noqa: BLE001 - a broken installation of ours is not the application's to suffer from
        sys.stderr.write(f"codeintel-obs: not recording: {type(exc).__name__}: {exc}; see `codeintel-obs doctor`\n")
        return
    start_recording()


def _run_shadowed() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    from importlib.machinery import PathFinder

    others = [path for path in sys.path if os.path.abspath(path or ".") != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_start()
_run_shadowed()
