"""Write docs/reference.md from the signatures and docstrings of the classes.

Run by ``make results``. The environment of ``make setup`` is needed.
"""
import argparse
import ast
import inspect
import re
import sys
import typing
from pathlib import Path

from mmpose.registry import HOOKS, KEYPOINT_CODECS, MODELS

import srpose_mm

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'reference.md'

REGISTRIES = {
    'KEYPOINT_CODECS': KEYPOINT_CODECS,
    'MODELS': MODELS,
    'HOOKS': HOOKS
}

INTRODUCTION = """# Reference

What a config can say about the classes of this package. The page is written
by `scripts/reference_page.py` from the code; change the docstrings, then run
`make results`. A class is named in a config by `type`, its arguments are the
other keys.
"""

TOOLS = """
## Tools

`mim run srpose_mm TOOL -- --help` shows the options. `train` and `test` take
those of MMPose's scripts and are called as `mim train` and `mim test`.
"""

# A line that opens a section of a docstring.
SECTION = re.compile(r'^(Args|Raises):\n', flags=re.MULTILINE)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--check', action='store_true', help='only say whether it is new')
    args = parser.parse_args(argv)
    if not args.check:
        PAGE.write_text(page(), 'utf-8')
    elif not PAGE.is_file() or PAGE.read_text('utf-8') != page():
        sys.exit(f'{PAGE.relative_to(ROOT)} is not what the docstrings say; '
                 'run `python scripts/reference_page.py`')


def page():
    """The text of the page."""
    classes = {name: registered(registry)
               for name, registry in REGISTRIES.items()}
    rows = [['class', 'registry', '']]
    sections = []
    for registry, members in classes.items():
        for cls in members:
            name = cls.__name__
            rows.append([f'[{name}](#{name.lower()})', f'`{registry}`',
                         markdown(inspect.getdoc(cls).split('\n\n')[0])])
            sections.append(section(cls, registry))
    return '\n'.join([INTRODUCTION, table(rows), *sections, TOOLS,
                      table(tools())])


def registered(registry):
    """Our classes in a registry of MMPose, by name."""
    own = f'{srpose_mm.__name__}.'
    return [cls for _, cls in sorted(registry.module_dict.items())
            if cls.__module__.startswith(own)]


def section(cls, registry):
    """All about one class."""
    text, *rest = SECTION.split(inspect.getdoc(cls))
    parts = {'Args': '', 'Raises': ''}
    for name, body in zip(rest[::2], rest[1::2]):
        # What follows the indented part, such as the source, is text.
        entries, *after = re.split(r'\n(?=\S)', body, maxsplit=1)
        parts[name] = entries
        text = '\n\n'.join([text.rstrip(), *after])
    base = cls.__mro__[1]
    lines = [
        f'\n## {cls.__name__}\n',
        f'Registry `{registry}`; base `{base.__name__}` of '
        f'{base.__module__.split(".")[0]}; `{cls.__module__}`.\n',
        markdown(text.strip()), ''
    ]
    rows = arguments(cls, entries_of(parts['Args']))
    if rows:
        lines.append(table([['argument', 'type', 'default', ''], *rows]))
    for error, when in entries_of(parts['Raises']).items():
        lines.append(f'\n`{error}`: {when}')
    return '\n'.join(lines)


def arguments(cls, described):
    """A row for each argument of the constructor.

    Raises:
        ValueError: If signature and docstring name others.
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    # **kwargs name the options of the base class.
    described = {
        name: text for name, text in described.items()
        if not name.startswith('*')
    }
    # A docstring may leave inherited arguments to the base's.
    if not described and '__init__' not in vars(cls):
        return []
    if set(parameters) != set(described):
        raise ValueError(
            f'{cls.__name__}: expected Args in its docstring for '
            f'{", ".join(parameters)}, got {", ".join(described)}')
    hints = typing.get_type_hints(cls.__init__)
    rows = []
    for name, parameter in parameters.items():
        default = 'required'
        if parameter.default is not parameter.empty:
            default = f'`{parameter.default!r}`'
        kind = type_text(hints[name]) if name in hints else ''
        rows.append([f'`{name}`', kind, default, described[name]])
    return rows


def entries_of(body):
    """``name: text`` entries of a section of a docstring."""
    entries = re.split(r'^ {4}(?=\S)', body, flags=re.MULTILINE)[1:]
    pairs = (entry.split(':', 1) for entry in entries)
    return {name: ' '.join(markdown(text).split()) for name, text in pairs}


def type_text(hint):
    """A type in words that are the same on every version of Python."""
    options = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Union:
        # MMEngine's ConfigDict stands beside dict everywhere.
        names = {type_text(option): None for option in options
                 if getattr(option, '__name__', '') != 'ConfigDict'}
        names.pop('None', None)
        optional = [] if type(None) not in options else ['`None`']
        return ' or '.join([*names, *optional])
    if options:
        kind = typing.get_origin(hint).__name__.lower()
        inner = [type_text(option).strip('`') for option in options
                 if option is not ...]
        if kind == 'tuple':
            return f'({", ".join(inner)})'
        return f'{kind} of {", ".join(inner)}'
    return 'None' if hint is type(None) else f'`{hint.__name__}`'


def tools():
    """A row for each tool, of its docstring's first paragraph."""
    rows = [['tool', '']]
    for path in sorted((ROOT / 'tools').glob('*.py')):
        doc = ast.get_docstring(ast.parse(path.read_text('utf-8')))
        rows.append([f'`{path.stem}`', markdown(doc.split('\n\n')[0])])
    return rows


def markdown(text):
    """What the docstrings' markup is in Markdown."""
    text = re.sub(r':\w+:`([^`]+)`', r'`\1`', text).replace('``', '`')
    # Indented lists would be code.
    return re.sub(r'^ {4}', '', text, flags=re.MULTILINE)


def table(rows):
    head, *body = [[' '.join(cell.split()).replace('|', r'\|')
                    for cell in row] for row in rows]
    lines = [head, ['---'] * len(head), *body]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines) + '\n'


if __name__ == '__main__':
    main()
