"""codeintel_rev, the chunker beyond Python: definitions under the names that their readers use, in twelve languages."""

import importlib
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeintel_rev.indexing import syntax_chunks
from codeintel_rev.indexing.chunks import chunk_file
from codeintel_rev.indexing.grammars import BY_SUFFIX, GRAMMARS

TYPESCRIPT = """\
    import x from "y";

    /** A cart. */
    @Injectable()
    export default class Cart<T> extends Base {
      private items = [];

      // adds one
      add = (item: T) => {
        this.items.push(item);
      };

      get total(): number { return 1; }
    }

    export interface Shape { area(): number; }
    export type Id = string;
    enum Color { Red }

    export const handler = async (event) => {
      return event;
    };
    const LIMIT = 3;

    namespace Shop {
      export function open() {}
    }
    """
JAVASCRIPT = """\
    'use strict';
    (function($) {
      function inside(a) {
        return a;
      }
      $.fn.plugin = function(options) {
        return this;
      };
    })(jQuery);

    module.exports = {
      name: 'x',
      run() {
        return 1;
      },
      stop: function () {
        return 2;
      },
    };
    """
GO = """\
    package main

    // Server serves.
    type Server struct {
    \taddress string
    }

    func (s *Server) Serve(port int) error {
    \treturn nil
    }

    func (l List[T]) Len() int { return 0 }

    func main() {}

    const Limit = 3
    """
RUST = """\
    //! The crate.
    use std::fmt;

    /// A cart.
    #[derive(Debug)]
    pub struct Cart<T> { items: Vec<T> }

    impl<T> fmt::Display for Cart<T> {
        /// Shows it.
        #[inline]
        fn fmt(&self) {}
    }

    trait Shape {
        fn area(&self) -> f64;
        fn twice(&self) -> f64 { 2.0 }
    }

    mod tests {
        #[test]
        fn adds() {}
    }

    macro_rules! list { () => {} }
    type Id = u32;
    """
JAVA = """\
    package shop;

    import java.util.List;

    /** A cart. */
    @Deprecated
    public class Cart<T> extends Base {
        private int size;

        Cart() {}

        @Override
        public <T> void add(T item) {
            size++;
        }

        enum Color {
            RED;
            int code() { return 1; }
        }
    }
    """
CPP = """\
    #include <vector>

    namespace shop {
    // A cart.
    template <typename T>
    class Cart : public Base {
     public:
      Cart();
      ~Cart() {}
      bool operator==(const Cart& other) const {
        return true;
      }
    };

    void Cart::add(int item) {}
    template <class T> T* make(int n) { return 0; }
    }  // namespace shop

    #ifdef FAST
    static int *fast(void) { return 0; }
    #endif
    typedef struct point { int x; } point_t;
    struct forward;
    #define MAX(a, b) ((a) > (b) ? (a) : (b))
    enum class Color { Red };
    """
CASES = {
    "app/cart.ts": (
        TYPESCRIPT,
        """
        module cart 1-1
        class Cart 3-6
        method Cart.add 8-11
        method Cart.total 13-14
        class Shape 16-16
        type Id 17-17
        class Color 18-18
        function handler 20-22
        body cart 23-23
        module Shop 25-25
        function Shop.open 26-27
        """,
    ),
    "web/site.js": (
        JAVASCRIPT,
        """
        module site 1-2
        function inside 3-5
        function $.fn.plugin 6-8
        body site 9-12
        method run 13-15
        function stop 16-19
        """,
    ),
    "main.go": (
        GO,
        """
        module main 1-1
        class Server 3-6
        method Server.Serve 8-10
        method List.Len 12-12
        function main 14-14
        body main 16-16
        """,
    ),
    "src/lib.rs": (
        RUST,
        """
        module lib 1-2
        class Cart 4-6
        class Cart 8-8
        method Cart.fmt 9-12
        class Shape 14-15
        method Shape.twice 16-17
        module tests 19-19
        function tests.adds 20-22
        macro list 24-24
        type Id 25-25
        """,
    ),
    "Cart.java": (
        JAVA,
        """
        module Cart 1-3
        class Cart 5-8
        method Cart.Cart 10-10
        method Cart.add 12-15
        class Cart.Color 17-18
        method Cart.Color.code 19-21
        """,
    ),
    "cart.cpp": (
        CPP,
        """
        module cart 1-1
        module shop 3-3
        class shop.Cart 4-8
        method shop.Cart.~Cart 9-9
        method shop.Cart.operator== 10-13
        method shop.Cart.add 15-15
        function shop.make 16-16
        body shop 17-17
        body cart 19-19
        function fast 20-20
        body cart 21-21
        class point_t 22-22
        body cart 23-23
        macro MAX 24-24
        class Color 25-25
        """,
    ),
    "old.c": (
        "struct list { struct list *next; } head;\nint (*pick(int n))(void)\n{\n  return 0;\n}\n",
        """
        class list 1-1
        function pick 2-5
        """,
    ),
    "Cart.cs": (
        "namespace Shop {\n  [Serializable]\n  class Cart {\n    int Add(int x) {\n      return x;\n    }\n  }\n}\n",
        """
        module Shop 1-1
        class Shop.Cart 2-3
        method Shop.Cart.Add 4-8
        """,
    ),
    "cart.rb": (
        "module Shop\n  # A cart\n  class Cart\n    def add(x)\n      x\n    end\n  end\nend\n",
        """
        module Shop 1-1
        class Shop.Cart 2-3
        method Shop.Cart.add 4-8
        """,
    ),
    "cart.php": (
        "<?php\nnamespace Shop;\n\nclass Cart {\n  public function add($x) {\n    return $x;\n  }\n}\nfunction top() {}\n",
        """
        module cart 1-2
        class Cart 4-4
        method Cart.add 5-8
        function top 9-9
        """,
    ),
    "run.sh": (
        "#!/bin/sh\nset -e\n\n# starts\nstart() {\n  echo\n}\nstart\n",
        """
        module run 1-2
        function start 4-7
        body run 8-8
        """,
    ),
}


