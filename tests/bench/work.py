"""How much there is to compute, whoever computes it."""

GEMM_SIDE = 1536
GEMM_FLOP = 2 * GEMM_SIDE**3


def necessary_flop(filters: int, bands: int, variant: str) -> int:
    """Return the floating-point operations that no exact method can share, per window: two per multiply-add."""
    pixels = [side * side + 4 * 2 * side + 4 * 4 for side in (32, 16, 8)]  # of a cell, of four strips, of four corners
    convolutions = 9 * filters * (pixels[0] * bands + (pixels[1] + pixels[2]) * filters)
    joined = filters * (1 if variant == "published" else 3)
    return 2 * (convolutions + 64 * joined * 8 * filters)


def windows_of(size_px: int, *, is_flush: bool = False) -> int:
    """Return how many windows a square raster has: those of the lattice, or also those flush with its far edges."""
    steps = -(-(size_px - 64) // 32) if is_flush else (size_px - 64) // 32
    return (steps + 1) ** 2
