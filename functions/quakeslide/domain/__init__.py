"""The science and the rules: pure functions of their arguments (stdlib, numpy, shapely, pyproj, antimeridian)."""
