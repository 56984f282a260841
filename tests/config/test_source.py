"""The form of a file: what is refused before any key is read, and JSON beside YAML."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from monitor.config.load import load_account_file
from monitor.config.places import Problems
from monitor.config.source import parse
from monitor.errors import ConfigError
from monitor.venues import RULES

REFUSED = {
    "empty": (b"", ["config.yaml: the file is empty"]),
    "comments only": (b"# nothing\n\n", ["config.yaml: the file is empty"]),
    "a document of nothing": (b"---\n", ["config.yaml: the file is empty"]),
    "not UTF-8": (b"log:\n  level: \xff\n", ["config.yaml:2: not UTF-8: save the file with that encoding"]),
    "UTF-16": ("log: {}".encode("utf-16"), ["config.yaml:1: not UTF-8: save the file with that encoding"]),
    "NUL": (b"log:\n\n  level: \0\n", ["config.yaml:3: control character '\\x00' is not allowed"]),
    "list at the top": (b"- accounts\n", ["config.yaml:1: expected a mapping (key: value), got a list"]),
    "text at the top": (b"accounts\n", ['config.yaml:1: expected a mapping (key: value), got "accounts"']),
    "alias": (
        b"a: &x 1\nb: *x\n",
        [
            "config.yaml:1: anchors (&name) are not allowed",
            "config.yaml:2: aliases (*name) are not allowed: write the value out",
        ],
    ),
    "object tag": (
        b"a: !!python/object/apply:os.system ['exit 1']\n",
        ["config.yaml:1: tags (!name) are not allowed"],
    ),
    "standard tag": (b"balance: !!float 1\n", ["config.yaml:1: tags (!name) are not allowed"]),
    "merge key": (
        b"log: {level: info}\n<<: {store: {}}\n",
        [
            (
                "config.yaml:1: accounts: missing: expected a list of accounts (a single account is a list as well: "
                '"accounts:" and below it "- name: ...")'
            ),
            'config.yaml:2: ["<<"]: unknown key',
        ],
    ),
    "two documents": (
        b"log: {}\n---\nlog: {}\n",
        ["config.yaml:2: a second document (---) is not allowed: one file, one document"],
    ),
    "list as a key": (b"? [a, b]\n: 1\n", ["config.yaml:1: a key must be text, not a list or a mapping"]),
    "tab": (
        b"log:\n\tlevel: info\n",
        [
            (
                "config.yaml:2: not readable as YAML: found character that cannot start any token "
                "(YAML indents with blanks, not tabs)"
            )
        ],
    ),
    "half-written": (
        b"log:\n  level: 'info\n",
        ["config.yaml:3: not readable as YAML: found unexpected end of stream"],
    ),
    "too deep": (b"a:\n  " + b"[" * 1000, ["config.yaml:2: nested deeper than 20 levels"]),
    "too many values": (
        b"a:\n- [" + b"a," * 200_000 + b"]",
        ["config.yaml:2: more than 100000 values"],
    ),
    "too large": (b"#" * (1 << 20) + b"\n", ["config.yaml: larger than 1 MiB: not a file of this kind"]),
}


@pytest.mark.parametrize(("data", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_file_of_the_wrong_form_is_refused(problems, data, expected):
    """The form is judged before any key."""
    assert problems(data) == expected


REFUSED_JSON = {
    "comment": ('{"log": {}} // no', "config.json:1: not readable as JSON: more text after the end of the value"),
    "trailing comma": ('{"log": {},\n}', 'config.json:2: not readable as JSON: expected a key in "quotes"'),
    "NaN": ('{"log": NaN}', "config.json:1: not readable as JSON: expected a value"),
    "leading zero": ('{"log": 010}', "config.json:1: not readable as JSON: expected a value"),
    "bare key": ("{log: 1}", 'config.json:1: not readable as JSON: expected a key in "quotes"'),
    "line end in text": (
        '{"log": "a\n"}',
        "config.json:1: not readable as JSON: text without a closing quote on its line",
    ),
    "half a surrogate": (
        '{"log": "\\ud800"}',
        "config.json:1: not readable as JSON: a \\ escape that JSON does not know",
    ),
    "unknown escape": ('{"log": "\\x"}', "config.json:1: not readable as JSON: a \\ escape that JSON does not know"),
    "cut": ('{"log":\n', "config.json:2: not readable as JSON: the text ends too early"),
    "no colon": ('{"log" 1}', 'config.json:1: not readable as JSON: expected ":" after the key'),
    "unclosed list": ('{"log": [1', 'config.json:1: not readable as JSON: expected "," or "]"'),
    "too many values": (
        "[" + "1," * 200_000 + "1]",
        "config.json:1: not readable as JSON: more than 100000 values",
    ),
    "too deep": ("[" * 1000, "config.json:1: not readable as JSON: nested deeper than 20 levels"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED_JSON.values(), ids=REFUSED_JSON)
def test_malformed_json_is_refused_with_its_line(problems, text, expected):
    """A file by the suffix .json is held to JSON's own grammar."""
    assert problems(text, "config.json") == [expected]


