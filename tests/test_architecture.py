"""The shape of the code, proven from its syntax: imports point one way, packages have one owner."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import vcgen

SOURCE = Path(vcgen.__file__).parent

# Each package may import itself and these; everybody may import EVERYBODY_MAY.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "_version": set(),
    "engine": set(),
    "data": set(),
    "checks": {"data"},
    "sim": {"engine", "data"},
    "tasks": {"engine", "data", "checks"},
    "pipeline": {"tasks", "checks", "data", "engine", "sim"},
    "datasets": {"pipeline", "tasks", "checks", "data", "engine"},
    "cli": {"datasets", "pipeline", "tasks", "checks", "data", "engine", "sim"},
    "": {"pipeline", "tasks", "data", "engine", "sim"},  # `vcgen` itself: the public names
    "__main__": {"cli"},
}
EVERYBODY_MAY = {"errors", "_version"}
# Who may use which part, where a package may use only part of another.
ONLY_THROUGH = {
    ("pipeline", "sim"): ("pipeline.session", "sim"),
    ("datasets", "pipeline"): ("datasets", "pipeline.store"),
}

# What is everywhere by design: the run time, the values at the edges, the bytes.
SHARED_PACKAGES = {"anyio", "pydantic", "orjson"}


def modules() -> dict[str, ast.Module]:
    """Dotted name within vcgen to syntax tree; the package itself is the empty name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts).removesuffix("__init__").removesuffix(".")
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


