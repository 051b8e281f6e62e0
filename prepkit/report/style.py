"""How pages look: one style sheet, and the patterns that tell classes apart where colour does not."""

from __future__ import annotations

# Okabe and Ito's colours, which the colour-blind tell apart (doi:10.1038/nmeth.1618), without black and yellow:
# a line of either is lost on one of the two grounds. The last stands for all classes beyond.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#7a5195", "#8a8f98")
PALETTE_DARK = ("#4aa3df", "#e69f00", "#1fbf92", "#ff7a33", "#9ad4f5", "#e39cc3", "#a98bd0", "#8a8f98")
CLASSES = len(PALETTE)

_HATCH = (
    "",
    '<path d="M-1 4L4 -1M2 7L7 2"/>',
    '<circle cx="2" cy="2" r="1"/><circle cx="5" cy="5" r="1"/>',
    '<path d="M-1 2L4 7M2 -1L7 4"/>',
    '<path d="M0 2H6"/>',
    '<path d="M2 0V6"/>',
    '<path d="M0 2H6M2 0V6"/>',
    '<path d="M-1 4L4 -1M2 7L7 2M-1 2L4 7M2 -1L7 4"/>',
)
PATTERNS = (
    '<svg class="patterns" aria-hidden="true" width="0" height="0"><defs>'
    + "".join(
        f'<pattern id="p{k}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect class="c{k}" width="6" height="6"/><g class="hatch">{hatch}</g></pattern>'
        for k, hatch in enumerate(_HATCH)
    )
    + "</defs></svg>"
)


def _variables(colours: tuple[str, ...]) -> str:
    return "".join(f"--k{i}:{colour};" for i, colour in enumerate(colours))


_LIGHT = (
    "color-scheme:light;--ground:#f5f6f8;--card:#fff;--ink:#1b1f24;--soft:#5b6470;--line:#d9dde3;--bar:#4f6d8f;"
    "--code:#eef1f5;--error:#b3261e;--error-ground:#fdecea;--warning:#8a5300;--warning-ground:#fff4de;"
    "--info:#1f5f99;--info-ground:#e8f1fa;--good:#1b6e3c;--good-ground:#e6f4ea;" + _variables(PALETTE)
)
_DARK = (
    "color-scheme:dark;--ground:#14171b;--card:#1d2126;--ink:#e7eaee;--soft:#a3adb9;--line:#353b44;--bar:#86a6c8;"
    "--code:#272c33;--error:#ff8a80;--error-ground:#3a1f1e;--warning:#ffc069;--warning-ground:#38290f;"
    "--info:#8cc4ff;--info-ground:#1a2c3f;--good:#7fd6a0;--good-ground:#17301f;" + _variables(PALETTE_DARK)
)

