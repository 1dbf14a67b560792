"""The same server fixture as the functional tests have."""
import importlib.util
import pathlib
import resource

_path = pathlib.Path(__file__).resolve().parents[1] / "functional" / "conftest.py"
_spec = importlib.util.spec_from_file_location("functional_conftest", _path)
functional = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(functional)
globals().update({name: value for name, value in vars(functional).items() if name[0] != "_"})

# Thousands of connections are held; where the limit of all is less, only root may go beyond it.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if 0 <= _soft < 8192:
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(_hard, 8192) if _hard >= 0 else _hard))
