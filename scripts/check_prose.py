"""Check the prose of the manual: words to avoid and long sentences.

``make lint`` runs this script. Code, targets of links and pictures are not
prose. (The package vale on PyPI downloads its program when it first runs.)
"""
import re
import sys
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
PAGES = ('projects_readme.md', 'docs/*.md', 'configs/*/*/README.md',
         'lab/*.md', 'lab/*/README.md')
MAX_WORDS = 25
# Words of another meaning or none, and what to write instead.
AVOID = {
    'people': 'instances or users',
    'persons': 'instances',
    'somebody': 'an instance or a user',
    'nobody': 'no instance',
    'whole': 'intact, complete or all',
    'anew': 'again',
    'spoil': 'corrupt',
    'spoiled': 'corrupt',
    'found': 'name what is known, listed or used',
    'there': 'name the place or the subject',
    'gives': 'returns, writes or has',
    'takes': 'needs, accepts or lasts',
    'stands': 'is',
    'makes way': 'is replaced',
    'goes on': 'resumes or continues',
    'for ever': 'without end',
    'in the place of': 'instead of',
    'simply': 'leave it out',
    'just': 'leave it out',
    'obviously': 'leave it out',
}
AVOIDED = re.compile(rf'\b({"|".join(AVOID)})\b', re.IGNORECASE)
# A sentence ends before a blank and a capital, a digit or code.
SENTENCE_END = re.compile(r'[.?!:]\)?\s+(?=[A-Z0-9_"(])|[.?!:;]$')


def main():
    faults = [f'{path.relative_to(ROOT)}:{line}: {fault}'
              for page in PAGES for path in sorted(ROOT.glob(page))
              for line, text in paragraphs(path.read_text('utf-8'))
              for fault in check(text)]
    if faults:
        sys.exit('\n'.join(faults))


def paragraphs(page):
    """Yield line and prose of each paragraph, item, cell and heading."""
    line = 1
    for token in MarkdownIt().enable('table').parse(page):
        if token.map:
            line = token.map[0] + 1
        if token.type == 'inline':
            yield line, ''.join(map(prose, token.children))


def prose(token):
    """Return the text of a part of a paragraph, ``CODE`` for code."""
    if token.type in ('softbreak', 'hardbreak'):
        return ' '
    return 'CODE' if token.type == 'code_inline' else (
        token.content if token.type == 'text' else '')


def check(text):
    """Yield the faults of a paragraph."""
    for match in AVOIDED.finditer(text):
        word = match.group().lower()
        yield f'avoid {word!r}: {AVOID[word]}'
    for sentence in SENTENCE_END.split(text):
        words = len(re.findall(r'[^\W_]+', sentence))
        if words > MAX_WORDS:
            yield (f'expected up to {MAX_WORDS} words, got {words} in '
                   f'"{sentence[:60]}…"; write two sentences or a list')


if __name__ == '__main__':
    main()
