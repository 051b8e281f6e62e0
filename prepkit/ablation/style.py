"""What pages of an ablation look like, beyond `prepkit.report.style`."""

STYLE = """
p.lead{font-size:1.3rem;font-weight:600;line-height:1.35;margin:.9rem 0 .2rem;max-width:60rem;overflow-wrap:anywhere}
td>small,th>small,.card>small{display:block;font-size:.8rem;font-weight:400;line-height:1.35;overflow-wrap:anywhere}
td>.badge+small{margin-top:.2rem}
.scroll.whole{max-height:none}
.verdicts th,.verdicts td{padding:.5rem .6rem}
.verdicts thead th{white-space:normal;vertical-align:bottom}
.verdicts tbody th{width:14rem}
.verdicts td{font-variant-numeric:tabular-nums;min-width:5.5rem}
.verdicts td:nth-child(2){min-width:13rem;max-width:22rem}
.verdicts .drawn{min-width:14rem;width:17rem}
.verdicts thead th:nth-child(3){width:17rem}
.said{white-space:nowrap}
.said.good{color:var(--good)}
.said.error{color:var(--error)}
svg.effect{overflow:visible}
svg.effect .better{fill:var(--good-ground)}
svg.effect .little{fill:var(--soft);opacity:.22}
svg.effect .zero{stroke:var(--ink);stroke-width:1.2}
svg.effect .span{stroke:var(--mark);stroke-width:2}
svg.effect .dot,svg.effect .beyond{fill:var(--mark)}
svg.effect .beyond{font-size:15px}
svg.effect{--mark:var(--tone,var(--soft))}
svg.axis .side{fill:var(--good)}
.under{text-align:center}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(17.5rem,100%),1fr));gap:.8rem}
.multiples .card{margin:0;padding:.55rem .7rem;contain-intrinsic-size:auto 13rem}
figcaption{display:flex;justify-content:space-between;gap:.2rem .5rem;flex-wrap:wrap;margin-bottom:.3rem}
figcaption b{font-weight:600;overflow-wrap:anywhere;min-width:0}
details>.multiples{margin-top:.6rem}
svg.curves .band{fill:var(--k0);opacity:.25}
svg.curves .line{stroke:var(--k0);stroke-width:2;fill:none}
svg.curves .dot{fill:var(--k0)}
svg.curves .was-band{fill:var(--soft);opacity:.25}
svg.curves .was-line{stroke:var(--soft);stroke-width:1.5;fill:none}
svg.curves .end{fill:var(--error);font-size:12px}
svg.curves .cut{stroke:var(--ink);stroke-dasharray:5 3;opacity:.7}
.never{fill:none;stroke:var(--soft);stroke-dasharray:4 3}
table.times td.bar{width:34%}
.times .missed{color:var(--soft);white-space:nowrap}
#first td{white-space:nowrap}
#first tbody th{min-width:8rem}
.card.plain{content-visibility:visible}
.down{display:grid;grid-template-columns:1fr;gap:.15rem}
.down div{display:grid;grid-template-columns:6.5rem 1fr}
.notes{padding-left:1.2rem}
section#measured p{max-width:64rem}
@media (max-width:800px){
 .verdicts thead{display:none}
 .verdicts,.verdicts tbody,.verdicts tr,.verdicts td,.verdicts tbody th{display:block;width:auto}
 .verdicts tr{padding:.5rem 0}
 .verdicts tbody th,.verdicts td{padding:.2rem .8rem;border:0;max-width:none}
 .verdicts tbody th>span{font-size:1.05rem}
 .verdicts tr+tr{border-top:3px solid var(--line)}
 .scroll .verdicts tbody tr+tr>*{border-top:0}
 .verdicts td[data-label]{display:grid;grid-template-columns:8.5rem 1fr;column-gap:.5rem}
 .verdicts td[data-label]>*{grid-column:2}
 .verdicts td[data-label]::before{content:attr(data-label);color:var(--soft);font-size:.8rem;grid-row:span 2}
 .verdicts td.drawn{display:block;max-width:26rem}
 .times td.bar:nth-child(4),.times td.number:nth-child(5),.times th:nth-child(4),.times th:nth-child(5){display:none}
}
"""
