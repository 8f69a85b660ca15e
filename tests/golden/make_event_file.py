#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/tensorboard.events with the tensorboard package (2.21.0), or reads a run with it.

    make_event_file.py OUT              the events of tests/unit/test_event_file.c, serialised by protobuf
    make_event_file.py --read FOLDER    what TensorBoard sees in a folder of event files, as JSON:
                                        {tag: [[step, value], ...]}, for a look at axl's own
"""
import json
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.record_writer import RecordWriter

NOON = 1700000000.25
MARKDOWN = "    lora_r: 8\n    # a \u00e9\n"


def scalars(when, step, **values):
    return Event(wall_time=when, step=step, summary=Summary(value=[
        Summary.Value(tag=tag.replace("__", "/"), simple_value=v) for tag, v in values.items()]))


def start(when, step):
    return Event(wall_time=when, step=step, session_log=SessionLog(status=SessionLog.START))


def events():
    yield Event(wall_time=NOON, file_version="brain.Event:2")
    yield start(NOON, 0)
    yield Event(wall_time=NOON, summary=Summary(value=[Summary.Value(
        tag="config/text_summary",
        metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text")),
        tensor=TensorProto(dtype="DT_STRING", string_val=[MARKDOWN.encode()],
                           tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])))]))
    yield scalars(NOON + 1.0, 1, train__loss=1.25, train__grad_norm=0.1, train__learning_rate=0.0,
                  train__epoch=1 / 3)
    yield scalars(NOON + 2.5, 300, train__loss=float("inf"))
    yield start(NOON + 3.0, 300)
    yield scalars(NOON + 4.0, 20000, eval__loss=2e-5)


def read(folder):
    seen = event_accumulator.EventAccumulator(
        folder, size_guidance={event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0})
    seen.Reload()
    found = {tag: [[e.step, e.value] for e in seen.Scalars(tag)] for tag in seen.Tags()["scalars"]}
    for tag in seen.Tags()["tensors"]:
        found[tag] = [[e.step, e.tensor_proto.string_val[0].decode()] for e in seen.Tensors(tag)]
    return found


if sys.argv[1] == "--read":
    print(json.dumps(read(sys.argv[2]), indent=1))
else:
    with open(sys.argv[1], "wb") as f:
        writer = RecordWriter(f)
        for event in events():
            writer.write(event.SerializeToString(deterministic=True))
