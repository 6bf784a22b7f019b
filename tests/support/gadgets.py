"""Checkpoints that make a file ``ran`` in the working directory if they can.

Each is a function that writes one to a path.
"""
import copyreg
import functools
import importlib
import io
import operator
import os
import pickle
import runpy
import subprocess
import tarfile
import timeit
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

RUN = 'open("ran", "w").close()'


class Call:
    """Pickles as a call of any function, with a state for what it gives."""

    def __init__(self, function, *args, state=None):
        self.reduced = (function, args) + ((state, ) if state else ())

    def __reduce__(self):
        return self.reduced

    def __call__(self):
        """Let what a call gives be called in turn."""


class Program(torch.nn.Module):
    """TorchScript that writes a file as it is loaded."""

    @torch.jit.export
    def __getstate__(self) -> bool:
        return self.training

    @torch.jit.export
    def __setstate__(self, state: bool) -> None:
        self.training = state
        torch.save(torch.zeros(1), 'ran')

    def forward(self, x):
        return x


def saved(content, **kwargs):
    return lambda path: torch.save(
        dict(state_dict={}, meta=dict(epoch=1, iter=1), message_hub=content),
        path, **kwargs)


def raw(opcodes):
    """An archive of torch with a pickle that nothing writes by itself."""

    def write(path):
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('file/data.pkl', opcodes)
            archive.writestr('file/byteorder', 'little')
            archive.writestr('file/version', '3\n')

    return write


def torchscript(path):
    torch.jit.script(Program()).save(str(path))


def nested(path):
    """An archive in an archive."""
    inner = io.BytesIO()
    torch.save(SYSTEM, inner)
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('file/data.pkl', inner.getvalue())


def tar(path):
    """The format before torch 0.1.10, which is unpacked to be read."""
    with tarfile.open(path, 'w') as archive:
        for name in ('sys_info', 'storages', 'tensors', 'pickle'):
            content = pickle.dumps(SYSTEM, 2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def plain_pickle(path):
    Path(path).write_bytes(pickle.dumps(dict(state_dict=SYSTEM)))


def load_inside(path):
    """A call that loads another file, without care."""
    other = Path(path).with_name('other.pth')
    torch.save(SYSTEM, other)
    saved(Call(functools.partial(torch.load, weights_only=False),
               str(other)))(path)


SYSTEM = Call(os.system, 'touch ran')
OS = Call(importlib.import_module, 'os')
OBJECTS = np.empty(1, dtype=object)
OBJECTS[0] = SYSTEM
GETATTR = b'cbuiltins\ngetattr\n'
BUFFER = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'

GADGETS = {
    'os.system': saved(SYSTEM),
    'in the weights': lambda path: torch.save(
        dict(state_dict=dict(weight=SYSTEM)), path),
    'the whole file': lambda path: torch.save(SYSTEM, path),
    'older format': saved(SYSTEM, _use_new_zipfile_serialization=False),
    'protocol 4': saved(SYSTEM, pickle_protocol=4),
    'plain pickle': plain_pickle,
    'tar': tar,
    'nested archive': nested,
    'TorchScript': torchscript,
    'eval': saved(Call(eval, RUN)),
    'exec': saved(Call(exec, RUN)),
    '__import__': saved(Call(__import__, 'os')),
    'getattr of a module': saved(
        Call(Call(getattr, OS, 'system'), 'touch ran')),
    'getattr of a method': saved(
        Call(getattr, Call(getattr, HistoryBuffer, 'mean'), '__globals__')),
    'getattr of __init__': saved(Call(getattr, HistoryBuffer, '__init__')),
    'getattr of an instance': saved(
        Call(getattr, HistoryBuffer([1.], [1]), '__class__')),
    # getattr(getattr, '__self__') is builtins.
    'getattr of getattr': raw(
        b'\x80\x02' + GETATTR + GETATTR + b'X\x08\x00\x00\x00__self__\x86R.'),
    'attrgetter': saved(Call(operator.attrgetter('system'), OS)),
    'methodcaller': saved(
        Call(operator.methodcaller('system', 'touch ran'), OS)),
    'partial': saved(Call(functools.partial(os.system, 'touch ran'))),
    'reduce': saved(Call(functools.reduce, eval, [RUN, {}])),
    'map': saved(Call(list, Call(map, eval, [RUN]))),
    'subprocess': saved(Call(subprocess.getoutput, 'touch ran')),
    'runpy': saved(Call(runpy.run_path, 'other.py')),
    'timeit': saved(Call(timeit.timeit, RUN, 'pass', timeit.time.time, 1)),
    'import_module': saved(OS),
    'pickle.loads': saved(Call(pickle.loads, pickle.dumps(SYSTEM))),
    'torch.load': load_inside,
    'torch.jit.load': saved(Call(torch.jit.load, 'other.pt')),
    'numpy.load': saved(
        Call(np.load, 'other.npy', None, True)),
    'array of objects': saved(OBJECTS),
    'call of a method': saved(Call(HistoryBuffer.mean, 'anything')),
    'copyreg': saved(
        Call(copyreg.__newobj_ex__, subprocess.Popen, (['touch', 'ran'], ),
             {})),
    'new object': raw(b'\x80\x02csubprocess\nPopen\n(X\x05\x00\x00\x00touchX'
                      b'\x03\x00\x00\x00ranl\x85\x81.'),
    'new object with names': raw(
        b'\x80\x04csubprocess\nPopen\n]X\x05\x00\x00\x00toucha\x85}\x92.'),
    'INST': raw(b'(S"touch ran"\nios\nsystem\n.'),
    'OBJ': raw(b'\x80\x02(cposix\nsystem\nX\x09\x00\x00\x00touch rano.'),
    'STACK_GLOBAL': raw(b'\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x09'
                        b'touch ran\x85R.'),
    'a dotted name': raw(
        b'\x80\x04\x8c\x1fmmengine.logging.history_buffer\x8c\x1e'
        b'HistoryBuffer.mean.__globals__\x93.'),
    'EXT1': raw(b'\x80\x02\x82\x01.'),
    'BUILD on a class': raw(b'\x80\x02' + BUFFER + b'}b.'),
    'BUILD of slots on a class': raw(
        b'\x80\x02' + BUFFER + b'N}X\x04\x00\x00\x00meanc_codecs\nencode\n'
        b's\x86b.'),
    '__setstate__': saved(
        Call(OrderedDict, state=dict(a=SYSTEM))),
    '__setstate__ of an allowed class': saved(
        Call(HistoryBuffer, [1.], [1], state=dict(_statistics_methods=SYSTEM))
    ),
    'persistent id': raw(b'\x80\x02cposix\nsystem\nQ.'),
}
