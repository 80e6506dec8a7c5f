"""`torch.version`: the PyTorch whose API this is; None for the toolkits it is not built on."""

__version__ = "2.13.0"
debug = False
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version = ""
