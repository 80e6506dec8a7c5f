"""The machine: values, programs, execution, gradients.  Knows no op by name and no Tensor."""
