"""Files are streamed, and what is wrong with one is said."""

from __future__ import annotations

import gzip
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.source import as_source, base, files

HEADER = "a,b,y\n"
ROWS = "".join(f"{i},{'pq'[i % 2]},{'no' if i % 3 else 'yes'}\n" for i in range(30))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def columns_of(path: Path | str | list[Path], label: str | None = "y") -> dict[str, list[object]]:
    """All cells of all columns but the label."""
    out: dict[str, list[object]] = {}
    for chunk in as_source(path, label).chunks():
        for name, values in chunk.columns.items():
            out.setdefault(name, []).extend(
                values.tolist() if isinstance(values, np.ndarray) else values.cast(pa.string()).to_pylist()
            )
    return out


# -- CSV ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, names",
    [
        (HEADER + ROWS, ["a", "b"]),
        ((HEADER + ROWS).replace("\n", "\r\n"), ["a", "b"]),
        ("\ufeff" + HEADER + ROWS, ["a", "b"]),
        ("\n\n" + HEADER + ROWS, ["a", "b"]),  # blank lines before the header
        ((HEADER + ROWS).replace(",", ";"), ["a", "b"]),
        ((HEADER + ROWS).replace(",", "|"), ["a", "b"]),
        ((HEADER + ROWS).replace(",", "\t"), ["a", "b"]),
        ('"a;b;c;d","b",y\n' + ROWS, ["a;b;c;d", "b"]),  # delimiters within quotes do not count
        ('"a\nz",b,y\n' + ROWS, ["a\nz", "b"]),
        ("a b, é ,y\n" + ROWS, ["a b", " é "]),
        (",b,y\n" + ROWS, ["", "b"]),  # as pandas writes an index
    ],
)
def test_the_header_is_found_however_it_is_written(tmp_path, content, names):
    read = columns_of(write(tmp_path / "a.csv", content))
    assert list(read) == names
    assert read[names[0]] == [str(i) for i in range(30)]
    assert read[names[1]] == ["p", "q"] * 15


def test_cells_stay_as_they_are_written(tmp_path):
    content = 'a,b,y\n007," x",0\n,"",1\nNA,"two\nlines",0\n"1,5",?,1\n'
    assert columns_of(write(tmp_path / "a.csv", content)) == {
        "a": ["007", "", "NA", "1,5"],
        "b": [" x", "", "two\nlines", "?"],
    }


def test_a_tsv_is_split_at_tabs_whatever_else_its_header_has(tmp_path):
    assert list(columns_of(write(tmp_path / "a.tsv", "a, b, c, d\ty\n1\t0\n"))) == ["a, b, c, d"]


def test_files_may_have_their_columns_in_another_order_and_be_empty(tmp_path):
    paths = [
        write(tmp_path / "0.csv", HEADER),
        write(tmp_path / "1.csv", HEADER + "1,p,no\n"),
        write(tmp_path / "2.csv", "y,b,a\nyes,q,2\n"),
    ]
    source = as_source(paths, "y")
    assert [c.label.to_pylist() for c in source.chunks()] == [["no"], ["yes"]]
    read = columns_of(paths)
    assert (read["a"], read["b"]) == (["1", "2"], ["p", "q"])
    assert source.name == "0.csv and 2 more"


BAD_CSV = [
    ("", "a.csv is empty: nothing to prepare."),
    (" \n\n", "a.csv is empty: nothing to prepare."),
    ("a,b,y\n", "a.csv has no rows: nothing to prepare."),
    ("a,b,y", "a.csv has no rows: nothing to prepare."),
    ("a,a,y\n" + ROWS, r"a.csv: columns \['a'\] exist twice: rename one of each."),
    (HEADER + ROWS + "1,2,3,4\n", r"a.csv .*header being row #1: Row #32: Expected 3 columns, got 4: 1,2,3,4: mend or"),
    (HEADER + ROWS + "1,2\n", r"a.csv .*Row #32: Expected 3 columns, got 2: 1,2: mend or remove that row."),
    (HEADER + ROWS + '1,"p,no\n', r"a.csv .*Row #32: Expected 3 columns, got 2: 1,\"p,no: mend or remove"),
    ((HEADER + ROWS + "1,é,no\n").encode("latin-1"), r"a.csv is not UTF-8 .*read_csv\('a.csv', encoding='latin-1'\)"),
    (("a,é,y\n" + ROWS).encode("latin-1"), r"a.csv is not UTF-8 .*read_csv\('a.csv', encoding='latin-1'\)"),
    ((HEADER + ROWS).encode("utf-16"), r"a.csv is not UTF-8 .*read_csv\('a.csv', encoding='utf-16'\)"),
]


