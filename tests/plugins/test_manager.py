import os
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

import metaloss
from metaloss.errors import PluginError
from metaloss.networks import LossGenerator, ReFusionNet
from metaloss.plugins import PluginManager, Record, build_fusion, build_task, find, hookspecs, plugin_manager, records
from metaloss.plugins.manager import FailedPlugin

HEAVY = ("mmengine", "mmcv", "mmseg", "mmdet", "ultralytics", "timm", "torchvision", "matplotlib")


class Tiny(nn.Module):
    def __init__(self, gain=0.5):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, *sources):
        return self.gain * sum(sources)


class EveryHook:
    """A plug-in that implements each hook there is."""

    @metaloss.hookimpl
    def metaloss_tasks(self):
        return [Record("tiny_task", metaloss.ModuleTask)]

    @metaloss.hookimpl
    def metaloss_fusion_networks(self):
        return [Record("tiny", Tiny, description="half of the sum")]

    @metaloss.hookimpl
    def metaloss_loss_generators(self):
        return [Record("tiny_generator", LossGenerator)]

    @metaloss.hookimpl
    def metaloss_hypergradients(self):
        return [Record("tiny_method", lambda problem, meta_train, meta_test: None)]


BUILT_IN = {
    "tasks": {"module", "mmdet", "mmseg", "ultralytics"},
    "fusion_networks": {"refusion"},
    "loss_generators": {"restormer"},
    "hypergradients": {"forward", "reverse", "finite_difference"},
}
HOOKS = [name for name in vars(hookspecs) if name.startswith("metaloss_")]


def test_every_hook_is_documented_and_tested():
    assert {f"metaloss_{kind}" for kind in BUILT_IN} == set(HOOKS)
    for hook in HOOKS:
        assert "Returns" in (getattr(hookspecs, hook).__doc__ or ""), hook
        assert hasattr(EveryHook, hook), hook


@pytest.mark.parametrize("kind", BUILT_IN)
def test_built_ins_come_through_the_hooks(kind):
    plugins = {
        implementation.plugin_name
        for implementation in getattr(plugin_manager().hook, f"metaloss_{kind}").get_hookimpls()
    }
    assert "metaloss" in plugins
    assert set(records(kind)) >= BUILT_IN[kind]


@pytest.mark.parametrize("kind", BUILT_IN)
def test_a_plugin_registered_at_run_time_is_found(register, kind):
    before = set(records(kind))
    register(EveryHook(), name="every")
    new = set(records(kind)) - before
    assert len(new) == 1
    assert callable(find(kind, new.pop()).load())


def test_what_a_plugin_gives_can_be_built(register):
    register(EveryHook())
    network = build_fusion("tiny", gain=0.25)
    assert network(torch.ones(1), torch.ones(1)).item() == 0.5
    assert network.metaloss_record == {"name": "tiny", "arguments": {"gain": 0.25}}
    task = build_task("tiny_task", module=nn.Identity(), loss_fn=nn.functional.mse_loss)
    assert task(torch.ones(2), torch.zeros(2)).item() == 1


def test_a_network_of_a_plugin_trains_with_a_method_of_a_plugin(register):
    seen = []

    def method(problem, meta_train, meta_test):
        from metaloss.hypergradient import reverse

        seen.append(problem)
        return reverse(problem, meta_train, meta_test)

    class Methods:
        @metaloss.hookimpl
        def metaloss_hypergradients(self):
            return [Record("watched", method)]

    register(EveryHook())
    register(Methods())
    learner = metaloss.MetaLearner(
        fusion=build_fusion("tiny"),
        loss=metaloss.LearnableFusionLoss(find("loss_generators", "tiny_generator").load()()),
        task=build_task("module", module=nn.Identity(), loss_fn=nn.functional.mse_loss),
        hypergradient="watched",
    )
    batch = metaloss.FusionBatch((torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)), torch.rand(1, 1, 16, 16))
    assert learner.meta_step(batch, batch)["outer_loss"].isfinite()
    assert seen[0].fusion is learner.fusion


