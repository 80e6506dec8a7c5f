"""Composites: public functions written over tensors, by family.  Importing a family publishes it."""
