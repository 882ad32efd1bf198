"""A simulator of Sentinel-1 GRD scenes before and after an earthquake that triggers landslides.

It imports nothing of the product and nothing of the rest of the training chain, so that a bug in one cannot hide in the other.
What it makes is SIMULATED: it serves to train a demo model and to exercise the pipeline, and says nothing of skill on real slides.

Not modelled: passive layover and shadow, speckle that persists from pass to pass, snow and frost, wind on water, buildings, the
coarser resolution of foreshortened slopes, slides of later shocks or storms, weather of bare ground where a slide has taken the cover,
more than one incidence for an event and pass, the turn of the look direction between satellite and scene. How near the backscatter
comes to real scenes: `python -m training.simulator compare`.
"""
