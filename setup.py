"""Packaging of srpose_mm; see projects_readme.md for how to install it."""
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).parent
PACKAGE = ROOT / 'srpose_mm'


class EditableWheel(editable_wheel):
    """Let ``mim train srpose_mm NAME`` work from ``pip install -e``.

    mim looks for a package beside its metadata. Those of an editable install
    lie in site-packages, the code does not; mim then follows
    ``top_level.txt``, so an editable install names its absolute path there.
    """

    def run(self):
        if self.dist_info_dir is None:
            self._ensure_dist_info()
        top_level = Path(self.dist_info_dir) / 'top_level.txt'
        top_level.write_text(f'{PACKAGE.resolve()}\n')
        super().run()


def read_version():
    scope = {}
    exec((PACKAGE / 'version.py').read_text(), scope)
    return scope['__version__']


def mim_files():
    """Everything behind ``.mim``, whose entries are links to the root."""
    files = []
    for entry in sorted((PACKAGE / '.mim').iterdir()):
        nested = entry.rglob('*') if entry.is_dir() else [entry]
        files += [
            str(path.relative_to(PACKAGE)) for path in nested
            if path.is_file() and '__pycache__' not in path.parts
        ]
    return files


setup(
    name='srpose_mm',
    version=read_version(),
    description='Super-resolution heatmaps (SRPose) for MMPose 1.x',
    long_description=(ROOT / 'projects_readme.md').read_text('utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['srpose_mm', 'srpose_mm.*']),
    package_data={'srpose_mm': mim_files()},
    python_requires='>=3.9,<3.14',
    # The MMPose stack itself is not listed: pip would follow it to packages
    # that do not build and could replace a working torch.
    install_requires=['numpy>=1.21', 'safetensors', 'tabulate'],
    extras_require={'timm': ['timm>=1.0']},
    cmdclass={'editable_wheel': EditableWheel},
)
