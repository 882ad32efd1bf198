"""Earth Engine on loopback: REST v1 for the unmodified earthengine-api client, evaluated over a local archive.

Start it with `python -m infra.local.earth_engine`; README.md beside this file lists what is supported and how each was checked.
"""
