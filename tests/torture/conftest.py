"""The same server fixture as the functional tests have."""
import importlib.util
import pathlib
import sys

_path = pathlib.Path(__file__).resolve().parents[1] / "functional" / "conftest.py"
sys.path.append(str(_path.parent))
_spec = importlib.util.spec_from_file_location("functional_conftest", _path)
functional = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(functional)
globals().update({name: value for name, value in vars(functional).items() if name[0] != "_"})
