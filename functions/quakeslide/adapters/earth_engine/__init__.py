"""Earth Engine: lists Sentinel-1 scenes and exports composites, through the unmodified client."""

from quakeslide.adapters.earth_engine.archive import EarthEngineScenes
from quakeslide.adapters.earth_engine.exporter import EarthEngineExporter
from quakeslide.adapters.earth_engine.session import connect

__all__ = ["EarthEngineExporter", "EarthEngineScenes", "connect"]
