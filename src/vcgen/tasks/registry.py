"""Find tasks: the built-in ones by name, the user's in modules and files."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from vcgen.errors import UsageError
from vcgen.tasks.task import Task


def builtin_tasks() -> dict[str, Task]:
    from vcgen.tasks.conversation import conversation, conversation_selfchat  # noqa: PLC0415
    from vcgen.tasks.description import description  # noqa: PLC0415 - they import this module

    return {task.name: task for task in (description, conversation, conversation_selfchat)}


def find_task(name: str | Task) -> Task:
    """Find a task by a built-in name, or as `package.module:name` or `file.py:name`.

    Raise UsageError if it does not exist, or its module does not load.
    """
    if isinstance(name, Task):
        return name
    builtin = builtin_tasks()
    if name in builtin:
        return builtin[name]
    where, _, attribute = name.rpartition(":")
    if not where:
        raise UsageError(
            f"unknown task {name!r}; choose {', '.join(builtin)}, or give your own as "
            "file.py:function"
        )
    try:
        found = getattr(_load(where), attribute, None)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{where} does not load: {type(error).__name__}: {error}") from error
    if not isinstance(found, Task):
        raise UsageError(f"{where} has no task {attribute!r}; mark its function with @vcgen.task")
    return found


def _load(where: str) -> ModuleType:
    if not where.endswith(".py"):
        return importlib.import_module(where)
    path = Path(where)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"no file {where}")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pydantic look their module up by name.
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module
