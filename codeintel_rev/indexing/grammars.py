"""What a definition looks like in each language that tree-sitter reads for us: data, one row per language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeintel_rev.indexing.outline import Kind

_NOTES = frozenset({"comment", "line_comment", "block_comment", "attribute_item", "decorator"})


@dataclass(frozen=True, slots=True)
class Grammar:
    """`module` is that of the grammar's wheel, `entry` the function of it that gives the language.

    `defines`: node types that are definitions. `needs`: of these, the ones that are so only with that field (a body).
    `if_function`: of these, the ones that are so only when that field holds a function.
    `opens`: definitions whose own definitions are found by themselves, under a longer name.
    `wraps`: belong to the one definition in them (`export`, `template <…>`). `holds`: have definitions in them.
    `notes`: stand before a definition and belong to it.
    """

    module: str
    suffixes: tuple[str, ...]
    defines: Mapping[str, Kind]
    opens: frozenset[str]
    wraps: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    needs: Mapping[str, str] = field(default_factory=dict)
    if_function: Mapping[str, str] = field(default_factory=dict)
    entry: str = "language"
    notes: frozenset[str] = _NOTES


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _kinds(**types: str) -> dict[str, Kind]:
    """`function="a b"` for {"a": "function", "b": "function"}."""
    return {name: kind for kind, names in types.items() for name in names.split()}  # type: ignore[misc] # keywords are str


_SCRIPT_HOLDS = _set(
    "statement_block call_expression parenthesized_expression arguments function_expression arrow_function "
    "class_body object ambient_declaration"
)
_SCRIPT_WRAPS = _set(
    "export_statement lexical_declaration variable_declaration expression_statement ambient_declaration"
)
_SCRIPT_VALUES = {
    "variable_declarator": "value",
    "field_definition": "value",
    "public_field_definition": "value",
    "assignment_expression": "right",
    "pair": "value",
}
_JAVASCRIPT = _kinds(
    function="function_declaration generator_function_declaration variable_declarator assignment_expression pair",
    method="method_definition field_definition public_field_definition",
    **{"class": "class_declaration"},
)
_TYPESCRIPT = _JAVASCRIPT | _kinds(
    function="function_signature",
    module="internal_module module",
    type="type_alias_declaration",
    **{"class": "abstract_class_declaration interface_declaration enum_declaration"},
)
_C_HOLDS = _set(
    "preproc_if preproc_ifdef preproc_else preproc_elif linkage_specification declaration_list field_declaration_list"
)
_C = _kinds(
    function="function_definition",
    macro="preproc_function_def",
    type="type_definition",
    **{"class": "struct_specifier union_specifier enum_specifier"},
)
_C_BODIES = dict.fromkeys(("struct_specifier", "union_specifier", "enum_specifier"), "body")
_CPP_BODIES = {**_C_BODIES, "class_specifier": "body"}


def _typescript(suffixes: tuple[str, ...], entry: str) -> Grammar:
    return Grammar(
        "tree_sitter_typescript", suffixes, _TYPESCRIPT, entry=entry,
        opens=_set("class_declaration abstract_class_declaration internal_module module"),
        wraps=_SCRIPT_WRAPS, holds=_SCRIPT_HOLDS, if_function=_SCRIPT_VALUES,
    )  # fmt: skip


GRAMMARS: tuple[Grammar, ...] = (
    Grammar(
        "tree_sitter_javascript", (".js", ".jsx", ".mjs", ".cjs"), _JAVASCRIPT, opens=_set("class_declaration"),
        wraps=_SCRIPT_WRAPS, holds=_SCRIPT_HOLDS, if_function=_SCRIPT_VALUES,
    ),
    _typescript((".ts", ".mts", ".cts"), "language_typescript"),
    _typescript((".tsx",), "language_tsx"),
    Grammar(
        "tree_sitter_go", (".go",), opens=frozenset(), wraps=_set("type_declaration"),
        defines=_kinds(function="function_declaration", method="method_declaration", **{"class": "type_spec"},
                       type="type_alias"),
    ),
    Grammar(
        "tree_sitter_rust", (".rs",), opens=_set("impl_item trait_item mod_item"),
        holds=_set("declaration_list foreign_mod_item"), needs={"mod_item": "body"},
        defines=_kinds(
            function="function_item", macro="macro_definition", module="mod_item", type="type_item",
            **{"class": "struct_item enum_item union_item trait_item impl_item"},
        ),
    ),
    Grammar(
        "tree_sitter_java", (".java",), holds=_set("enum_body_declarations"),
        opens=_set("class_declaration interface_declaration enum_declaration record_declaration"),
        defines=_kinds(
            method="method_declaration constructor_declaration compact_constructor_declaration",
            **{"class": "class_declaration interface_declaration enum_declaration record_declaration "
                        "annotation_type_declaration"},
        ),
    ),
    Grammar(
        "tree_sitter_c", (".c",), _C, opens=frozenset(), needs=_C_BODIES, holds=_C_HOLDS, wraps=_set("declaration"),
    ),
    Grammar(
        # .h too: C++ reads nearly all of C, and C hardly any of C++
        "tree_sitter_cpp", (".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx", ".h", ".ipp", ".cu", ".cuh"),
        opens=_set("class_specifier struct_specifier namespace_definition"), holds=_C_HOLDS, needs=_CPP_BODIES,
        wraps=_set("declaration field_declaration template_declaration"),
        defines=_C | _kinds(type="alias_declaration", module="namespace_definition", **{"class": "class_specifier"}),
    ),
    Grammar(
        "tree_sitter_c_sharp", (".cs",), holds=_set("declaration_list"),
        opens=_set("namespace_declaration class_declaration struct_declaration interface_declaration record_declaration"),
        defines=_kinds(
            method="method_declaration constructor_declaration", module="namespace_declaration",
            type="delegate_declaration",
            **{"class": "class_declaration struct_declaration interface_declaration record_declaration enum_declaration"},
        ),
    ),
    Grammar(
        "tree_sitter_ruby", (".rb", ".rake"), holds=_set("body_statement"), opens=_set("class module"),
        defines=_kinds(method="method singleton_method", module="module", **{"class": "class"}),
    ),
    Grammar(
        "tree_sitter_php", (".php",), entry="language_php", holds=_set("declaration_list"),
        opens=_set("class_declaration interface_declaration trait_declaration enum_declaration"),
        defines=_kinds(
            function="function_definition", method="method_declaration",
            **{"class": "class_declaration interface_declaration trait_declaration enum_declaration"},
        ),
    ),
    Grammar(
        "tree_sitter_bash", (".sh", ".bash"), opens=frozenset(), defines=_kinds(function="function_definition"),
    ),
)  # fmt: skip

BY_SUFFIX: Mapping[str, Grammar] = {suffix: grammar for grammar in GRAMMARS for suffix in grammar.suffixes}
