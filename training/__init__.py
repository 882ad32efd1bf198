"""Training and evaluation of Nava et al. 2026, GMD 19, 167-185, on simulated or real scenes."""
