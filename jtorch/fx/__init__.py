"""`torch.fx`: a module's forward as a graph that Python can read, change and run again."""

from . import node as node
from . import proxy as proxy
from ._symbolic_trace import Tracer as Tracer
from ._symbolic_trace import symbolic_trace as symbolic_trace
from ._symbolic_trace import wrap as wrap
from .graph import Graph as Graph
from .graph_module import GraphModule as GraphModule
from .interpreter import Interpreter as Interpreter
from .interpreter import Transformer as Transformer
from .node import Node as Node
from .node import map_arg as map_arg
from .proxy import Proxy as Proxy
from .subgraph_rewriter import Match as Match
from .subgraph_rewriter import replace_pattern as replace_pattern
