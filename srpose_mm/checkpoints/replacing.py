from .files import atomic_write as replacing  # noqa: F401
