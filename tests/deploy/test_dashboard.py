"""The Grafana dashboard: well formed, and asking for nothing that is not exported."""

import itertools
import json
import re


def test_every_panel_has_its_own_id_and_a_place_of_its_own_in_the_grid(deploy):
    panels = json.loads((deploy / "grafana" / "perp-monitor.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        own = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert at["x"] + at["w"] <= 24
        assert not cells & own, panel["title"]
        cells |= own


def test_every_panel_reads_from_the_chosen_data_source_and_says_what_it_means(panels):
    for panel in panels:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert panel["description"].endswith("."), panel["title"]


def test_every_variable_in_a_query_is_one_that_the_dashboard_or_grafana_gives(deploy, panel_queries):
    dashboard = json.loads((deploy / "grafana" / "perp-monitor.json").read_text())
    given = {variable["name"] for variable in dashboard["templating"]["list"]} | {"__rate_interval"}
    for title, expr in panel_queries:
        assert set(re.findall(r"\$\{?(\w+)", expr)) <= given, title


def test_a_level_is_never_shown_without_the_quality_of_its_price(panels):
    table = next(panel for panel in panels if panel["type"] == "table")
    asked = " ".join(target["expr"] for target in table["targets"])
    assert "perp_position_level" in asked
    assert "perp_position_quality" in asked


def test_level_and_quality_are_worded_as_the_engine_words_them(panels):
    from monitor.core.alerts import Level, Quality

    worded = {panel["title"]: panel["fieldConfig"]["defaults"].get("mappings") for panel in panels}
    for title, words in (("Level", Level), ("Quality of the price behind it", Quality)):
        (mapping,) = worded[title]
        assert {int(value): shown["text"] for value, shown in mapping["options"].items()} == {w: w.word for w in words}