def outline(path, text):
    chunks, parser = chunk_file(path, "b", text)
    return parser, [f"{c.kind} {c.name} {c.start_line}-{c.end_line}" for c in chunks]


@pytest.mark.parametrize("path", CASES)
def test_definitions_are_chunks_with_qualified_names(path):
    """With their comments, attributes and `export`s; what only closes a brace is no chunk by itself."""
    text, expected = CASES[path]
    assert outline(path, textwrap.dedent(text)) == ("tree-sitter", textwrap.dedent(expected).split("\n")[1:-1])


def test_every_grammar_is_installed_and_speaks_our_table():
    """A node type that a newer grammar renamed would silently find nothing."""
    from tree_sitter import Language

    for grammar in GRAMMARS:
        language = Language(getattr(importlib.import_module(grammar.module), grammar.entry)())
        names = {*grammar.defines, *grammar.opens, *grammar.needs}
        assert sorted(n for n in names if not language.id_for_node_kind(n, True)) == UNKNOWN.get(
            grammar.suffixes[0], []
        ), grammar


# JavaScript and TypeScript share one table, and each lacks a node type of the other's
UNKNOWN = {".js": ["public_field_definition"], ".ts": ["field_definition"], ".tsx": ["field_definition"]}


def test_a_broken_file_costs_one_definition_and_not_the_file():
    text = "func good() {}\n\nfunc broken( {\n\nfunc alsoGood() {}\n"
    parser, found = outline("a.go", "package p\n\n" + text)
    assert (parser, "function good 3-3" in found) == ("tree-sitter", True)


def test_definitions_on_one_line_are_one_chunk():
    """Nobody can be shown one without the other, and no line is in two chunks."""
    text = "function a() {} function b() {}\nclass C { m() {} }\n"
    assert outline("a.js", text)[1] == ["function a 1-1", "class C 2-2"]


def test_a_long_method_is_cut_and_keeps_its_name():
    body = "    x += 1;\n" * 120
    found = outline("A.java", f"class A {{\n  void go() {{\n{body}  }}\n}}\n")[1]
    assert found == ["class A 1-1", "method A.go 2-61", "method A.go 52-111", "method A.go 102-124"]


def test_lines_of_enormous_length_do_not_share_a_chunk():
    text = "\n".join(["x" * 10_000] * 3)
    assert outline("a.txt", text)[1] == [f"lines a.txt {n}-{n}" for n in (1, 2, 3)]


def test_bottomless_nesting_is_cut_off():
    """Forty levels are looked into; what lies deeper is part of what is around it, and no stack is exhausted."""
    text = "\n".join(f"namespace n{n} {{" for n in range(3000)) + "\nint x;\n" + "}\n" * 3000
    parser, found = outline("deep.cpp", text)
    assert (parser, found[0], len(found) < 250) == ("tree-sitter", "module n0 1-1", True)


def test_without_its_grammar_a_file_is_cut_by_lines(monkeypatch):
    """And counted as unparsed: a machine that lacks a wheel still finds the words."""
    broken = BY_SUFFIX[".go"].__class__("tree_sitter_absent", (".go",), {}, frozenset())
    monkeypatch.setattr("codeintel_rev.indexing.chunks.BY_SUFFIX", {".go": broken})
    assert outline("a.go", "package p\n") == ("unparsed", ["lines a.go 1-1"])


PIECES = st.sampled_from(
    """{|}|class A {|fn f() {|function g() {|def m|end|// note|# note|int x;|/*|*/||struct S {|namespace N {|(|
impl T for U {|<?php|export|@note|#[test]|func (s *S) G() {""".replace("\n", "").split("|")
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25), st.sampled_from(sorted(BY_SUFFIX)))
def test_every_line_that_is_not_blank_is_in_exactly_one_chunk(lines, suffix):
    """Whatever the file looks like, in whatever language."""
    chunks, parser = chunk_file(f"a{suffix}", "b", "\n".join(lines))
    covered = [n for c in chunks for n in range(c.start_line, c.end_line + 1)]
    assert {n for n, line in enumerate(lines, 1) if line.strip()} <= set(covered)
    assert parser == "unparsed" or len(covered) == len(set(covered))


def test_a_parser_is_made_once_per_language():
    """Loading a grammar for each file would cost more than parsing it."""
    chunk_file("a.go", "b", "package p\n")
    before = syntax_chunks._language.cache_info().misses
    chunk_file("b.go", "b", "package q\n")
    assert syntax_chunks._language.cache_info().misses == before