def test_two_records_of_one_name(register):
    class Copy:
        @metaloss.hookimpl
        def metaloss_fusion_networks(self):
            return [Record("refusion", ReFusionNet)]

    register(Copy(), name="copycat")
    with pytest.raises(PluginError, match="'refusion' is given by the plug-ins 'metaloss' and 'copycat'"):
        build_fusion("refusion")
    assert "module" in records("tasks")


def test_one_plugin_registered_twice(register):
    plugin = EveryHook()
    register(plugin, name="every")
    with pytest.raises(PluginError, match=r"plug-in name 'every' is taken by <.*>: <.*> needs another"):
        register(EveryHook(), name="every")
    with pytest.raises(PluginError, match="registered already, as 'every'"):
        register(plugin, name="again")
    assert plugin_manager().get_plugin("every") is plugin


def test_a_misspelt_hook_is_refused_at_once():
    class Misspelt:
        @metaloss.hookimpl
        def metaloss_task(self):
            return []

        @metaloss.hookimpl
        def metaloss_fusion_networks(self):
            return [Record("half", Tiny)]

    plugin = Misspelt()
    with pytest.raises(
        PluginError, match=r"plug-in wrong: unknown hook 'metaloss_task' \(did you mean 'metaloss_tasks'\?\)"
    ) as error:
        plugin_manager().register(plugin, name="wrong")
    assert all(hook in str(error.value) for hook in HOOKS)
    assert not plugin_manager().is_registered(plugin)
    assert "half" not in records("fusion_networks")
    plugin_manager().check_pending()


def test_a_hook_with_another_signature_is_refused():
    class Wrong:
        @metaloss.hookimpl
        def metaloss_tasks(self, colour):
            return []

    plugin = Wrong()
    with pytest.raises(PluginError, match=r"plug-in wrong: .*colour"):
        plugin_manager().register(plugin, name="wrong")
    assert not plugin_manager().is_registered(plugin)
    assert "module" in records("tasks")


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (lambda self: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda self: ["tiny"], r"metaloss_tasks\(\) returned 'tiny': expected metaloss.plugins.Record"),
        (lambda self: None, "TypeError"),
    ],
)
def test_a_hook_that_fails_kills_nothing(register, monkeypatch, hook, reason):
    monkeypatch.delenv("METALOSS_STRICT_PLUGINS", raising=False)
    register(type("Failing", (), {"metaloss_tasks": metaloss.hookimpl(hook)})(), name="failing")
    with pytest.warns(UserWarning, match=f"plug-in failing unknown version .*{reason}.* is left out"):
        assert "module" in records("tasks")
    assert "module" in records("tasks")  # warned of once
    assert [failed.name for failed in plugin_manager().failed].count("failing") == 1
    monkeypatch.setenv("METALOSS_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=reason):
        records("tasks")


def test_an_unknown_name_lists_the_known_and_the_failed(register):
    plugin_manager().failed.append(FailedPlugin("brokenplug", "0.3", "ImportError: no luck"))
    register(EveryHook())
    with pytest.raises(PluginError) as error:
        build_task("modul")
    text = str(error.value)
    assert text.startswith("no task 'modul' (did you mean 'module'?): choose one of ")
    assert all(name in text for name in ("mmseg", "module", "tiny_task"))
    assert text.endswith("plug-ins that failed to load: brokenplug 0.3 (ImportError: no luck)")
    with pytest.raises(PluginError, match=r"no fusion network 'refusoin'.*did you mean 'refusion'"):
        build_fusion("refusoin")
    with pytest.raises(PluginError, match="no hypergradient 'backward'"):
        metaloss.MetaLearner(fusion=Tiny(), loss=nn.Identity(), task=nn.Identity(), hypergradient="backward")


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Makes an installed distribution: a module and a dist-info folder with an entry point."""

    def make(name, source, version="1.2"):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[metaloss]\n{name} = {name}\n")
        return tmp_path

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("METALOSS_STRICT_PLUGINS", raising=False)
    known = set(sys.modules)
    yield make
    for name in set(sys.modules) - known:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


GOOD = """
    from torch import nn
    import metaloss

    @metaloss.hookimpl
    def metaloss_fusion_networks():
        return [metaloss.plugins.Record("identity", nn.Identity)]
"""
BROKEN = """
    raise RuntimeError("built for another\\nlibrary")
"""


def test_installed_plugins_are_loaded_one_by_one(distribution):
    distribution("a_broken_plugin", BROKEN, version="0.3.1")
    distribution("b_good_plugin", GOOD)
    manager = PluginManager()
    with pytest.warns(UserWarning, match="a_broken_plugin 0.3.1 .*built for another library. is left out"):
        manager.load_entry_points()
    assert [failed.name for failed in manager.failed] == ["a_broken_plugin"]
    assert manager.has_plugin("b_good_plugin")
    assert manager.has_plugin("mmseg")
    assert ["identity"] in [[record.name for record in given] for given in manager.hook.metaloss_fusion_networks()]


def test_an_installed_plugin_with_a_misspelt_hook_is_left_out(distribution):
    distribution("c_misspelt_plugin", GOOD.replace("fusion_networks", "fusion_network"))
    manager = PluginManager()
    with pytest.warns(UserWarning, match="c_misspelt_plugin 1.2 .*did you mean 'metaloss_fusion_networks'"):
        manager.load_entry_points()
    assert not manager.has_plugin("c_misspelt_plugin")
    assert manager.has_plugin("mmseg")


def test_strict_plugins(distribution, monkeypatch):
    distribution("a_broken_plugin", BROKEN)
    monkeypatch.setenv("METALOSS_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=r"plug-in a_broken_plugin 1.2 .RuntimeError: built for another library."):
        PluginManager().load_entry_points()


def run(code, *, path=None):
    paths = [entry for entry in (str(path or ""), os.environ.get("PYTHONPATH", "")) if entry]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"}
    environment.pop("METALOSS_STRICT_PLUGINS", None)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=environment, check=False
    )


BLOCKED = """
    import sys

    class Block:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "FRAMEWORK":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Block())
