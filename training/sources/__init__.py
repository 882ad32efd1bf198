"""Where patches come from: simulated scenes, composites on disk, ready arrays, Earth Engine."""
