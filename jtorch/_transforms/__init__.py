"""Function transformations: what `torch.func` and `torch.autograd.functional` are made of."""
