"""The words of DuckDB's own error sentences: of a message, only these are kept where SQL text is not.

Read out of the sentences in its binaries, 1.4 to 2.0. A word that is missing here only makes a message shorter.
"""

from __future__ import annotations

from typing import Final

_SENTENCES: Final = """
    a aborted accepts access according action active add adding after aggregate aggregates alias all allocate
    allocation allow allowed already alter ambiguous an analyze and another any api appears append appended
    appender are argument arguments array arrays arrow as at attach attached attempted attempting available base
    batch be because been before being best between bigger bind binder binding bit blob block blocks boolean
    both bound buffer built but by byte bytes call callback called calling can can't candidate cannot capacity
    carried case cast casting casts catalog change character characters check checkpoint child children choose
    chunk clause closed code collation column columns combine combined comment commit comparison compile
    complete compression condition configuration conflict conflicting connect connection constant constraint
    constraints contain contains context conversion convert converted converting copy correlated corrupt
    corrupted could count create created csv cte ctes current currently data database date day debug decimal
    decode default define defined definition delete denied dependency deprecated describe deserialization
    deserialize destination detected dictionary did different directly directory disable disabled distinct
    divide do does doesn't double download drop duckdb due duplicate duplicates during each either element
    elements empty enable encoding encountered encrypted encryption end enough entries entry enum equal error
    escape every exact exactly exceeded exceeds exception execute executing execution exist existing exists
    expected expects explicit explicitly export exported expression expressions extension extensions external
    extra extract failed failure false fatal fetch fetches field fields file files filter find first fit flush
    following for foreign format found frame from function functions generated geometry get given got grammar
    greater group groups gzip handle handled has hash have header here higher http id identifier if implement
    implemented in incorrect index indexes info initialization initialize initialized input insert inside
    install installed instance instead integer internal interrupt interrupted interval into invalid io ip is it
    its join json key keys lambda large larger last lateral least left length like limit lines list lists
    literal load loaded local lock log logical macro make malformed many map match matches max maximum may means
    memory merge metadata method might min mismatch missing mode modifier modifiers module more most multiple
    must name named names nanobind near need needs negative nested new no node none not null number object
    occurred of offset on once one only open operation operator option options or order ordered original other
    out output overflow overwrite page parameter parameters parquet parse parser parsing part partition passed
    path pattern pending perform permission physical pipeline pivot plan please point position positional
    positive possible pragma precision prepared present primary process projection provide provided python
    qualified quantile query quoted range reached read reader reading recognized reconnect recursive reference
    referenced references register registered relation remove rename replace replacement repository request
    requested required requires reset resolved resource result return returned returning returns rewrite right
    rollback root row rows rule running same sample scalar scale scan scanner schema schemas second segment
    select selection separate sequence serialization serialize serialized set setting settings should show
    shredded side signature single size sizes so source specified specifier specify sql square start started
    starting state statement statements statistics stats storage stored str stream string strings struct structs
    subquery such sum support supported supports syntax system table tables take target temporary than that the
    then there this thread through time timestamp to too transaction transactioncontext trigger triggers true
    try trying two type types unable uncompressed unexpected unfinished unicode unimplemented union unique units
    unknown unnest unpivot unrecognized unsuccessful unsupported unterminated until up update url use used using
    valid value values varchar variant vector vectors verification version versions view violates virtual wal
    was we were when where whether which while width will window with within without write writer writing yet
    you zero
"""
WORDS: Final = frozenset(_SENTENCES.split())
