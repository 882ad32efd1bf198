"""Many trainings: who does which, on one machine or on a cluster, and what has become of them."""