@pytest.mark.parametrize("content, message", BAD_CSV)
def test_what_is_wrong_with_a_csv_is_said(tmp_path, content, message):
    with pytest.raises(pk.PrepkitError, match=message):
        columns_of(write(tmp_path / "a.csv", content))


def test_a_gzip_file_that_is_none_or_is_cut_off_is_said(tmp_path):
    whole = gzip.compress((HEADER + ROWS).encode())
    for content in (HEADER + ROWS, whole[:-20], whole[:20]):
        with pytest.raises(
            pk.PrepkitError, match=r"a.csv.gz cannot be read: .*is it complete, and what its ending says"
        ):
            columns_of(write(tmp_path / "a.csv.gz", content))


def test_the_first_rows_are_there_before_a_later_broken_one_is_met(tmp_path, monkeypatch):
    """So no file is read whole; and the row is numbered in the file, not in its block."""
    monkeypatch.setattr(files, "CSV_BLOCK", 10_000)
    path = write(tmp_path / "a.csv", HEADER + ROWS * 1000 + "1,2,3,4\n")
    chunks = as_source(path, "y").chunks()
    assert len(next(chunks)) < 2000
    with pytest.raises(pk.PrepkitError, match="Row #30002"):
        list(chunks)


# -- Parquet -----------------------------------------------------------------------------------------


def parquet(path: Path, table: pa.Table, **options: object) -> Path:
    pa.parquet.write_table(table, path, **options)
    return path


def test_row_groups_come_in_another_order_where_a_generator_is_given(tmp_path):
    path = parquet(tmp_path / "a.parquet", pa.table({"a": range(100), "y": [0, 1] * 50}), row_group_size=10)
    source = as_source(path, "y")
    assert source.n_rows == 100
    in_order, mixed = (
        np.concatenate([c.columns["a"].to_numpy() for c in source.chunks(rng)])
        for rng in (None, np.random.default_rng(0))
    )
    assert in_order.tolist() == list(range(100))
    assert mixed.tolist() != in_order.tolist()
    assert sorted(mixed.tolist()) == in_order.tolist()
    assert mixed.reshape(10, 10).tolist() == (mixed.reshape(10, 10)[:, :1] + np.arange(10)).tolist()


def test_parquet_takes_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "CHUNK", 1000)
    numbers = np.random.default_rng(0).random((200_000, 4))
    table = pa.table({f"c{i}": numbers[:, i] for i in range(4)} | {"y": np.arange(200_000) % 2})
    path = parquet(tmp_path / "a.parquet", table, row_group_size=5000)
    size = table.nbytes
    del table
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in as_source(path, "y").chunks())
    assert most < size / 5


def bad_parquet(path: Path) -> bytes:
    """The pages of the last row group damaged."""
    table = pa.table({"a": np.random.default_rng(0).random(20_000), "y": np.arange(20_000) % 2})
    content = bytearray(parquet(path, table, row_group_size=10_000, compression="gzip").read_bytes())
    start = pa.parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content[start : start + 2000] = b"\xff" * 2000
    return bytes(content)


