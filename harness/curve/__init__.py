"""How a checkpoint's scores move over its training: score runs of saved steps, which to keep, and how sure that is."""
