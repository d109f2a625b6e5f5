//! How it looks, in light and in dark.

/// Of the picture; works alone and inside of a page.
pub(super) const PICTURE: &str = "\
.sf{--paper:#fff;--ink:#1f2430;--faint:#6b7280;--rule:#e3e6ec;--lane:#f4f5f8;--fault:#8a6fb8;--bad:#d3202f;--warn:#d98a00;\
--c0:#3f74b5;--c1:#2f8f83;--c2:#6a63c4;--c3:#4f8a3c;--c4:#2a86a8;--c5:#9159a6;--c6:#5c6f86;--c7:#7d7a2e;--on:#fff;\
--s0:#27446b;--s1:#b06cc9;--s2:#3c9d63;\
font:11px/1.3 ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;background:var(--paper)}
@media (prefers-color-scheme:dark){.sf{--paper:#15181e;--ink:#e3e6ec;--faint:#98a0ae;--rule:#2a2f39;--lane:#1c2028;\
--fault:#a78bd6;--bad:#ff5c66;--warn:#f0a92a;\
--c0:#3c6ba3;--c1:#2b7d73;--c2:#6059b3;--c3:#487d37;--c4:#277a98;--c5:#845197;--c6:#566679;--c7:#716e2c;\
--s0:#8fb4e6;--s1:#d79be8;--s2:#6fce97}}
.sf text{fill:var(--ink)}
.sf .paper{fill:var(--paper)}
.sf .title{font-size:14px;font-weight:600}
.sf .head{font-weight:600;font-size:12px}
.sf .note,.sf .tick{fill:var(--faint)}
.sf .broken{fill:var(--bad);font-weight:600;font-size:12px}
.sf .also{fill:var(--bad)}
.sf .excused{fill:var(--warn);font-weight:600}
.sf .grid{stroke:var(--rule)}
.sf .lane{fill:var(--lane);opacity:.7}
.sf .wait{stroke:var(--faint);stroke-width:2.5}
.sf .wait.bad{stroke:var(--bad)}
.sf .bar{stroke:none}
.sf .c0{fill:var(--c0)}.sf .c1{fill:var(--c1)}.sf .c2{fill:var(--c2)}.sf .c3{fill:var(--c3)}
.sf .c4{fill:var(--c4)}.sf .c5{fill:var(--c5)}.sf .c6{fill:var(--c6)}.sf .c7{fill:var(--c7)}
.sf .bare{fill:url(#sf-bare)}
.sf .still{fill:url(#sf-still);stroke:var(--faint);stroke-width:.5}
.sf .hatch{stroke:var(--paper);stroke-width:3}
.sf .halt{stroke:var(--faint);stroke-width:1.5}
.sf .blamed{fill:none;stroke:var(--bad);stroke-width:2}
.sf .onbar{fill:var(--on)}
.sf .s0{fill:var(--s0)}.sf .s1{fill:var(--s1)}.sf .s2{fill:var(--s2)}
.sf .alive{stroke:var(--faint);stroke-width:1}
.sf .reign{opacity:.8}
.sf .both{fill:var(--warn);opacity:.38;stroke:var(--warn)}
.sf .clash{fill:var(--bad);opacity:.38;stroke:var(--bad)}
.sf .fault{fill:var(--fault);opacity:.75}
.sf .felt{fill:var(--fault);opacity:.18}
.sf .shade{fill:var(--fault);opacity:.07}
.sf .loss{stroke:var(--bad);stroke-width:2;fill:none}
.sf .refused{stroke:var(--warn);stroke-width:2;fill:none}
.sf .death{stroke:var(--ink);stroke-width:2;fill:none}
.sf .wrote{fill:var(--on);opacity:.75}
.sf .moment{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:5 3}
.sf .badge{fill:var(--bad)}
.sf .number{fill:#fff;font-weight:700;text-anchor:middle}
.sf .mark{stroke:var(--ink);stroke-width:1.5}
.sf .gone{stroke:var(--bad);stroke-width:2.5}
.sf .tick{text-anchor:middle}
.sf .left{text-anchor:end}
";

/// Patterns that styles refer to.
pub(super) const PATTERNS: &str = "\
<defs>
<pattern id=\"sf-bare\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" class=\"hatch\"/></pattern>
<pattern id=\"sf-still\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(-45)\">\
<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"5\" class=\"halt\"/></pattern>
</defs>
";

/// Of the page around it.
pub(super) const PAGE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1f2430;--faint:#6b7280;--rule:#e3e6ec;--lane:#f4f5f8;--bad:#d3202f;\
--good:#2f7d3b}
@media (prefers-color-scheme:dark){:root{--paper:#15181e;--ink:#e3e6ec;--faint:#98a0ae;--rule:#2a2f39;--lane:#1c2028;\
--bad:#ff5c66;--good:#6fce97}}
body{margin:1.2rem;background:var(--paper);color:var(--ink);font:14px/1.45 ui-sans-serif,system-ui,'DejaVu Sans',sans-serif}
h1{font-size:1.15rem;margin:0 0 .6rem}
h2{font-size:.95rem;margin:1.2rem 0 .4rem}
.picture{overflow-x:auto;border:1px solid var(--rule);border-radius:6px}
.picture svg{display:block}
pre{background:var(--lane);padding:.6rem .8rem;border-radius:6px;overflow-x:auto;margin:0;\
font:12px/1.5 ui-monospace,'DejaVu Sans Mono',monospace}
.bad{color:var(--bad)}.good{color:var(--good)}
";
