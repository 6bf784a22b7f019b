"""Build mmcv and xtcocotools for the running Python, and install them.

Run by ``make setup``, with the Python of the environment; of use in any
environment that has torch, numpy and requirements/build.txt. The wheels are
kept in ~/.cache/srpose_mm, or below XDG_CACHE_HOME, for the next environment.

Example:
    python scripts/build_wheels.py
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata, util
from pathlib import Path

from environment import explain, index_settings, pip_environment, say

MMCV = '2.1.0'
XTCOCOTOOLS = '1.14.3'
MMCV_SETTINGS = {'MMCV_WITH_OPS': '1', 'CFLAGS': '-g0 -O1 -w -DNDEBUG'}

# A build backend that knows the name and version of a source archive and runs
# nothing of it: pip reads both before it hands over the archive, and neither
# archive's setup.py runs on Python 3.13.
BACKEND = '''
from email import message_from_string
from pathlib import Path

class __legacy__:

    def get_requires_for_build_wheel(config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        text = Path('PKG-INFO').read_text('utf-8')
        facts = message_from_string(text)
        # A message with several classifiers cannot be unpacked.
        name = '-'.join([facts['Name'], facts['Version']])
        info = Path(folder, name + '.dist-info')
        info.mkdir()
        Path(info, 'METADATA').write_text(text, 'utf-8')
        return info.name
'''

# Helpers of mmcv's CPU operators that several sources define differently.
COLLIDING = ('PreCalc', 'add', 'bilinear_interpolate_gradient')


def main(argv=None):
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args(argv)
    import numpy
    import torch
    python = 'py%d%d' % sys.version_info[:2]
    with_cuda = builds_cuda()
    install('xtcocotools', XTCOCOTOOLS, 'xtcocotools._mask',
            f'{python}-numpy{numpy.__version__.rpartition(".")[0]}',
            build_xtcocotools)
    install('mmcv', MMCV, 'mmcv.ops',
            f'{python}-torch{torch.__version__}' + '-cuda' * with_cuda,
            lambda source, wheels: build_mmcv(source, wheels, with_cuda))


def install(name, version, module, tag, build):
    """Install one package: what works, a wheel of the cache, or a build.

    Args:
        name: Package.
        version: Its version.
        module: Its compiled module.
        tag: All that a wheel depends on.
        build: Function of the source folder and the folder for the wheel.
    """
    home = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    cache = home / 'srpose_mm' / f'{tag}-{name}{version}'
    if not of_another_tag(name, cache) and imports(module):
        return
    cache.mkdir(parents=True, exist_ok=True)
    if try_wheel(cache, module):
        say(f'{name} {version}, wheel of {cache}')
        return
    fetch_wheel(name, version, cache)
    if try_wheel(cache, module):
        say(f'{name} {version}, prebuilt wheel')
        return
    say(f'{name} {version}, building it, log in {cache / "build.log"}')
    # A build that is cut off leaves nothing behind in the cache.
    with tempfile.TemporaryDirectory(dir=str(cache)) as scratch:
        wheels = Path(scratch, 'wheels')
        build(download(name, version, Path(scratch)), wheels)
        wheel, = wheels.glob('*.whl')
        os.replace(wheel, cache / wheel.name)
    if not try_wheel(cache, module):
        subprocess.run([sys.executable, '-c', f'import {module}'])
        fail(name, 'was built but does not import, see above')


def of_another_tag(name, cache):
    """Return True if a package came from another folder of the cache."""
    try:
        origin = metadata.distribution(name).read_text('direct_url.json')
    except metadata.PackageNotFoundError:
        return False
    url = json.loads(origin or '{}').get('url', '')
    return url.startswith(f'{cache.parent.as_uri()}/') and not (
        url.startswith(f'{cache.as_uri()}/'))


def imports(module):
    """Return True if a module imports in a process of its own."""
    if util.find_spec(module.split('.')[0]) is None:
        return False
    return not subprocess.run([sys.executable, '-c', f'import {module}'],
                              stderr=subprocess.DEVNULL).returncode


def try_wheel(cache, module):
    """Install the wheel of a cache folder; return True if it imports.

    A wheel that does not is removed: it was made for another torch.
    """
    for wheel in cache.glob('*.whl'):
        done = subprocess.run(
            [sys.executable, '-m', 'pip', 'install', '-q', '--no-index',
             '--no-deps', '--force-reinstall', str(wheel)])
        if not done.returncode and imports(module):
            return True
        wheel.unlink()
    return False


def fetch_wheel(name, version, cache):
    """Put a wheel into a cache folder, if the user's own places have one."""
    settings = index_settings()
    if name == 'mmcv' and settings:
        pip_download(f'{name}=={version}', cache, settings,
                     '--only-binary', ':all:')


def pip_download(requirement, folder, settings, *options, **variables):
    """Download a package with the user's index settings."""
    return subprocess.run(
        [sys.executable, '-m', 'pip', 'download', '--no-deps', '-d',
         str(folder), *options, requirement],
        env={**os.environ, **pip_environment(settings), **variables},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        universal_newlines=True)


def download(name, version, folder):
    """Fetch and unpack a source archive; return the folder of its sources."""
    backend = folder / 'backend' / 'setuptools'
    backend.mkdir(parents=True)
    (backend / '__init__.py').touch()
    (backend / 'build_meta.py').write_text(BACKEND)
    done = pip_download(
        f'{name}=={version}', folder, index_settings(), '--no-binary', ':all:',
        '--no-build-isolation', PYTHONPATH=str(backend.parent))
    if done.returncode:
        print(done.stdout[-2000:], file=sys.stderr)
        fail(name, explain(done.stdout) or 'was not downloaded, see above')
    with tarfile.open(str(next(folder.glob('*.tar.gz')))) as archive:
        # Python 3.12 warns where no filter is named, older ones have none.
        archive.extraction_filter = getattr(tarfile, 'data_filter', None)
        archive.extractall(str(folder))
    return folder / f'{name}-{version}'


