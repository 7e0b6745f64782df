"""Writes events.bin with TensorBoard's own protocol buffers and record writer.

Run with a Python that has `tensorboard` (made with 2.21.0): python3 make.py
The same events are written by packages/foehn/src/tracking/event-writer.test.ts, which compares the bytes.
"""
import io
import pathlib

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

TIME = 1551398400.25
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000003000000020802000000"
)  # a header is enough: the file carries the bytes as they are

out = io.BytesIO()
out.close = lambda: None
writer = RecordWriter(out)


def write(**fields):
    writer.write(event_pb2.Event(wall_time=TIME, **fields).SerializeToString())


def value(**fields):
    return summary_pb2.Summary(value=[summary_pb2.Summary.Value(**fields)])


def plugin(name, content=b""):
    data = summary_pb2.SummaryMetadata.PluginData(plugin_name=name, content=content)
    return summary_pb2.SummaryMetadata(plugin_data=data)


def hparams(tag, data):
    dim = tensor_shape_pb2.TensorShapeProto.Dim()
    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_FLOAT, tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=[dim])
    )
    write(summary=value(tag=tag, tensor=tensor, metadata=plugin("hparams", data.SerializeToString())))


write(file_version="brain.Event:2")
write(step=1, summary=value(tag="loss/train_step", simple_value=0.125))
write(step=3_000_000_000, summary=value(tag="größe", simple_value=float("nan")))
write(
    step=2,
    summary=value(
        tag="map",
        image=summary_pb2.Summary.Image(height=2, width=3, colorspace=4, encoded_image_string=PNG),
    ),
)
shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)])
text = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=["**bold**".encode()])
write(summary=value(tag="note", tensor=text, metadata=plugin("text")))

experiment = api_pb2.Experiment(time_created_secs=TIME)
experiment.hparam_infos.add(name="lr", type=api_pb2.DATA_TYPE_FLOAT64)
experiment.metric_infos.add(name=api_pb2.MetricName(tag="loss/validation"))
hparams("_hparams_/experiment", plugin_data_pb2.HParamsPluginData(experiment=experiment))
start = plugin_data_pb2.SessionStartInfo(group_name="run", start_time_secs=TIME)
start.hparams["lr"].number_value = 0.001
hparams("_hparams_/session_start_info", plugin_data_pb2.HParamsPluginData(session_start_info=start))
write(step=4, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))
end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=TIME)
hparams("_hparams_/session_end_info", plugin_data_pb2.HParamsPluginData(session_end_info=end))

writer.flush()
pathlib.Path(__file__).with_name("events.bin").write_bytes(out.getvalue())