def test_what_is_wrong_with_a_parquet_file_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "CHUNK", 10_000)
    path = tmp_path / "a.parquet"
    for content in (b"", b"x" * 100, bad_parquet(tmp_path / "b.parquet")[:-100]):
        with pytest.raises(pk.PrepkitError, match="a.parquet cannot be read as Parquet: "):
            columns_of(write(path, content))
    chunks = as_source(write(path, bad_parquet(tmp_path / "b.parquet")), "y").chunks()
    assert len(next(chunks)) == 10_000
    with pytest.raises(pk.PrepkitError, match=r"a.parquet cannot be read as Parquet: .*: write it again."):
        list(chunks)
    parquet(path, pa.table({"a": pa.array([], pa.float64()), "y": pa.array([], pa.int64())}))
    with pytest.raises(pk.PrepkitError, match="a.parquet has no rows: nothing to prepare."):
        columns_of(path)
    parquet(path, pa.table([[1, 2], [3, 4], [0, 1]], names=["a", "a", "y"]))
    with pytest.raises(pk.PrepkitError, match=r"a.parquet: columns \['a'\] exist twice"):
        columns_of(path)


# -- NPZ ---------------------------------------------------------------------------------------------


def test_arrays_of_any_type_and_shape_are_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "CHUNK", 3)
    arrays = {
        "f": np.arange(10.0, dtype=np.float32),
        "big": np.arange(10, dtype=">i8"),
        "image": np.arange(80, dtype=np.uint8).reshape(10, 2, 4),
        "s": np.array([f"é{i}" for i in range(10)]),
        "b": np.array([f"b{i}".encode() for i in range(10)]),
        "t": np.datetime64("2024-01-01") + np.arange(10),
        "one": np.arange(10)[:, None],
        "y": np.arange(10) % 2 == 0,
    }
    np.savez(tmp_path / "a.npz", **arrays)
    chunks = list(as_source(tmp_path / "a.npz", "y").chunks())
    assert [len(c) for c in chunks] == [3, 3, 3, 1]
    for name in ("f", "big", "image"):
        np.testing.assert_array_equal(np.concatenate([c.columns[name] for c in chunks]), arrays[name])
    assert chunks[3].columns["s"].to_pylist() == ["é9"]
    assert chunks[3].columns["b"].to_pylist() == [b"b9"]
    assert chunks[3].columns["t"].to_pylist() == [arrays["t"][9].item()]
    assert chunks[3].columns["one"].tolist() == [9]
    np.testing.assert_array_equal(np.concatenate([c.label for c in chunks]), arrays["y"])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_takes_little_memory(tmp_path, monkeypatch, save):
    monkeypatch.setattr(base, "CHUNK", 1000)
    save(tmp_path / "a.npz", x=np.zeros((100_000, 8)), y=np.arange(100_000))  # 7.2 MB
    source = as_source(tmp_path / "a.npz", "y")
    tracemalloc.start()
    try:
        rows = sum(len(chunk) for chunk in source.chunks())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == 100_000
    assert most < 1_000_000


def test_x_and_y_in_an_npz_make_a_tensor_column(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(12.0).reshape(4, 3), y=[0, 1, 0, 1])
    assert pk.Pipeline([pk.Rescale()]).fit(tmp_path / "a.npz", "y").feature_names == ("x[0]", "x[1]", "x[2]")


BAD_NPZ = [
    ({"a": np.array(["x", None], object)}, "a.npz: 'a' holds Python objects, which only running code can read"),
    ({"a": np.asfortranarray(np.eye(2))}, r"a.npz: 'a' is stored column by column \(Fortran order\): save"),
    ({"a": np.eye(3)}, r"a.npz: arrays of different lengths {'a': 3, 'y': 2}: give one row each"),
    ({"a": np.array(3)}, r"a.npz: arrays of different lengths {'a': 'a single value', 'y': 2}"),
    ({"a": np.array([["p", "q"]] * 2)}, r"column 'a' is an array of <U1 of shape \(2, 2\): give numbers."),
    ({"a": np.arange(2) * 1j}, "column 'a' holds Python objects of types complex128, of which no column can be made"),
]


@pytest.mark.parametrize("arrays, message", BAD_NPZ)
def test_arrays_that_are_no_columns_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays, y=[0, 1])
    with pytest.raises(pk.PrepkitError, match=message):
        columns_of(tmp_path / "a.npz")