def build_xtcocotools(source, wheels):
    """Build for the installed numpy; the wheels of the index need numpy 1."""
    require_compiler('xtcocotools', os.environ.get('CC') or 'cc')
    read_version_by_globals(source / 'setup.py')
    # numpy 2.3 removed the older of two names.
    replace(source / 'xtcocotools' / '_mask.pyx', 'np.NPY_OWNDATA',
            'np.NPY_ARRAY_OWNDATA')
    run_setup('xtcocotools', source, wheels, {})


def build_mmcv(source, wheels, with_cuda):
    """Build mmcv with its operators, in three C++ units instead of 77."""
    require_compiler('mmcv', os.environ.get('CXX') or 'c++')
    read_version_by_globals(source / 'setup.py')
    # torch adds the standard that its headers ask for.
    replace(source / 'setup.py', "['-std=c++17']", '[]')
    merge_units(source / 'mmcv' / 'ops' / 'csrc' / 'pytorch')
    settings = {**MMCV_SETTINGS, 'MAX_JOBS': str(os.cpu_count())}
    if not with_cuda:
        settings['CUDA_VISIBLE_DEVICES'] = ''
    run_setup('mmcv', source, wheels, settings)


def merge_units(folder):
    """Gather the C++ sources of mmcv in three units that include them.

    Most of the time of a build goes into torch's headers, which each unit
    reads once. mmcv's setup.py compiles what ends in ``.cpp``, so the sources
    get another ending.
    """
    bindings = folder / 'pybind.cpp'
    # All of torch's C++ interface, of which only the conversions are needed.
    replace(bindings, '#include <torch/extension.h>',
            '#include <torch/types.h>\n#include <torch/csrc/utils/pybind.h>')
    units = {
        'unit_1_bindings': [bindings],
        'unit_2_cpu': sorted((folder / 'cpu').glob('*.cpp')),
        'unit_3_dispatch': sorted(set(folder.glob('*.cpp')) - {bindings})
    }
    for unit, sources in units.items():
        lines = []
        for number, path in enumerate(sources):
            renamed = path.rename(path.with_suffix('.inc'))
            lines += [f'#define {name} {name}_{number}' for name in COLLIDING]
            lines.append(f'#include "{renamed.relative_to(folder)}"')
            lines += [f'#undef {name}' for name in (*COLLIDING, 'min', 'max')]
        (folder / f'{unit}.cpp').write_text('\n'.join(lines) + '\n')


def read_version_by_globals(setup_py):
    """Let a setup.py read its version on Python 3.13.

    ``exec`` no longer writes into what ``locals()`` returns afterwards.
    """
    replace(setup_py, "version_file, 'exec'))",
            "version_file, 'exec'), globals())")
    replace(setup_py, 'locals()[', 'globals()[')


def replace(path, old, new):
    """Replace text in a file that has to contain it."""
    text = path.read_text('utf-8')
    if old not in text:
        raise ValueError(f'{path}: expected {old!r} in it')
    path.write_text(text.replace(old, new), 'utf-8')


def run_setup(name, source, wheels, settings):
    """Make a wheel with the package's own setup.py; show ninja's progress."""
    log = wheels.parent.parent / 'build.log'
    # ninja and cython lie beside Python. What the user has set wins.
    path = os.pathsep.join([str(Path(sys.executable).parent),
                            os.environ['PATH']])
    with open(str(log), 'w') as stream:
        process = subprocess.Popen(
            [sys.executable, 'setup.py', 'bdist_wheel', '-d', str(wheels)],
            cwd=str(source), env={**settings, **os.environ, 'PATH': path},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True)
        for line in process.stdout:
            stream.write(line)
            progress = re.match(r'\[(\d+/\d+)\]', line)
            if progress:
                print(f'   compiled {progress.group(1)}', flush=True)
    if process.wait():
        text = log.read_text()
        reason = explain(text) or last_error(text) or 'see the log'
        fail(name, f'did not build: {reason} (all of it in {log})')


def builds_cuda():
    """Return True if mmcv is built with CUDA: a GPU and nvcc, or forced."""
    import torch
    if os.environ.get('FORCE_CUDA') == '1':
        return True
    if not torch.cuda.is_available():
        return False
    from torch.utils.cpp_extension import CUDA_HOME
    has_nvcc = bool(CUDA_HOME) and Path(CUDA_HOME, 'bin', 'nvcc').exists()
    if not has_nvcc:
        say('mmcv without CUDA operators: the machine has a GPU but no nvcc')
    return has_nvcc


def require_compiler(name, command):
    """Stop if a compiler is missing."""
    if shutil.which(command.split()[0]) is None:
        fail(name, f'has no wheel that fits and there is no compiler '
             f'({command}) to build one; install g++ or set CXX and CC')


def last_error(text):
    """Return the compiler's first error, or None."""
    errors = re.findall(r'^.*\berror: .*$', text, flags=re.MULTILINE)
    errors = [line.strip() for line in errors if 'subprocess' not in line]
    return errors[0] if errors else None


def fail(name, text):
    """Stop with one sentence."""
    sys.exit(f'make setup: {name} {text}')


if __name__ == '__main__':
    main()
