"""YAML that means one thing only: everything else is an error that names file and line."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.errors import InputError
from faultset.sources.kit.yaml_tree import decode, load, parse


def problem(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("[1, -2, +3, 0, 1_000, 0x1F, 0b11, 017]", [1, -2, 3, 0, 1000, 31, 3, 15]),
        ("[1.5, .5, -1., 1.0e+3, 1e3]", [1.5, 0.5, -1.0, 1000.0, "1e3"]),
        ("[yes, No, on, OFF, true, False, y]", [True, False, True, False, True, False, "y"]),
        ("[~, null, NULL]", [None, None, None]),
        ("a:", {"a": None}),
        ("'1'", "1"),
        ('"yes"', "yes"),
        ("2019-11-19", "2019-11-19"),
        ("2019-11-19 23:51:43", "2019-11-19 23:51:43"),
        ("1:30", "1:30"),
        ("130.149.249.123", "130.149.249.123"),
        ("!!str 1", "1"),
        ("!!int '7'", 7),
        ("!!float 7", 7.0),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("1: a\nyes: b", {"1": "a", "yes": "b"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
        (
            "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}",
            {"x": {"a": 1}, "y": {"a": 2, "b": 2}, "z": {"a": 1, "b": 2}},
        ),
        ("'<<': 1", {"<<": 1}),
        ("", None),
        ("# only a comment\n", None),
        ("\ufeffa: ü", {"a": "ü"}),
        ("---\na: 1\n...\n", {"a": 1}),
    ],
)
def test_values_are_those_of_yaml_1_1(text: str, value: object) -> None:
    assert load(text, "f.yaml") == value


def test_infinity_and_nan_are_numbers() -> None:
    values = load("[.inf, -.INF, .nan]", "f.yaml")
    assert values[:2] == [math.inf, -math.inf]
    assert math.isnan(values[2])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is there twice (first in line 1)"),
        ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
        ("a: !!python/object:os.system x", 1, "tag"),
        ("a: !secret x", 1, "tag"),
        ("a: !!map [1]", 1, "tag"),
        ("a: !!int x", 1, "is no int"),
        ("? [a, b]\n: 1", 1, "a key is a list"),
        ("? {a: b}\n: 1", 1, "a key is a mapping"),
        ("a: *missing", 1, "no anchor is called &missing"),
        ("a: &a [*a]", 1, "stands in itself"),
        ("a: 1\nb:\n\t- c", 3, "tab"),
        ("a: [1, 2", 1, "no valid YAML"),
        ("a: b: c", 1, "no valid YAML"),
        ('a: "open', 1, "no valid YAML"),
        ("a: 1\nb: \x07", 2, "control character"),
        ("a: \ud800", None, "no text"),
        ("<<: 1", 1, "merges a number"),
        ("a: " + "9" * 500, 1, "digits"),
        ("[" * 70 + "]" * 70, 1, "64 levels"),
        ("[" * 1_000_000, 1, "64 levels"),
        ("- a\n" * 200_001, None, "values"),
        ("a" * (8 * 1024 * 1024 + 1), None, "8 MiB"),
    ],
)
def test_yaml_that_is_ambiguous_or_unbounded_is_an_error_with_its_line(text: str, line: int | None, words: str) -> None:
    message = problem(text)
    assert message.startswith("f.yaml:" if line is None else f"f.yaml:{line}:")
    assert words in message
    assert "\n" not in message


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.perf_counter()
    assert "aliases expand" in problem("\n".join(lines))
    merges = "big: &big {" + ", ".join(f"k{n}: 1" for n in range(20_000)) + "}\n"
    assert "aliases expand" in problem(merges + "".join(f"m{n}: {{<<: *big}}\n" for n in range(5_000)))
    assert time.perf_counter() - started < 20


def test_nodes_know_their_lines_and_the_comments_around_them() -> None:
    root = parse("a: 1  # one\nb:\n  # alone\n  - 'x # y'  # two\n  - z#w\n", "f.yaml")
    inner = root.get("b")
    assert inner is not None
    assert [item.line for item in inner.items] == [4, 5]
    assert inner.items[0].where == "f.yaml:4"
    assert [item.value for item in inner.items] == ["x # y", "z#w"]
    comments = root.source.comments
    assert [(comment.text, comment.alone, comment.column) for comment in comments] == [
        ("one", False, 6),
        ("alone", True, 2),
        ("two", False, 13),
    ]


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_lines_and_comments_are_found_with_every_line_break(break_: str) -> None:
    root = parse(f"a: ü{break_}# here{break_}b: |{break_}  # text{break_}c: 1 # there", "f.yaml")
    assert [name.line for name, _ in root.entries] == [1, 3, 5]
    assert [comment.text for comment in root.source.comments] == ["here", "there"]
    assert root.source.comments[0].alone


def test_a_value_describes_what_it_is_and_not_what_it_says() -> None:
    root = parse("[s3cr3t, 1, 1.5, yes, ~, [], {}]", "f.yaml")
    assert [item.described for item in root.items] == [
        "a text", "a number", "a number", "a yes or no", "nothing", "a list", "a mapping",
    ]  # fmt: skip


def test_bytes_are_utf_8_with_or_without_a_mark() -> None:
    assert decode("ä".encode(), "f") == decode(b"\xef\xbb\xbf" + "ä".encode(), "f") == "ä"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("ä: 1".encode("utf-16"), "UTF-16"),
        (b"a: 1\nb: \xe4", "ISO 8859-1"),
        (b"\x1f\x8b\x08\x00\xff", "compressed"),
        (b"\x00\x01\x02\xff", "binary"),
    ],
)
def test_another_encoding_is_named(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        decode(data, "f.yaml")


def test_the_line_of_a_wrong_byte_is_named() -> None:
    with pytest.raises(InputError, match=r"^f\.yaml:2:"):
        decode(b"a: 1\nb: \xe4\n", "f.yaml")


def error_of(content: str | bytes) -> str | None:
    try:
        load(content if isinstance(content, str) else decode(content, "f.yaml"), "f.yaml")
    except InputError as error:
        return str(error)
    return None


PIECES = [
    "a", ": ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "&x ", "*x", "<<: ", "!!int ", "!y ", "#", "'", '"', "|", ">",
    "\t", "?", "---", "...", "%", "1", ".5", "~", "yes", "\r", "\x00", "\ud800", "\u2028", "\\x", "@", "`", "0x", "_",
]  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)))
def test_whatever_the_text_it_is_a_tree_or_one_clear_error(text: str) -> None:
    assert (error_of(text) or "f.yaml").startswith("f.yaml")


@given(st.binary(max_size=60))
def test_whatever_the_bytes_they_are_text_or_one_clear_error(data: bytes) -> None:
    assert (error_of(data) or "f.yaml").startswith("f.yaml")