def test_what_is_wrong_with_an_npz_file_is_said(tmp_path):
    path = tmp_path / "a.npz"
    for save in (np.savez, np.savez_compressed):
        save(path, x=np.random.default_rng(0).random((1000, 3)), y=[0, 1] * 500)
        content = bytearray(path.read_bytes())
        content[5000:5100] = b"\xff" * 100
        for broken in (b"", b"x" * 100, path.read_bytes()[:4000], bytes(content)):
            with pytest.raises(pk.PrepkitError, match=r"b.npz cannot be read as NPZ: .*: save it again."):
                columns_of(write(tmp_path / "b.npz", broken))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(
        pk.PrepkitError, match=r"b.npz: 'x' is no array \(the magic string is not correct.*save it again."
    ):
        columns_of(tmp_path / "b.npz")
    np.savez(tmp_path / "b.npz")
    with pytest.raises(pk.PrepkitError, match="b.npz has no rows: nothing to prepare."):
        columns_of(tmp_path / "b.npz")
    np.savez(tmp_path / "b.npz", x=np.zeros((0, 3)), y=np.zeros(0))
    with pytest.raises(pk.PrepkitError, match="b.npz has no rows: nothing to prepare."):
        columns_of(tmp_path / "b.npz")


# -- TFRecord ----------------------------------------------------------------------------------------


def example(**values: list[bytes] | list[float] | list[int]) -> bytes:
    features = {}
    for name, v in values.items():
        if isinstance(v[0], bytes):
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=v))
        elif isinstance(v[0], float):
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=v))
        else:
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=v))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def tfrecord(path: Path, records: list[bytes], compression: str = "") -> Path:
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)
    return path


GOOD = [example(a=[float(i)], v=[1.0, float(i)], s=[b"pq"[i % 2 : i % 2 + 1]], y=[i % 2]) for i in range(20)]


def test_vectors_and_what_is_absent_are_inferred(tmp_path):
    path = tfrecord(tmp_path / "a.tfrecord", [*GOOD, example(y=[1]), example(y=[0], a=[2.0])])
    (chunk,) = as_source(path, "y").chunks()
    assert chunk.columns["v"].shape == (22, 2)
    assert np.isnan(chunk.columns["v"][20]).all()
    assert np.isnan(chunk.columns["a"]).nonzero()[0].tolist() == [20]
    assert chunk.columns["s"].to_pylist()[19:] == [b"q", b"", b""]


def test_files_with_and_without_compression_are_read_together(tmp_path):
    paths = [tfrecord(tmp_path / "0.tfrecord", GOOD), tfrecord(tmp_path / "1.tfrecord", GOOD[:5], "GZIP")]
    source = as_source([*paths, paths[0]], "y")
    assert sum(map(len, source.chunks())) == 45
    assert source.name == "0.tfrecord and 2 more"


def test_no_tfrecord_is_read_whole(tmp_path):
    path = tfrecord(tmp_path / "a.tfrecord", GOOD * 2000)  # 40,000 records
    broken = write(tmp_path / "b.tfrecord", path.read_bytes()[:-10])
    chunks = as_source(broken, "y").chunks()
    assert len(next(chunks)) == 8192
    with pytest.raises(pk.PrepkitError, match=r"b.tfrecord: a record cannot be read: truncated record at"):
        list(chunks)


BAD_RECORDS = [
    ([b"no example"], r"a.tfrecord cannot be read as TFRecord of tf.train.Example: "),
    ([], "a.tfrecord has no records with features: nothing to prepare."),
    (
        [example(y=[1]), example(v=[1.0]), example(v=[1.0, 2.0])],
        r"'v' has 1 values \(float_list\) in one record and 2 \(",
    ),
    (
        [example(v=[1.0]), example(v=[1])],
        r"a.tfrecord: feature 'v' has 1 values \(float_list\) in one record and 1 \(int",
    ),
    ([*GOOD * 100, example(v=[1.0], y=[1])], r"a.tfrecord: a record cannot be read: Key: v.*give as_source features="),
]


@pytest.mark.parametrize("records, message", BAD_RECORDS)
def test_what_is_wrong_with_records_is_said(tmp_path, records, message):
    with pytest.raises(pk.PrepkitError, match=f"(?s){message}"):
        columns_of(tfrecord(tmp_path / "a.tfrecord", records))


