"""Imitate tools/train.py and tools/test.py in plain Python, for speed.

The script accepts their command lines, writes the files that they write, and
appends a line to ``calls.txt`` of the working directory. Options that start
with ``fake.`` control it.
"""
import argparse
import json
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

EPOCHS = 4
SECONDS = 90  # of an epoch, in the log


def value(options, key, default):
    found = [word.split('=', 1)[1] for word in options
             if word.startswith(f'{key}=')]
    return type(default)(found[0]) if found else default


def train(args, folder):
    last = folder / 'last_checkpoint'
    begin = 0
    if args.resume:
        begin = int(last.read_text().rpartition('_')[2].partition('.')[0])
    start = datetime(2024, 1, 1, 10)
    log = folder / f'2024_{time.monotonic_ns()}'
    log.mkdir()
    for epoch in range(begin, EPOCHS):
        if epoch == value(args.cfg_options, 'fake.hold_at', -1):
            Path('pid').write_text(str(os.getpid()))
            while not Path('go').exists():
                time.sleep(0.02)
        if epoch == value(args.cfg_options, 'fake.fail_at', -1):
            sys.exit('this epoch fails')
        with (log / f'{log.name}.log').open('a') as stream:
            for moment in (epoch - begin, epoch - begin + 1):
                stamp = start + timedelta(seconds=SECONDS * moment)
                stream.write(f'{stamp:%Y/%m/%d %H:%M:%S} - mmengine - INFO\n')
        checkpoint = folder / f'epoch_{epoch + 1}.pth'
        checkpoint.write_text(str(epoch + 1))
        last.write_text(str(checkpoint))


def test(args):
    seed = int(Path(args.checkpoint).parent.name[len('seed'):])
    metrics = {
        'coco/AP': 0.5 + seed / 10 + value(args.cfg_options, 'fake.add', 0.),
        'AR': 0.25,
        'epoch': int(Path(args.checkpoint).read_text())
    }
    Path(args.out).write_text(json.dumps(metrics))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    parser.add_argument('checkpoint', nargs='?')
    parser.add_argument('--work-dir')
    parser.add_argument('--out')
    parser.add_argument('--resume', action='store_true')
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--cfg-options', nargs='+', default=[])
    args = parser.parse_args()
    what = 'test' if args.checkpoint else 'train'
    what += ' resumed' * args.resume
    folder = Path(args.work_dir)
    with Path('calls.txt').open('a') as stream:
        stream.write(f'{what} {folder.parent.name}/{folder.name}\n')
    if args.checkpoint:
        test(args)
    else:
        train(args, folder)


if __name__ == '__main__':
    main()
