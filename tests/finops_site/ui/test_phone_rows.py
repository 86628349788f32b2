"""On a phone a row is a name with its amount, and some facts below; no figure stands there without its head."""

from finops_site.ui import phone_rows
from finops_site.ui.phone_rows import PhoneColumn, mark_rows, places

TEAM, COST = PhoneColumn("team"), PhoneColumn("cost", is_figure=True, is_money=True)
COUNT, DAYS = PhoneColumn("count", is_figure=True), [PhoneColumn(f"day {n}") for n in range(4)]
TABLE = """<thead><tr><th scope="col">Team</th><th scope="col">Lead</th>
<th class="number">Cost</th><th></th></tr></thead>
<tbody><tr><th scope="row">Data</th><td>ola</td><td class="number">7</td><td><button>Fix</button></td></tr>
<tr><td colspan="4">nothing</td></tr></tbody>"""


def test_the_first_column_is_the_name_and_money_stands_beside_it():
    assert places([TEAM, COUNT, COST]) == {"team": "name", "count": "figure", "cost": "amount"}


def test_a_table_without_money_shows_its_last_figure():
    assert places([TEAM, COUNT])["count"] == "amount"


def test_more_than_three_facts_unfold():
    place_of = places([TEAM, *DAYS, COST])
    assert [place_of[day.name] for day in DAYS] == ["fact", "fact", "fact", "rest"]


def test_a_table_may_choose_its_name_amount_and_facts():
    place_of = places([TEAM, *DAYS, COUNT, COST], facts=("day 3", "cost"), amount="count", name="day 0")
    assert place_of == {
        **{"team": "rest", "day 0": "name", "day 1": "rest", "day 2": "rest", "day 3": "fact"},
        **{"count": "amount", "cost": "figure"},
    }


def test_boxes_and_buttons_keep_their_places():
    assert places([PhoneColumn("pick", place=phone_rows.PICK), TEAM]) == {"pick": "pick", "team": "name"}


def test_a_table_written_by_hand_learns_its_places_from_its_heads():
    html = mark_rows(TABLE)
    assert '<th data-phone="name" data-label="Team" role="rowheader" scope="row">Data</th>' in html
    assert '<td data-phone="amount" data-label="Cost" role="cell" class="number">7</td>' in html
    assert '<td data-phone="actions" data-label="" role="cell"><button>' in html
    assert '<tr><td colspan="4">nothing</td></tr>' in html


def test_a_cell_with_a_second_line_stays_one_thing_beside_its_head():
    html = mark_rows(TABLE.replace("ola", 'ola<span class="second-line">since May</span>'))
    assert 'role="cell"><div>ola<span class="second-line">since May</span></div></td>' in html


def test_a_head_cannot_break_out_of_its_label():
    html = mark_rows(TABLE.replace("Lead", 'a "b" &lt;i&gt;'))
    assert 'data-label="a &quot;b&quot; &lt;i&gt;"' in html


def test_a_table_without_heads_stays_as_it_is():
    assert mark_rows("<tbody><tr><td>a</td></tr></tbody>") == "<tbody><tr><td>a</td></tr></tbody>"
