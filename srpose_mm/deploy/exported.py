from pathlib import Path
from typing import Dict, NamedTuple, Optional, Tuple

from tabulate import tabulate


class Exported(NamedTuple):
    """A file that was written and gives what its model gives.

    Attributes:
        file: The file.
        shapes: Shape of the inputs and of each output by name, without B.
        differences: Largest difference of each output from PyTorch: of
            keypoints in input px, of others as a part of the highest value.
        compared: How many keypoints were compared, and of how many; ``None``
            without keypoints. Others have no clear peak in the heatmaps.
        latency: Time for one image, in ms, by what runs it.
    """
    file: Path
    shapes: Dict[str, Tuple[int, ...]]
    differences: Dict[str, float]
    compared: Optional[Tuple[int, int]]
    latency: Dict[str, float]

    def report(self) -> str:
        """The tensors as a table in Markdown, then size and times."""
        rows = []
        for name, shape in self.shapes.items():
            row = [name, f'({", ".join(["B", *map(str, shape)])})']
            if name in self.differences:
                unit = 'px' if name == 'keypoints' else 'of the highest value'
                row.append(f'{self.differences[name]:.1e} {unit}')
            rows.append(row)
        lines = [
            tabulate(
                rows,
                headers=['tensor', 'shape', 'largest difference from PyTorch'],
                tablefmt='github')
        ]
        if self.compared:
            lines.append('keypoints compared: {} of {}, others have no clear '
                         'peak'.format(*self.compared))
        times = ', '.join(f'{what} {time:.1f} ms'
                          for what, time in self.latency.items())
        lines.append(f'one image: {times}')
        size = self.file.stat().st_size / 1e6
        lines.append(f'{self.file}: {size:.1f} MB')
        return '\n'.join(lines)
