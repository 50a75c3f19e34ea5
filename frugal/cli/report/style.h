// The style of a page, light and dark.
#pragma once

namespace frugal::report {

inline constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;--page:#f6f6f3;--card:#fff;--ink:#1d1f23;--soft:#656a73;--line:#e3e3de;--track:#ecece8;
--code:#f1f1ed;
--c0:#2b6cdf;--c1:#d4582a;--c2:#0f8f68;--c3:#9449bd;--c4:#b07d0a;--c5:#c2386c;--c6:#37849b;--c7:#7d828c;
--good:#12805c;--warn:#a86a00;--bad:#c4312b;--busy:#2b6cdf}
@media (prefers-color-scheme:dark){:root{--page:#121316;--card:#1a1c20;--ink:#e7e8ea;--soft:#9a9fa9;--line:#2c2f35;
--track:#26292e;--code:#24272c;
--c0:#6c9fff;--c1:#f0875a;--c2:#48c397;--c3:#c48be6;--c4:#dcae40;--c5:#ef7aa3;--c6:#79bfd3;--c7:#8d939e;
--good:#48c397;--warn:#dcae40;--bad:#ff7b72;--busy:#6c9fff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:28px 20px 48px}
header{margin-bottom:20px}
header .brand{color:var(--soft);font-size:13px;letter-spacing:.04em}
h1{font-size:28px;line-height:1.2;margin:4px 0 6px;overflow-wrap:anywhere;letter-spacing:-.01em}
h2{font-size:18px;margin:36px 0 12px}
h3{font-size:13px;margin:0 0 8px;color:var(--soft);font-weight:600}
header p{margin:0;color:var(--soft);overflow-wrap:anywhere}
.pill{display:inline-block;font-size:13px;font-weight:600;line-height:1;padding:5px 10px;border-radius:99px;
border:1px solid currentColor;vertical-align:4px;margin-left:10px;letter-spacing:0;color:var(--soft)}
.pill.done{color:var(--good)}.pill.running{color:var(--busy)}.pill.interrupted{color:var(--warn)}
.pill.diverged{color:var(--bad)}
.notice{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--warn);border-radius:8px;
padding:10px 14px;margin:0 0 12px;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px}
.tile,figure,.facts>div,.panel{background:var(--card);border:1px solid var(--line);border-radius:12px}
.tile{padding:14px 16px}
.tile span,.tile small{display:block;color:var(--soft);font-size:13px}
.tile b{display:block;font-size:25px;font-weight:650;line-height:1.3;font-variant-numeric:tabular-nums;
letter-spacing:-.01em}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:14px}
figure{display:flex;flex-direction:column;margin:0;padding:14px 16px 12px;min-width:0}
figcaption{font-size:15px;margin-bottom:8px;overflow-wrap:anywhere}
figcaption small{color:var(--soft);font-size:13px;margin-left:2px}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px;color:var(--soft);margin-top:2px}
.legend span,td>span,th>span{display:inline-flex;align-items:center;gap:6px}
.legend i,td i,th i{width:14px;height:4px;border-radius:2px;flex:none}
i.faint{opacity:.35}
svg.plot{display:block;width:100%;height:274px;padding:22px 14px 44px 52px;margin-top:auto;overflow:visible}
svg.plot.wide{padding-left:118px}
.plot text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}
.plot .ty{text-anchor:end}.plot .tx{text-anchor:middle}.plot .name{text-anchor:end}
.grid{stroke:var(--line)}
.base{stroke:var(--soft);opacity:.6}
.plot path{fill:none;vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:round}
.plot .line{stroke-width:2}.plot .raw{stroke-width:1;opacity:.3}.plot .dashed{stroke-dasharray:6 5}
.plot .band{opacity:.16}.plot .dots{stroke-width:6.4}.plot .error{stroke-width:1.5;opacity:.6}
svg.plot.equal{box-sizing:content-box;height:auto;margin:auto 0 0}
.mark{stroke-dasharray:2 4;opacity:.8}
circle.best{fill:var(--card);stroke-width:2.5}
.plot text.best{font-weight:600;fill:var(--ink)}
line.rule{stroke:var(--soft);stroke-dasharray:5 4}
.alarm{stroke:var(--bad);stroke-width:2}
.hit{fill:var(--ink);opacity:0}.hit:hover{opacity:.08}
.note{font-size:13px;color:var(--soft);margin:6px 0 0;overflow-wrap:anywhere}
.bar{margin:10px 0 14px}.bar div{display:flex;justify-content:space-between;gap:12px;font-size:14px;margin-bottom:4px;
overflow-wrap:anywhere}
.bar b{white-space:nowrap}
.bar svg{display:block;width:100%;height:24px;border-radius:6px;overflow:hidden}
.bar rect:not(.track){stroke:var(--card);stroke-width:1}.track{fill:var(--track)}
.limit{stroke:var(--ink);stroke-width:3;stroke-dasharray:4 3}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
section>.scroll,details>.scroll{background:var(--card);border:1px solid var(--line);border-radius:12px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:8px 14px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}
thead th{color:var(--soft);font-weight:600;font-size:13px;white-space:nowrap}
.numbers td,.numbers th{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.numbers td:first-child,.numbers th:first-child{text-align:left;position:sticky;left:0;background:var(--card)}
tr.best{font-weight:650}
.value{white-space:pre-wrap;overflow-wrap:anywhere;max-width:420px}
td.default{white-space:nowrap}
td.help{color:var(--soft);font-size:13px;min-width:200px}
.confusion{width:auto;border-collapse:separate;border-spacing:3px}
.confusion td,.confusion th{border:0;text-align:center;padding:10px 14px;font-variant-numeric:tabular-nums;
border-radius:6px}
.confusion tbody th{text-align:right;font-weight:600;color:var(--soft)}
.confusion td.right,.confusion td.wrong{min-width:64px;font-size:16px}
.confusion td.right{background:color-mix(in srgb,var(--c2) calc(var(--share)*.6),var(--track))}
.confusion td.wrong{background:color-mix(in srgb,var(--c1) calc(var(--share)*.6),var(--track))}
figure.whole{grid-column:1/-1}
figure img{display:block;max-width:100%;height:auto;margin:4px 0;border-radius:6px}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.figures td,.figures th{padding:6px 12px}
.heat{width:auto;border-collapse:separate;border-spacing:2px;font-size:13px}
.heat td,.heat th{border:0;text-align:center;padding:6px 9px;font-variant-numeric:tabular-nums;border-radius:5px}
.heat tbody th{text-align:right;font-weight:600;color:var(--soft)}
.heat td{background:color-mix(in srgb,var(--c0) calc(var(--share)*.6),var(--track))}
.heat td.below{background:color-mix(in srgb,var(--c1) calc(var(--share)*.6),var(--track))}
.heat td.none{background:none;color:var(--soft)}
.cells rect{fill:color-mix(in srgb,var(--c0) calc(var(--share)*.9),var(--track))}
.cells rect.below{fill:color-mix(in srgb,var(--c1) calc(var(--share)*.9),var(--track))}
.cells{shape-rendering:crispEdges}
.legend i.scale{width:110px;height:10px;background:linear-gradient(90deg,var(--track),
color-mix(in srgb,var(--c0) 60%,var(--track)))}
.legend i.both{background:linear-gradient(90deg,color-mix(in srgb,var(--c1) 60%,var(--track)),var(--track),
color-mix(in srgb,var(--c0) 60%,var(--track)))}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr));gap:14px}
.facts>div{padding:14px 16px;min-width:0}
dl{margin:0;display:grid;grid-template-columns:minmax(90px,auto) 1fr;gap:4px 14px;font-size:14px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
dd.example{white-space:pre-wrap}
mark{background:color-mix(in srgb,var(--c4) 35%,transparent);color:inherit;border-radius:3px}
code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.commands{display:grid;gap:10px}
.commands span{font-size:13px;color:var(--soft)}
pre{margin:2px 0 0;background:var(--code);border:1px solid var(--line);border-radius:8px;padding:9px 12px;
white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}
details{margin-top:12px}summary{cursor:pointer;color:var(--soft);font-size:14px;margin-bottom:8px}
details.run{border-top:1px solid var(--line);padding-top:12px}details.run>summary{color:var(--ink);font-weight:600;
font-size:16px;overflow-wrap:anywhere}
footer{margin-top:40px;color:var(--soft);font-size:13px}
@media (max-width:560px){main{padding:18px 12px 32px}h1{font-size:23px}.tiles{grid-template-columns:1fr 1fr;gap:8px}
.tile{padding:10px 12px}.tile b{font-size:21px}
figure{padding:12px 10px 10px}svg.plot{height:244px;padding-left:46px}th,td{padding:7px 10px}.help{display:none}
dl{grid-template-columns:1fr}dd{margin-bottom:6px}}
@media print{body{background:#fff}figure,.tile,.facts>div{break-inside:avoid}}
)css";

}  // namespace frugal::report
