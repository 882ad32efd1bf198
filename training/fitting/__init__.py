"""One training: batches, loss, optimizer, checkpoints, early stop, and the model folder that it ends with."""