def imported(tree: ast.Module) -> set[str]:
    """Every module a tree imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            names.add(node.module)
    return names


def ours(name: str) -> str | None:
    """A module's name within vcgen, None for somebody else's."""
    if name != "vcgen" and not name.startswith("vcgen."):
        return None
    return name.removeprefix("vcgen").removeprefix(".")


def top(name: str) -> str:
    return name.partition(".")[0]


def edges() -> Iterator[tuple[str, str]]:
    """Every import of ours by ours: the module, and the name it imports from."""
    for name, tree in modules().items():
        for target in map(ours, imported(tree)):
            if target is not None and top(target) != top(name):
                yield name, target


def test_every_package_has_a_row() -> None:
    assert {top(name) for name in modules()} == set(MAY_IMPORT)


def test_imports_follow_the_table() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, target in edges()
        if top(target) not in MAY_IMPORT[top(name)] | EVERYBODY_MAY
    ]
    assert not wrong


def test_part_of_a_package_is_used_only_where_the_table_allows() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, target in edges()
        if (only := ONLY_THROUGH.get((top(name), top(target)))) is not None
        and not (name.startswith(only[0]) and target.startswith(only[1]))
    ]
    assert not wrong


def test_packages_make_no_cycle() -> None:
    graph = defaultdict(set)
    for name, target in edges():
        graph[top(name)].add(top(target))
    list(TopologicalSorter(graph).static_order())


def test_imports_make_no_cycle() -> None:
    graph = defaultdict(set)
    for name, tree in modules().items():
        # At the top of a module only: what a function imports late is not part of loading.
        loaded = ast.Module([node for node in tree.body if not isinstance(node, ast.If)], [])
        for node in list(ast.walk(loaded)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = []
        graph[name] = {target for target in map(ours, imported(loaded)) if target is not None}
    list(TopologicalSorter(graph).static_order())


def test_each_third_party_package_has_one_owner() -> None:
    owners = defaultdict(set)
    for name, tree in modules().items():
        for package in map(top, imported(tree)):
            if package not in {*sys.stdlib_module_names, *SHARED_PACKAGES, "vcgen"}:
                owners[package].add(name)
    shared = {package: sorted(names) for package, names in owners.items() if len(names) > 1}
    assert not shared


def test_every_function_is_annotated_and_none_is_long() -> None:
    faults = []
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            assert node.end_lineno is not None
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [
                p.arg for p in parameters if p.annotation is None and p.arg not in {"self", "cls"}
            ]
            # A command's parameters are its options, so the statements are counted.
            lines = node.end_lineno - node.body[0].lineno + 1
            if bare or node.returns is None or lines > 60:
                faults.append(f"{name}.{node.name}: {lines} lines, not annotated: {bare}")
    assert not faults


def test_no_file_is_longer_than_400_lines() -> None:
    long = {
        str(path.relative_to(SOURCE)): count
        for path in SOURCE.rglob("*.py")
        if (count := len(path.read_bytes().split(b"\n"))) > 400
    }
    assert not long


def test_every_module_has_a_test_file_of_its_name() -> None:
    tests = Path(__file__).parent
    paths = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.py")]
    missing = [
        str(path)
        for path in paths
        if not path.name.startswith("_")
        and not (tests / path.parent / f"test_{path.name}").exists()
    ]
    assert not missing


def test_public_surface_is_sorted_and_complete() -> None:
    assert vcgen.__all__ == sorted(vcgen.__all__)
    for name in vcgen.__all__:
        assert getattr(vcgen, name) is not None


def test_import_leaves_to_later_what_only_some_calls_need() -> None:
    heavy = [
        "jinja2",
        "aiolimiter",
        "httpx",
        "rich",
        "typer",
        "h11",
        "genai_prices",
        "json_repair",
        "pysubs2",
    ]
    program = f"import sys, vcgen; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
RUNS_WHAT_IT_LOADS = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "yaml",
    "code",
}
OF_MODULES = {
    "os": {"system", "popen", "startfile"},
    "subprocess": {"getoutput", "getstatusoutput"},
    "asyncio": {"create_subprocess_shell"},
    "builtins": RUNS_TEXT,
    "tempfile": {"mktemp"},
    "time": {"time"},
}


def unsafe(tree: ast.Module) -> list[str]:
    """What in a tree runs text as code or as a command, or hides every error."""
    found = [name for name in imported(tree) if top(name) in RUNS_WHAT_IT_LOADS]
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name in RUNS_TEXT:
                found.append(name)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in OF_MODULES.get(
                module, ()
            ) or (module == "os" and name.startswith(("exec", "spawn", "posix_spawn"))):
                found.append(f"{module}.{name}")
            case ast.ImportFrom(module=module, names=names):
                banned = OF_MODULES.get(module or "", ())
                found += [f"{module}.{each.name}" for each in names if each.name in banned]
            case ast.keyword(arg="shell"):
                found.append("shell=")
            case ast.ExceptHandler(type=None):
                found.append("except:")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)",
        "f = exec",
        "import pickle",
        "from yaml import load",
        "os.system(x)",
        "from os import popen",
        "os.execv(a, b)",
        "subprocess.run(x, shell=True)",
        "time.time()",
        "try:\n    x\nexcept:\n    pass",
    ],
)
def test_what_is_unsafe_is_known_by_its_syntax(source: str) -> None:
    assert unsafe(ast.parse(source))


def test_nothing_runs_text_as_code_or_as_a_command() -> None:
    assert not {name: found for name, tree in modules().items() if (found := unsafe(tree))}


def prints(tree: ast.Module) -> list[str]:
    """What in a tree writes to a terminal by itself."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                found.append("print")
            case ast.Attribute(value=ast.Name(id="typer" | "click"), attr="echo" | "secho" as name):
                found.append(name)
            case ast.Attribute(value=ast.Attribute(attr="stdout" | "stderr"), attr="write" as name):
                found.append(name)
    return found


@pytest.mark.parametrize("source", ["print(x)", "typer.echo(x)", "sys.stderr.write(x)"])
def test_what_writes_to_a_terminal_is_known_by_its_syntax(source: str) -> None:
    assert prints(ast.parse(source))


def test_only_output_writes_to_a_terminal() -> None:
    """`cli.output` makes text plain; what is drawn passes `cli.display`."""
    printing = {name: found for name, tree in modules().items() if (found := prints(tree))}
    assert printing.keys() == {"cli.output"}