def test_json_has_the_same_lines_keys_and_problems(problems):
    """A repeated key, text for a number, and a number for text."""
    text = (
        '{\n\t"accounts": [\n\t\t{"name": 7, "name": "main", "venue": "okx",\n\t\t "balance": "1", "positions": []}]}'
    )
    assert problems(text, "account.json") == [
        "account.json:3: accounts[0].name: repeated key (first on line 3)",
        'account.json:3: accounts[0].name: expected text, got "7"',
        'account.json:4: accounts[0].balance: expected a number, got "1" (quoted text is no number: remove the quotes)',
    ]


def test_json_may_write_exponents_and_null_is_nothing(load, problems):
    """JSON's own number grammar holds there, still bounded."""
    account = {"name": "main", "venue": "okx", "balance": 1e30, "positions": []}
    assert problems(json.dumps({"accounts": [account]}), "account.json") == [
        'account.json:1: accounts[0].balance: expected a number, got "1e+30"'
    ]
    assert (
        load('{"accounts": [{"name": "m", "venue": "okx", "balance": 1.5e3, "positions": []}]}', "account.json")
        .accounts[0]
        .balance
        == 1500.0
    )
    assert "got nothing" in problems('{"accounts": null}', "account.json")[0]


def test_json_without_its_suffix_is_known_by_its_first_character(load):
    """Tabs and exponents, which YAML would refuse."""
    text = '\n{\t"accounts": [{"name": "m", "venue": "okx", "balance": 1E2, "positions": []}]}'
    assert load(text, "account").accounts[0].balance == 100.0


def test_yaml_that_begins_like_json_is_read_as_yaml(load):
    """A flow mapping with bare keys."""
    assert load("{accounts: [{name: m, venue: okx, positions: []}]}", "account.yaml").accounts[0].name == "m"


def test_a_byte_order_mark_is_no_part_of_the_text(load):
    """Some editors write one."""
    assert load(b"\xef\xbb\xbfaccounts: [{name: m, venue: okx, positions: []}]", "account.yaml").accounts


@pytest.mark.parametrize("name", ["absent.yaml", "", "\0"])
def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path, name):
    """Also a folder and a name that no file can have."""
    with pytest.raises(ConfigError, match="cannot be read: "):
        load_account_file(f"{tmp_path}/{name}", RULES)


def test_an_endless_file_is_refused_without_reading_on(tmp_path):
    """The size is capped while reading."""
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_account_file("/dev/zero", RULES)


def test_an_alias_bomb_costs_neither_time_nor_memory(problems):
    """Nothing is expanded: 10^9 items as written would be gigabytes."""
    levels = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [b"a%d: &a%d [%s]" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 9)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = problems(b"\n".join(levels))
    assert found[0] == "config.yaml:1: anchors (&name) are not allowed"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


def test_yaml_without_its_c_part_gives_the_same_nodes(monkeypatch, valid):
    """The C parser is quicker, not different."""
    import yaml

    from monitor.config import source

    fast = parse(valid.encode(), "config.yaml", Problems())
    monkeypatch.setattr(source, "_LOADER", yaml.SafeLoader)
    assert parse(valid.encode(), "config.yaml", Problems()) == fast
    assert fast is not None


def test_no_line_of_the_text_reaches_a_problem_of_form(folder, load):
    """A secret in a broken file stays there."""
    Path(folder / "x").write_text("")
    with pytest.raises(ConfigError) as caught:
        load("receivers:\n  - url: 'https://canary.example.com/canary\n    name: [\n")
    assert "canary" not in str(caught.value)
