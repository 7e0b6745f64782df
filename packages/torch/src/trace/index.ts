// Tracing: the operator calls of a forward as a graph, and running that graph.
export { type Fusions, fuseForInference } from "./fuse.js";
export { BatchMultiple, Graph, Node, type NodeArgument, type Size, Value } from "./graph.js";
export { GraphRunner } from "./run.js";
export { type Traceable, type TraceOptions, trace } from "./trace.js";
