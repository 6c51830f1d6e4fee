"""What is said of several files is said once, with the range of its numbers."""

from __future__ import annotations

from faultset.expectations.sentences import sentences


def test_one_sentence_on_one_file_stays_as_it_is():
    assert sentences([("a.csv: 3 rows are early", "a.csv")]) == ["a.csv: 3 rows are early"]


def test_files_that_differ_in_numbers_only_share_a_sentence():
    said = sentences([("a.csv: 1,536 rows say CEST", "a.csv"), ("b.csv: 12 rows say CEST", "b.csv")])
    assert said == ["each of a.csv, b.csv: 12 to 1,536 rows say CEST"]


def test_numbers_that_agree_are_no_range():
    said = sentences([("a.csv: 3 of 9 rows", "a.csv"), ("b.csv: 4 of 9 rows", "b.csv")])
    assert said == ["each of a.csv, b.csv: 3 to 4 of 9 rows"]


def test_lines_are_facts_of_their_own_file():
    two = [("a.csv: 1 rows were left out (line 12)", "a.csv"), ("b.csv: 2 rows were left out (line 90)", "b.csv")]
    assert sentences(two) == [two[0][0], two[1][0]]


def test_two_facts_of_one_file_stay_two():
    two = [("a.csv: 3 rows are early", "a.csv"), ("a.csv: 5 rows are early", "a.csv")]
    assert sentences(two) == [two[0][0], two[1][0]]


def test_dates_zones_and_names_are_no_numbers():
    two = [("a.csv: CET (UTC+1) on 2025-11-18", "a.csv"), ("b.csv: CET (UTC+1) on 2025-11-19", "b.csv")]
    assert sentences(two) == [two[0][0], two[1][0]]


def test_sentences_on_no_file_are_facts_of_their_own():
    two = [("3 hooks of cmp01 failed", ""), ("4 hooks of cmp01 failed", ""), ("3 hooks of cmp01 failed", "")]
    assert sentences(two) == ["3 hooks of cmp01 failed", "4 hooks of cmp01 failed"]
