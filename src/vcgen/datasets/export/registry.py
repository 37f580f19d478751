"""The formats of an export, by name; docs/exports.md has the same table for people."""

from collections.abc import Mapping

from vcgen.datasets.export.json_files import (
    open_internvl,
    open_json,
    open_llamafactory,
    open_llamafactory_messages,
)
from vcgen.datasets.export.output import Format
from vcgen.datasets.export.parquet import open_dataset, open_parquet
from vcgen.datasets.export.rows import (
    columns,
    internvl,
    llamafactory,
    llava,
    llava_next,
    message_parts,
    messages_with_videos,
    videochat,
    videochat2,
)
from vcgen.datasets.export.webdataset import open_shards

FORMATS: Mapping[str, Format] = {
    "videochat": Format("VideoChat V1 (Ask-Anything)", videochat, open_json),
    "videochat2": Format(
        "VideoChat2-IT (Ask-Anything), which shuffles the turns of a record",
        videochat2,
        open_json,
        is_shuffled=True,
    ),
    "llava": Format("Video-LLaVA, and others of LLaVA's layout", llava, open_json),
    "llava-next": Format("LLaVA-NeXT, LLaVA-Video, OneVision", llava_next, open_json),
    "qwen": Format("Qwen-VL's own fine-tuning", llava, open_json),
    "internvl": Format(
        "InternVL: FILE.jsonl, and FILE.meta.json for --meta_path",
        internvl,
        open_internvl,
        has_root=True,
    ),
    "llamafactory": Format(
        "LLaMA-Factory, sharegpt, with its entry in dataset_info.json",
        llamafactory,
        open_llamafactory,
    ),
    "llamafactory-messages": Format(
        "LLaMA-Factory, OpenAI's roles, with its entry in dataset_info.json",
        messages_with_videos,
        open_llamafactory_messages,
    ),
    "swift": Format("ms-swift, its standard layout", messages_with_videos, open_json),
    "messages": Format(
        "chat messages in parts, as processors of transformers take them", message_parts, open_json
    ),
    "parquet": Format(
        "one table with all of a record, for pandas, DuckDB, datasets", columns, open_parquet
    ),
    "datasets": Format(
        "a directory for datasets.load_dataset and the Hugging Face hub",
        columns,
        open_dataset,
        is_directory=True,
    ),
    "webdataset": Format(
        "a directory of tar shards, to stand beside those of the videos",
        columns,
        open_shards,
        is_directory=True,
    ),
}
