"""Why a model said so: what each pixel of each band contributed, and on which slopes landslides are found or missed."""