"""


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["mmdet", "mmseg", "timm", "ultralytics"])
def test_a_missing_framework_names_its_extra(framework):
    program = (
        BLOCKED
        + """
    import metaloss
    from metaloss.cli.main import main
    try:
        main(["list"])
    except SystemExit as stopped:
        assert not stopped.code
    try:
        metaloss.build_task("FRAMEWORK", num_classes=3)
    except metaloss.PluginError as error:
        print(error)
    """
    )
    listed = run(program.replace("FRAMEWORK", framework))
    assert (listed.returncode, listed.stderr) == (0, "")
    [line] = [line for line in listed.stdout.splitlines() if line.split()[:1] == [framework]]
    assert f"not installed: pip install 'metaloss[{framework}]'" in line
    ending = f"'{framework}' needs {framework}, not installed: pip install 'metaloss[{framework}]'\n"
    assert listed.stdout.endswith(ending)


@pytest.mark.slow
def test_listing_imports_no_heavy_framework_and_survives_a_broken_plugin(distribution):
    folder = distribution("a_broken_plugin", BROKEN, version="0.3.1")
    done = run(
        f"""
        import sys
        from metaloss.cli.main import main
        try:
            main(["list"])
        except SystemExit as stopped:
            assert not stopped.code
        print("imported:", [name for name in {HEAVY} if name in sys.modules])
        """,
        path=folder,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("imported: []\n")
    assert "plug-in that failed to load: a_broken_plugin 0.3.1 (RuntimeError: built for another library)" in done.stdout
    assert done.stderr.splitlines() == [
        "warning: plug-in a_broken_plugin 0.3.1 (RuntimeError: built for another library) is left out"
    ]
