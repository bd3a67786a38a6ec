"""Networks as OpenVINO graphs: building layers from named weights, and running a graph.

On a CPU a network runs through OpenVINO, which is faster than PyTorch and is imported in a fraction
of the time. A graph is built from the tensors of a file of weights. Tests check that it computes
the same function as the trained PyTorch module.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError, one_line
from vadloc.weights import NetworkWeights

if TYPE_CHECKING:
    from openvino import Model, Node

Tensors = dict[str, NDArray[np.float32]]


@contextmanager
def built_from(weights: NetworkWeights, network: str) -> Iterator[None]:
    """Turn errors while a graph is built into one error about the file of weights.

    Raises:
        VadlocError: A layer is missing in the weights or has another shape.
    """
    try:
        yield
    except (KeyError, RuntimeError, ValueError) as error:  # missing tensor; wrong shape
        raise VadlocError(
            f"{weights.source}: no weights of the {network} network ({one_line(error)}); these "
            "are weights of another network"
        ) from None


def convolution(
    tensors: Tensors, name: str, pictures: "Node", *, stride: int = 1, padding: int | None = None
) -> "Node":
    """A 2-D convolution with bias.

    Args:
        tensors: Tensors with ``<name>.weight`` ``(out, in or 1, side, side)`` and ``<name>.bias``.
            With 1 in the second dimension, the convolution is depthwise.
        name: The name of the layer.
        pictures: ``(n, in, height, width)``.
        stride: Stride in both directions.
        padding: Zeros on each side; by default, as many as keep the size where the stride is 1.
    """
    from openvino import opset13 as ops

    weight = tensors[f"{name}.weight"]
    bias = tensors[f"{name}.bias"].reshape(1, -1, 1, 1)
    strides, dilations = [stride] * 2, [1, 1]
    zeros = [weight.shape[2] // 2 if padding is None else padding] * 2
    if weight.shape[1] == 1 < pictures.get_output_partial_shape(0)[1].get_length():
        filters = weight[:, None]
        node = ops.group_convolution(pictures, filters, strides, zeros, zeros, dilations)
    else:
        node = ops.convolution(pictures, weight, strides, zeros, zeros, dilations)
    return ops.add(node, bias)


def linear(tensors: Tensors, name: str, rows: "Node") -> "Node":
    """A linear layer on ``(n, in)``, with ``<name>.weight`` ``(out, in)`` and ``<name>.bias``."""
    from openvino import opset13 as ops

    product = ops.matmul(rows, tensors[f"{name}.weight"], transpose_a=False, transpose_b=True)
    return ops.add(product, tensors[f"{name}.bias"][None])


def compile_graph(graph: "Model", *, threads: int) -> Callable[..., NDArray[np.float16]]:
    """A graph as a function of arrays, which several threads may call at a time.

    Every call is computed by one thread, so that the number of threads never changes a result. It
    computes in float32 on every processor. By default, OpenVINO uses bfloat16 if the processor has
    it; then the nodes of a cluster would compute different features for one dataset.

    Args:
        graph: A graph with one output; the function takes an array for each of its inputs.
        threads: Number of calls that are computed in parallel.
    """
    from openvino import Core

    options = {
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        # With pinning, parallel processes (--jobs) would all use the first cores.
        "ENABLE_CPU_PINNING": False,
    }
    compiled = Core().compile_model(graph, "CPU", options)
    thread = threading.local()

    def run(*inputs: NDArray[Any]) -> NDArray[np.float16]:
        if not hasattr(thread, "request"):
            thread.request = compiled.create_infer_request()
        [output] = thread.request.infer(
            list(inputs), share_inputs=True, share_outputs=True
        ).values()
        return np.array(output, np.float16)  # a copy: the next call writes over the output

    return run