CSS = (
    f":root{{{_LIGHT}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}\n"
    + """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:.94rem/1.5 system-ui,"Segoe UI",Roboto,sans-serif}
header,main{max-width:84rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.25rem}
h1{font-size:1.6rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2rem 0 .6rem}
h3{font-size:1rem;margin:0;overflow-wrap:anywhere;unicode-bidi:isolate}
small,.note,.nothing{color:var(--soft)}
h2 small{font-weight:400;font-size:.85rem;margin-left:.6rem}
.note{margin:.2rem 0}
.nothing{font-style:italic;font-size:.85rem;margin:.4rem 0}
a{color:inherit;text-decoration-color:var(--soft);text-underline-offset:2px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem}
.tile dt{color:var(--soft);font-size:.85rem}
.tile dd{margin:0;font-size:1.45rem;font-weight:600;line-height:1.25;overflow-wrap:anywhere}
.tile dd.note{font-size:.8rem;font-weight:400}
.tile.error dd:not(.note){color:var(--error)}
.tile.warning dd:not(.note){color:var(--warning)}
.tile.good dd:not(.note){color:var(--good)}
.badge{display:inline-block;white-space:nowrap;border-radius:1em;padding:0 .6em;font-size:.8rem;font-weight:600}
.badge.error,.badge.warning,.badge.info,.badge.good{color:var(--tone);background:var(--tone-ground)}
.error{--tone:var(--error);--tone-ground:var(--error-ground)}
.warning{--tone:var(--warning);--tone-ground:var(--warning-ground)}
.info{--tone:var(--info);--tone-ground:var(--info-ground)}
.good{--tone:var(--good);--tone-ground:var(--good-ground)}
.badge.plain{color:var(--soft);border:1px solid var(--line);font-weight:400}
.finding{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--tone);border-radius:6px}
.finding{padding:.6rem .9rem;margin:.5rem 0;display:grid;grid-template-columns:minmax(0,1fr) auto;gap:.1rem 1.25rem}
.finding .head{display:flex;flex-wrap:wrap;gap:.1rem .6rem;align-items:baseline}
.finding .said p{margin:.15rem 0;overflow-wrap:anywhere}
.finding .advice{font-weight:500}
.finding .cure{min-width:0;align-self:start;max-width:26rem}
.finding .cure small{display:block}
.finding details{grid-column:1/-1}
pre.copy{margin:.1rem 0;padding:.35rem .6rem;background:var(--code);border-radius:5px;user-select:all;cursor:copy}
pre.copy{overflow-x:auto;font:.85rem/1.45 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap}
code{overflow-wrap:anywhere}
.note-line{margin:.15rem 0}
section>details{margin:.4rem 0 .8rem}
section>.note{margin:1rem 0 .3rem}
.note-line summary{padding:.2rem .3rem;color:var(--ink)}
.note-line b{font-weight:500}
.note-line small{overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--soft);font-size:.9rem}
.scroll{overflow:auto;max-height:75vh;border:1px solid var(--line);border-radius:8px;background:var(--card)}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.25rem .6rem;vertical-align:top;font-weight:400;overflow-wrap:break-word}
.scroll thead th{position:sticky;top:0;background:var(--card);box-shadow:0 1px var(--line);z-index:1}
thead th{color:var(--soft);font-size:.8rem;white-space:nowrap}
.scroll tbody tr+tr>*{border-top:1px solid var(--line)}
.scroll tbody th{font-weight:600;min-width:6rem;overflow-wrap:anywhere;unicode-bidi:isolate}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(21rem,100%),1fr));gap:.9rem;align-items:start}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}
.card{content-visibility:auto;contain-intrinsic-size:auto 22rem;min-width:0}
.card:target,.finding:target{outline:2px solid var(--info)}
.card .head{display:flex;justify-content:space-between;gap:.6rem;align-items:baseline}
.card .head .badge{flex:none}
.card p{margin:.25rem 0;font-size:.87rem;overflow-wrap:anywhere}
.card ul{margin:.3rem 0;padding:0;list-style:none;font-size:.87rem;color:var(--soft)}
.card li{margin:.15rem 0;overflow-wrap:anywhere}
.facts{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.3rem 0;font-size:.87rem}
.facts div{display:flex;gap:.35rem}
.facts dt{color:var(--soft)}
.facts dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;font-size:.87rem;margin:.4rem 0}
.key{display:inline-flex;gap:.4rem;align-items:center}
.share{display:grid;grid-template-columns:auto 1fr;gap:.6rem;align-items:center;font-size:.82rem;color:var(--soft)}
svg{display:block;max-width:100%}
svg.patterns{position:absolute}
svg.chart{width:100%;max-width:30rem;overflow:visible}
svg text{fill:var(--soft);font-size:10px;font-family:inherit}
svg .grid{stroke:var(--line);fill:none;stroke-width:1}
.cut{stroke:var(--soft);stroke-dasharray:2 2;fill:none}
.hit{fill:transparent}
.hit rect:hover{fill:#8883}
.k{fill:var(--bar)}
.was{fill:var(--soft);opacity:.6}
svg.in-line{display:inline-block;margin-right:.3rem;vertical-align:-.1em;max-width:none}
.whisker,.most,.median{stroke:var(--soft);fill:none}
.most{stroke-width:3}
.box{fill:var(--bar)}
.median{stroke:var(--ink);stroke-width:2}
.rest{fill:var(--line)}
.part{fill:var(--bar)}
.hatch{stroke:#0009;stroke-width:1;fill:none}
.hatch circle{fill:#0009;stroke:none}
table.bars{font-size:.85rem;table-layout:auto}
table.bars th,table.bars td{padding:.08rem .3rem;vertical-align:middle}
table.bars tbody th{max-width:11rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
table.bars th:first-child{padding-left:0}
table.bars td.bar{width:100%;min-width:4rem}
table.bars+*{margin-top:.5rem}
@media (max-width:640px){
 .finding{grid-template-columns:minmax(0,1fr)}
 .finding .cure{max-width:none}
 header,main{padding-left:.8rem;padding-right:.8rem}
}
@media print{
 html{font-size:11.5px}
 body{background:none}
 .scroll{max-height:none;overflow:visible}
 .finding,.card,.tile{break-inside:avoid;content-visibility:visible}
 .scroll thead th{position:static}
 details::details-content{content-visibility:visible;display:block}
 *{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
"""
    + "".join(f".c{i}{{fill:var(--k{i})}}.k{i}{{fill:{f'url(#p{i})' if i else 'var(--k0)'}}}" for i in range(CLASSES))
)