def test_a_file_that_holds_no_records_is_refused(tmp_path):
    with pytest.raises(pk.PrepkitError, match=r"a.tfrecord cannot be read as TFRecord of tf.train.Example: corrupted"):
        columns_of(write(tmp_path / "a.tfrecord", b"x" * 100))


def test_a_feature_spec_that_does_not_hold_is_refused(tmp_path):
    path = tfrecord(tmp_path / "a.tfrecord", GOOD)
    features = {"z": tf.io.FixedLenFeature([], tf.float32), "y": tf.io.FixedLenFeature([], tf.int64)}
    with pytest.raises(pk.PrepkitError, match="a.tfrecord: a record cannot be read: Feature: z .*could not be found"):
        list(as_source(path, "y", features=features).chunks())
    with pytest.raises(pk.PrepkitError, match=r"'a' of the dataset is sparse or ragged: make it dense by tf.sparse"):
        as_source(path, "y", features={"a": tf.io.VarLenFeature(tf.float32), "y": features["y"]})


# -- which files -------------------------------------------------------------------------------------


def test_globs_and_odd_names_are_found(tmp_path):
    for name in ("b.csv", "a.csv", "c[1].csv", "D.CSV"):
        write(tmp_path / name, HEADER + ROWS)
    found, kind = files.find_files(str(tmp_path / "*.csv"))
    assert ([f.name for f in found], kind) == (["a.csv", "b.csv", "c[1].csv"], "csv")
    assert files.find_files(tmp_path / "c[1].csv")[0] == [tmp_path / "c[1].csv"]
    assert files.find_files([tmp_path / "D.CSV", str(tmp_path / "[ab].csv")])[0] == [
        tmp_path / name for name in ("D.CSV", "a.csv", "b.csv")
    ]


def test_files_that_are_not_there_or_not_known_are_refused(tmp_path):
    write(tmp_path / "a.csv", HEADER + ROWS)
    write(tmp_path / "a.xlsx", "x")
    pd.DataFrame({"a": [1.0], "y": [0]}).to_parquet(tmp_path / "a.parquet")
    for data, message in (
        (tmp_path, r"is a directory: give a file or a glob, such as .*\*.csv"),
        (tmp_path / "b.csv", "no file .*b.csv: check the path"),
        (str(tmp_path / "b*.csv"), r"no file .*b\*.csv: check the path"),
        (tmp_path / "a.xlsx", "a.xlsx: unknown ending; prepkit reads .csv, .csv.gz, .tsv, .tsv.gz, .parquet, .npz"),
        ([tmp_path / "a.csv", tmp_path / "a.parquet"], r"formats \['csv', 'parquet'\]: give files of one format"),
    ):
        with pytest.raises(pk.PrepkitError, match=message):
            as_source(data, "y")


def test_files_of_other_columns_are_refused(tmp_path):
    paths = [write(tmp_path / "0.csv", HEADER + ROWS), write(tmp_path / "1.csv", "a,c,y\n" + ROWS)]
    with pytest.raises(pk.PrepkitError, match=r"1.csv has other columns than 0.csv: \['b', 'c'\] differ."):
        columns_of(paths)


def test_the_label_is_looked_for_in_every_file_but_where_it_need_not_be_there(tmp_path):
    path = write(tmp_path / "a.csv", HEADER + ROWS)
    for label, message in (
        ("Y ", "label='Y ' is no column of a.csv: did you mean 'y'?"),
        ("income", "label='income' is no column of a.csv: choose one of 'a', 'b', 'y'."),
    ):
        with pytest.raises(pk.PrepkitError, match=message):
            columns_of(path, label)
    (chunk,) = as_source(path, "income", required=False).chunks()
    assert (list(chunk.columns), chunk.label) == (["a", "b", "y"], None)
    with pytest.raises(pk.PrepkitError, match="b.csv has no column but the label 'y': there is nothing to learn from"):
        columns_of(write(tmp_path / "b.csv", "y\n0\n1\n"))
