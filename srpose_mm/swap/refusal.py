class SwapRefused(ValueError):
    """A model in which a head cannot be swapped; says what would be needed."""
