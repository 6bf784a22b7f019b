from .scene import Person, draw_scene

__all__ = ['Person', 'draw_scene']
