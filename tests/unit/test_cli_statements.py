"""SQL cut into statements as a person means them, and places as a person counts them."""

import pytest

from app.cli.statements import cut


@pytest.mark.parametrize(
    ("text", "ended", "begun"),
    [
        ("select 1; select 2;", ["select 1", "select 2"], None),
        ("select 1;\n select 2", ["select 1"], "select 2"),
        (" ;; -- nothing;\n /* nor; here /* or; here */ */ ", [], None),
        ("select 'a;''b', e'\\';', \"c;\"\"d\";", ["select 'a;''b', e'\\';', \"c;\"\"d\""], None),
        ("select $$;$$, $x$ ; $$ ; $x$, a$b$c; 2", ["select $$;$$, $x$ ; $$ ; $x$, a$b$c"], "2"),
        ("select 1 -- one;\n + /* ; */ 2;", ["select 1 -- one;\n + /* ; */ 2"], None),
        ("select 'open;\n", [], "select 'open;\n"),
        ("select E'open\\';", [], "select E'open\\';"),
        ("select $a$ ; $b$;", [], "select $a$ ; $b$;"),
        ("/* open; /* */ select 1;", [], "/* open; /* */ select 1;"),
        ("\\d\n\\d funding\nselect 1;", ["\\d", "\\d funding", "select 1"], None),
        ("select 1 \\d\n;", ["select 1 \\d\n"], None),
    ],
)
def test_statements(text: str, ended: list[str], begun: str | None) -> None:
    found, rest = cut(text)
    assert [statement.text for statement in found] == ended
    assert (rest and rest.text) == begun


def test_places_are_of_the_whole_text() -> None:
    (_, second), third = cut("select 1;\n  select a,\n b; select c")
    assert (second.place(1), second.place(8), second.place(12)) == ((2, 3), (2, 10), (3, 2))
    assert third is not None
    assert third.place(8) == (3, 12)
